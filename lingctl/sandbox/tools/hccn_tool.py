"""Emulated hccn_tool of an Atlas 800I A2: its words, streams and exit statuses.

Texts: captures from A2 servers where there are any, else the format strings of the published driver source.
A link that is down, a failed net_health and netdetect 0.0.0.0 all exit 0, as on the real tool.
"""

from __future__ import annotations

import fcntl
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lingctl.sandbox.state import (
    Card,
    ClusterState,
    NodeState,
    load_cluster,
    this_node,
    update_card,
    update_node,
)

_CONF = Path("/etc/hccn.conf")
_LOCK = "/run/hccn_tool.lock"
_DONE = "Cmd executed successfully!"
Query = Callable[[NodeState, Card, list[str]], int]


def main(words: list[str]) -> int:
    """Run one call; returns the exit status that the shell sees."""
    if len(words) < 3 or words[0] != "-i":
        print("The number of parameters is incorrect before the command.", file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("Permission denied!", file=sys.stderr)
        return 12
    lock = os.open(_LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("hccn_tool is busy, please try again.")
        return 11
    return _call(words)


def _call(words: list[str]) -> int:
    node = this_node()
    card = next((c for c in node.cards if str(c.id) == words[1] and c.present), None)
    if card is None:
        print("The device does not exist.", file=sys.stderr)
        return 4
    if "busy" in node.faults:
        update_node(node.name, lambda state: replace(state, faults=_without(state.faults, "busy")))
        print("hccn_tool is busy, please try again.")
        return 11
    if "slow-tools" in node.faults:
        time.sleep(float(node.faults["slow-tools"] or 0.1))
    if card.hang:
        # The real tool asks the card's health up to 300 times, one second apart.
        time.sleep(300)
        print("Get device health status failed!", file=sys.stderr)
        return 3
    name, rest = words[2].lstrip("-"), words[3:]
    if rest[:1] == ["-s"]:
        return _set(node, card, name, rest[1:])
    query = _QUERIES.get(name)
    if query is None or (rest[:1] != ["-g"] and name != "ping"):
        print(f"hccn_tool: -{name} is not emulated, or not an option", file=sys.stderr)
        return 3
    return query(node, card, rest[1:])


def _without(faults: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in faults.items() if key != name}


def _ip(node: NodeState, card: Card, rest: list[str]) -> int:
    if card.address is None:
        print("Get ipconf failed, because no ip was preset there!", file=sys.stderr)
        return 13
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
    else:
        state = "Success"
    print(f"net health status: {state}")
    return 0


def _netdetect(node: NodeState, card: Card, rest: list[str]) -> int:
    print(f"netdetect address: {card.netdetect}")
    return 0


def _gateway(node: NodeState, card: Card, rest: list[str]) -> int:
    if not card.gateway:
        print("Get gateway failed, because no gateway was preset there!", file=sys.stderr)
        return 2
    print(f"default gateway:{card.gateway}, Iface:eth{card.id}")
    return 0


def _tls(node: NodeState, card: Card, rest: list[str]) -> int:
    print(
        f"dev_id:{card.id}, tls switch[{card.tls}](0:disable, 1:enable), tls preconfigured[1]"
        "(0:non-preset, 1:preset), tls alarm time threshold[60]days"
    )
    return 0


def _lldp(node: NodeState, card: Card, rest: list[str]) -> int:
    if card.link == "DOWN" or "lldp-empty" in node.faults:
        return 0
    number = int(re.sub(r"\D", "", node.name) or 1)
    print(
        "Chassis ID TLV\n\tMAC: 00:00:5e:00:53:01\nPort ID TLV\n"
        f"\tIfname: 400GE1/{number}/{card.id // 2 + 1}:{card.id % 2 + 1}\nSystem Description TLV\n"
        "\tVersatile Routing Platform Software\nVRP (R) software, Version 8.211 (sandbox)\n\n"
        "System Capabilities TLV\n\tEnabled capabilities: Bridge, Router\nEnd of LLDPDU TLV"
    )
    return 0


def _mtu(node: NodeState, card: Card, rest: list[str]) -> int:
    print(f"mtu:{card.mtu}")
    return 0


def _link_stat(node: NodeState, card: Card, rest: list[str]) -> int:
    at, now = time.localtime(time.time() - 86_400), time.localtime()
    shape, prefix = "%a %b %e %H:%M:%S %Y", f"[devid {card.id}]"
    print(f"{prefix}current time        : {time.strftime(shape, now)}")
    print(f"{prefix}link up count       : 1\n{prefix}link down count     : {int(card.link == 'DOWN')}")
    print(f"{prefix}link change records :")
    if card.link == "DOWN":
        print(f"{prefix}    {time.strftime(shape, now)}    LINK DOWN")
    print(f"{prefix}    {time.strftime(shape, at)}    LINK UP")
    return 0


def _speed(node: NodeState, card: Card, rest: list[str]) -> int:
    print("Speed: Unknown!" if card.link == "DOWN" else "Speed: 200000 Mb/s")
    return 0


def _stat(node: NodeState, card: Card, rest: list[str]) -> int:
    names = ("mac_tx_total_pkt_num", "mac_rx_total_pkt_num", "mac_rx_fcs_err_pkt_num", "roce_new_pkt_rty_num")
    print("packet statistics:")
    for name in names:
        print(f"{name}:{0 if 'err' in name or 'rty' in name else 1000 + card.id}")
    return 0


def _ping(node: NodeState, card: Card, rest: list[str]) -> int:
    words = [word for word in rest if word != "-g"]
    if words[:1] != ["address"] or len(words) < 2:
        print("Command execute failed!", file=sys.stderr)
        return 1
    target = words[1]
    print(f"device {card.id} PING {target}")
    answered = _answers(load_cluster(), node, card, target)
    for number in range(3):
        print(f"recv seq={number},time=0.0{40 + number}000ms" if answered else f"recv time out seq={number}")
    received = 3 if answered else 0
    loss = 0 if answered else 100
    print(f"3 packets transmitted, {received} received, {loss:.2f}% packet loss")
    if not answered:
        print("Command execute failed!", file=sys.stderr)
    return 0 if answered else 1


def _answers(cluster: ClusterState, node: NodeState, card: Card, target: str) -> bool:
    if card.link == "DOWN" or card.address is None:
        return False
    if target == card.gateway:
        return True
    # Two cards with one address answer now one and now the other: such a target counts as silent.
    owners = [(n, c) for n in cluster.nodes for c in n.cards if c.address == target and c.present]
    mine = [c for n in cluster.nodes for c in n.cards if c.address == card.address and c.present]
    return len(owners) == 1 and len(mine) == 1 and owners[0][1].link == "UP"


def _set(node: NodeState, card: Card, name: str, rest: list[str]) -> int:
    if name == "tls" and len(rest) >= 2 and rest[0] == "enable" and rest[1] in ("0", "1"):
        update_node(node.name, lambda state: update_card(state, card.id, tls=int(rest[1])))
        _configure(f"tls_enable_{card.id}", rest[1])
        if rest[1] == "1":
            print("Warning: preset certificates are in use; replace them with your own.")
    elif name == "ip" and len(rest) == 4 and rest[0] == "address" and rest[2] == "netmask":
        values = {"address": rest[1], "configured": rest[1], "netmask": rest[3]}
        update_node(node.name, lambda state: update_card(state, card.id, **values))
        _configure(f"address_{card.id}", rest[1])
        _configure(f"netmask_{card.id}", rest[3])
    elif name == "link" and rest[:1] == ["up"]:
        update_node(node.name, lambda state: update_card(state, card.id, link="UP"))
    elif name == "netdetect" and len(rest) == 2:
        update_node(node.name, lambda state: update_card(state, card.id, netdetect=rest[1]))
        _configure(f"netdetect_{card.id}", rest[1])
    else:
        print(f"hccn_tool: setting -{name} {' '.join(rest)} is not emulated", file=sys.stderr)
        return 3
    print(_DONE)
    return 0


def _configure(key: str, value: str) -> None:
    lines = [line for line in _CONF.read_text().splitlines() if not line.startswith(f"{key}=")]
    _CONF.write_text("\n".join([*lines, f"{key}={value}"]) + "\n")


_QUERIES: dict[str, Query] = {
    "ip": _ip,
    "link": _link,
    "net_health": _net_health,
    "netdetect": _netdetect,
    "gateway": _gateway,
    "tls": _tls,
    "lldp": _lldp,
    "mtu": _mtu,
    "link_stat": _link_stat,
    "speed": _speed,
    "stat": _stat,
    "ping": _ping,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
