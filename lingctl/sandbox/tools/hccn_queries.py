"""The queries of the emulated hccn_tool: what each says of a card."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Mapping

from lingctl.sandbox.state import NODE_NAME, STATE, Card, ClusterState, NodeState, load_cluster
from lingctl.sandbox.tools.hccn_texts import CERTIFICATE, COUNTERS, LLDP, OPTICS
from lingctl.sandbox.tools.hccn_words import FAILED, UNSUPPORTED, Refusal, no_certificate, unknown_option

_DATE = "%a %b %e %H:%M:%S %Y"


def ask(node: NodeState, card: Card, name: str, rest: list[str]) -> int:
    """``-NAME -g ...``; prints the answer."""
    if name in _UNSUPPORTED:
        raise Refusal(UNSUPPORTED, 13, on_stdout=True)
    if name == "ping":
        return _ping(card, rest)
    if rest:
        raise unknown_option()
    print(QUERIES[name](node, card), end="")
    return 0


def _ip(node: NodeState, card: Card) -> str:
    if card.address is None:
        raise Refusal("Get ipconf failed, because no ip was preset there!", 13)
    return f"ipaddr:{card.address}\nnetmask:{card.netmask}\n"


def _net_health(node: NodeState, card: Card) -> str:
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
    return f"net health status: {state}\n"


def _gateway(node: NodeState, card: Card) -> str:
    if not card.gateway:
        raise Refusal("Get gateway failed, because no gateway was preset there!", 2)
    return f"default gateway:{card.gateway}, Iface:eth{card.id}\n"


def _tls(node: NodeState, card: Card) -> str:
    if not card.certificate:
        raise no_certificate()
    return (
        f"dev_id:{card.id}, tls switch[{card.tls}](0:disable, 1:enable), tls preconfigured[1]"
        f"(0:non-preset, 1:preset), tls alarm time threshold[60]days\n{CERTIFICATE.format(card=card.id)}\n"
    )


def _lldp(node: NodeState, card: Card) -> str:
    if card.link == "DOWN" or not card.lldp:
        return ""
    port = f"400GE1/{_number(node)}/{card.id // 2 + 1}:{card.id % 2 + 1}"
    return LLDP.format(number=_number(node), port=port) + "\n"


def _link_stat(node: NodeState, card: Card) -> str:
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
    lines = [
        f"current time        : {time.strftime(_DATE, time.localtime(now))}",
        f"link up count       : {count['UP']}",
        f"link down count     : {count['DOWN']}",
        "link change records :",
        *(
            f"    {time.strftime(_DATE, time.localtime(at))}    LINK {way}"
            for at, way in sorted(records, reverse=True)
        ),
    ]
    return "".join(f"{prefix}{line}\n" for line in lines)


def _stat(node: NodeState, card: Card) -> str:
    """Counters grow with time; those of trouble only where there is some."""
    lines = "packet statistics:\n"
    steady = int(time.time()) % 1_000_000
    for name in COUNTERS:
        trouble = re.search("pause|pfc|bad|err|cnp|unexpected|out_of_order|rty|ecn", name)
        value = 0 if trouble else steady
        if card.errors and name == "roce_new_pkt_rty_num":
            value = card.errors + 100 * steady
        lines += f"{name}:{value}\n"
    return lines


def _optical(node: NodeState, card: Card) -> str:
    received = "0.0001" if card.link == "DOWN" else "1.0189"
    lanes = range(4)
    return OPTICS.format(
        serial=_number(node) * 100 + card.id,
        powers="".join(
            f"Tx Power{lane}            : 1.4140 mW\nRx Power{lane}            : {received} mW\n"
            for lane in lanes
        ),
        biases="".join(f"Tx Bias{lane}             : 7.9360 mA\n" for lane in lanes),
        ratios="".join(f"Host SNR Lane{lane}       : not supported\n" for lane in lanes)
        + "".join(f"Media SNR Lane{lane}      : 22.1875 dB\n" for lane in lanes),
        lost="0xff" if card.link == "DOWN" else "0x0",
    )


def _route(node: NodeState, card: Card) -> str:
    rows = []
    if card.gateway:
        rows.append(("default", card.gateway, "0.0.0.0", "UG", f"eth{card.id}"))
    if card.address:
        octets = zip(card.address.split("."), card.netmask.split("."), strict=True)
        network = ".".join(str(int(a) & int(m)) for a, m in octets)
        rows.append((network, "*", card.netmask, "U", f"eth{card.id}"))
    rows.append(("127.0.0.1", "*", "255.255.255.255", "UH", "lo"))
    for reserved in ("192.168.1.0", "192.168.2.0"):
        rows.append((reserved, "*", "255.255.255.0", "U", f"end{card.id}v0"))
    title = "Routing table:\nDestination     Gateway         Genmask         Flags Metric Ref    Use Iface\n"
    return title + "".join("{:<16}{:<16}{:<16}{:<6}0      0        0 {}\n".format(*row) for row in rows)


def _number(node: NodeState) -> int:
    """The number in a node's name."""
    return int(re.sub(r"\D", "", node.name) or 1)


def _ping(card: Card, rest: list[str]) -> int:
    if rest[:1] != ["address"] or len(rest) not in (2, 4) or (len(rest) == 4 and rest[2] != "pkt"):
        raise unknown_option()
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


_UNSUPPORTED = ("fec", "hccs_ping")
QUERIES: Mapping[str, Callable[[NodeState, Card], str]] = {
    "ip": _ip,
    "link": lambda node, card: f"link status: {card.link}\n",
    "net_health": _net_health,
    "netdetect": lambda node, card: f"netdetect address: {card.netdetect}\n",
    "gateway": _gateway,
    "tls": _tls,
    "lldp": _lldp,
    "mtu": lambda node, card: f"mtu:{card.mtu}\n",
    "mac": lambda node, card: f"mac addr: bc:1e:85:00:{_number(node):02x}:{card.id:02x}\n",
    "link_stat": _link_stat,
    "speed": lambda node, card: "Speed: Unknown!\n" if card.link == "DOWN" else "Speed: 200000 Mb/s\n",
    "duplex": lambda node, card: "Duplex: Full\n",
    "stat": _stat,
    "optical": _optical,
    "vnic": lambda node, card: (
        f"vnic link status: UP\nvnic ipaddr: 192.168.2.{199 - card.id}\nvnic netmask: 255.255.255.0\n"
    ),
    "process": lambda node, card: "device hccp process: exist\n",
    "pfc": lambda node, card: "PFC configuration:\npriority   0 1 2 3 4 5 6 7\nenabled    0 0 0 0 1 0 0 0\n",
    "route": _route,
}
# Commands that an answer is emulated of, be it a refusal.
EMULATED = {*QUERIES, *_UNSUPPORTED, "ping"}
