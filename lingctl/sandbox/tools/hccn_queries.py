"""The queries of the emulated hccn_tool."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Mapping

from lingctl.sandbox.state import NODE_NAME, STATE, Card, ClusterState, NodeState, load_cluster
from lingctl.sandbox.tools.hccn_texts import CERTIFICATE, COUNTERS, LLDP, OPTICS
from lingctl.sandbox.tools.hccn_words import FAILED, UNSUPPORTED, Refusal

Query = Callable[[NodeState, Card, list[str]], int]
_DATE = "%a %b %e %H:%M:%S %Y"


def _ip(node: NodeState, card: Card, rest: list[str]) -> int:
    if card.address is None:
        raise Refusal("Get ipconf failed, because no ip was preset there!", 13)
    print(f"ipaddr:{card.address}\nnetmask:{card.netmask}")
    return 0


def _link(node: NodeState, card: Card, rest: list[str]) -> int:
    print(f"link status: {card.link}")
    return 0


def _net_health(node: NodeState, card: Card, rest: list[str]) -> int:
    if card.netdetect == "0.0.0.0":
        state = "Init"
    elif card.link == "DOWN":
        state = "Fault"
    elif card.address is None:
        state = "Socket fail"
    elif card.netdetect != card.gateway and not _answers(load_cluster(), card, card.netdetect):
        state = "Receive timeout"
    else:
        state = "Success"
    print(f"net health status: {state}")
    return 0


def _netdetect(node: NodeState, card: Card, rest: list[str]) -> int:
    print(f"netdetect address: {card.netdetect}")
    return 0


def _gateway(node: NodeState, card: Card, rest: list[str]) -> int:
    if not card.gateway:
        raise Refusal("Get gateway failed, because no gateway was preset there!", 2)
    print(f"default gateway:{card.gateway}, Iface:eth{card.id}")
    return 0


def _tls(node: NodeState, card: Card, rest: list[str]) -> int:
    if not card.certificate:
        raise Refusal("No certificate found, please set certs firstly!", 14)
    print(
        f"dev_id:{card.id}, tls switch[{card.tls}](0:disable, 1:enable), tls preconfigured[1]"
        "(0:non-preset, 1:preset), tls alarm time threshold[60]days"
    )
    print(CERTIFICATE.format(card=card.id))
    return 0


def _lldp(node: NodeState, card: Card, rest: list[str]) -> int:
    if card.link == "UP" and card.lldp:
        number = int(re.sub(r"\D", "", node.name) or 1)
        port = f"400GE1/{number}/{card.id // 2 + 1}:{card.id % 2 + 1}"
        print(LLDP.format(number=number, port=port))
    return 0


def _mtu(node: NodeState, card: Card, rest: list[str]) -> int:
    print(f"mtu:{card.mtu}")
    return 0


def _mac(node: NodeState, card: Card, rest: list[str]) -> int:
    number = int(re.sub(r"\D", "", node.name) or 1)
    print(f"mac addr: bc:1e:85:00:{number:02x}:{card.id:02x}")
    return 0


def _link_stat(node: NodeState, card: Card, rest: list[str]) -> int:
    """Newest record first; the burst at boot is what every healthy card shows."""
    now, prefix = time.time(), f"[devid {card.id}]"
    booted = NODE_NAME.stat().st_mtime - 86_400
    records = [(booted, "UP"), (booted + 15, "DOWN"), (booted + 16, "UP")]
    for flap in range(card.flaps):
        down = now // 600 * 600 - 600 * (1 + flap % 5) - 60 * (flap // 5)
        records += [(down, "DOWN"), (down + 45, "UP")]
    if card.link == "DOWN":
        records.append(((STATE / f"{node.name}.json").stat().st_mtime, "DOWN"))
    count = {way: sum(record[1] == way for record in records) for way in ("UP", "DOWN")}
    print(f"{prefix}current time        : {time.strftime(_DATE, time.localtime(now))}")
    print(f"{prefix}link up count       : {count['UP']}\n{prefix}link down count     : {count['DOWN']}")
    print(f"{prefix}link change records :")
    for at, way in sorted(records, reverse=True):
        print(f"{prefix}    {time.strftime(_DATE, time.localtime(at))}    LINK {way}")
    return 0


def _speed(node: NodeState, card: Card, rest: list[str]) -> int:
    print("Speed: Unknown!" if card.link == "DOWN" else "Speed: 200000 Mb/s")
    return 0


def _duplex(node: NodeState, card: Card, rest: list[str]) -> int:
    print("Duplex: Full")
    return 0


def _stat(node: NodeState, card: Card, rest: list[str]) -> int:
    """Counters grow with time; those of trouble only where there is some."""
    print("packet statistics:")
    steady = int(time.time()) % 1_000_000
    for name in COUNTERS:
        trouble = re.search("pause|pfc|bad|err|cnp|unexpected|out_of_order|rty|ecn", name)
        value = 0 if trouble else steady
        if card.errors and name == "roce_new_pkt_rty_num":
            value = card.errors + 100 * steady
        print(f"{name}:{value}")
    return 0


def _optical(node: NodeState, card: Card, rest: list[str]) -> int:
    received = "0.0001" if card.link == "DOWN" else "1.0189"
    powers = "".join(
        f"Tx Power{lane}            : 1.4140 mW\nRx Power{lane}            : {received} mW\n"
        for lane in range(4)
    )
    biases = "".join(f"Tx Bias{lane}             : 7.9360 mA\n" for lane in range(4))
    ratios = "".join(f"Host SNR Lane{lane}       : not supported\n" for lane in range(4)) + "".join(
        f"Media SNR Lane{lane}      : 22.1875 dB\n" for lane in range(4)
    )
    number = int(re.sub(r"\D", "", node.name) or 1)
    lost = "0xff" if card.link == "DOWN" else "0x0"
    text = OPTICS.format(
        serial=number * 100 + card.id, powers=powers, biases=biases, ratios=ratios, lost=lost
    )
    print(text, end="")
    return 0


def _vnic(node: NodeState, card: Card, rest: list[str]) -> int:
    print(f"vnic link status: UP\nvnic ipaddr: 192.168.2.{199 - card.id}\nvnic netmask: 255.255.255.0")
    return 0


def _process(node: NodeState, card: Card, rest: list[str]) -> int:
    print("device hccp process: exist")
    return 0


def _pfc(node: NodeState, card: Card, rest: list[str]) -> int:
    print("PFC configuration:\npriority   0 1 2 3 4 5 6 7\nenabled    0 0 0 0 1 0 0 0")
    return 0


def _route(node: NodeState, card: Card, rest: list[str]) -> int:
    row = "{:<16}{:<16}{:<16}{:<6}0      0        0 {}".format
    print("Routing table:\nDestination     Gateway         Genmask         Flags Metric Ref    Use Iface")
    if card.gateway:
        print(row("default", card.gateway, "0.0.0.0", "UG", f"eth{card.id}"))
    if card.address:
        network = ".".join(
            str(int(a) & int(m))
            for a, m in zip(card.address.split("."), card.netmask.split("."), strict=True)
        )
        print(row(network, "*", card.netmask, "U", f"eth{card.id}"))
    print(row("127.0.0.1", "*", "255.255.255.255", "UH", "lo"))
    for reserved in ("192.168.1.0", "192.168.2.0"):
        print(row(reserved, "*", "255.255.255.0", "U", f"end{card.id}v0"))
    return 0


def _unsupported(node: NodeState, card: Card, rest: list[str]) -> int:
    raise Refusal(UNSUPPORTED, 13, on_stdout=True)


def _ping(node: NodeState, card: Card, rest: list[str]) -> int:
    if rest[:1] != ["address"] or len(rest) not in (2, 4) or (len(rest) == 4 and rest[2] != "pkt"):
        raise Refusal("Get unknown option!", 3)
    target = rest[1]
    if card.address is None:
        raise Refusal(FAILED, 1)
    cluster = load_cluster()
    print(f"device {card.id} PING {target}", flush=True)
    answered = _answers(cluster, card, target)
    loss = 0.0 if answered else 100.0
    if answered:
        loss = max(card.loss, *(c.loss for n in cluster.nodes for c in n.cards if c.address == target), 0)
    # Of three packets, as many as the loss makes at least one.
    lost = 0 if loss == 0 else max(1, round(3 * loss / 100))
    for number in range(3):
        if number < lost:
            print(f"recv time out seq={number}")
        else:
            print(f"recv seq={number},time={'1.418000' if number == 0 else '0.040000'}ms")
    print(f"3 packets transmitted, {3 - lost} received, {100 * lost / 3:.2f}% packet loss", flush=True)
    if lost:
        print(FAILED, file=sys.stderr)
    return 1 if lost else 0


def _answers(cluster: ClusterState, card: Card, target: str) -> bool:
    if card.link == "DOWN" or card.address is None:
        return False
    if not _within(card, target) and not card.gateway:
        return False
    if any(target == other.gateway for node in cluster.nodes for other in node.cards):
        return True
    # Two cards with one address answer now one and now the other: such a target counts as silent.
    owners = [(n, c) for n in cluster.nodes for c in n.cards if c.address == target and c.present]
    mine = [c for n in cluster.nodes for c in n.cards if c.address == card.address and c.present]
    if len(owners) != 1 or len(mine) != 1:
        return False
    node, owner = owners[0]
    return owner.link == "UP" and not owner.hang and "power-off" not in node.faults


def _within(card: Card, target: str) -> bool:
    """Whether a target is in the card's subnet."""
    try:
        parts = [
            [int(part) for part in text.split(".")] for text in (card.address or "", target, card.netmask)
        ]
        return all(a & m == t & m for a, t, m in zip(*parts, strict=True))
    except ValueError:
        return False


QUERIES: Mapping[str, Query] = {
    "ip": _ip,
    "link": _link,
    "net_health": _net_health,
    "netdetect": _netdetect,
    "gateway": _gateway,
    "tls": _tls,
    "lldp": _lldp,
    "mtu": _mtu,
    "mac": _mac,
    "link_stat": _link_stat,
    "speed": _speed,
    "duplex": _duplex,
    "stat": _stat,
    "optical": _optical,
    "vnic": _vnic,
    "process": _process,
    "pfc": _pfc,
    "route": _route,
    "fec": _unsupported,
    "hccs_ping": _unsupported,
    "ping": _ping,
}
