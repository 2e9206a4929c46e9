"""What the emulated hccn_tool changes: the live values of a card, and hccn.conf with them."""

from __future__ import annotations

import ipaddress
import sys

from lingctl.sandbox.state import Card, NodeState, update_card, update_node
from lingctl.sandbox.tools.hccn_words import CONF, DONE, Refusal

# Networks of the cards' inner interfaces on an A2.
_RESERVED = [ipaddress.ip_network(text) for text in ("192.168.1.0/24", "192.168.2.0/24")]
_WARNING = (
    "[Warning] The currently loaded is a preset certificate, which has security risks."
    "It is recommended to configure a security certificate."
)


def set_value(node: NodeState, card: Card, name: str, rest: list[str]) -> int:
    """``-NAME -s ...``; prints the success line."""
    settings = {
        "tls": _tls,
        "ip": _ip,
        "link": _link,
        "netdetect": _netdetect,
        "gateway": _gateway,
        "mtu": _mtu,
    }
    if name not in settings:
        print(f"hccn_tool: setting -{name} is not emulated by the sandbox", file=sys.stderr)
        return 3
    settings[name](node, card, rest)
    print(DONE)
    return 0


def recover(node: NodeState, cards: list[Card]) -> int:
    """``-cfg recovery``: apply hccn.conf again."""
    if not CONF.exists():
        print("Cmd execute failed!", file=sys.stderr)
        print("Recovery failed. Check '/var/log/hccn_tool/hccn_config.log' for details.")
        return 1
    stated = dict(line.partition("=")[::2] for line in CONF.read_text().splitlines() if "=" in line)
    for card in cards:
        values: dict[str, object] = {"link": "UP"}
        for key in ("address", "netmask", "gateway", "netdetect"):
            if f"{key}_{card.id}" in stated:
                values[key] = stated[f"{key}_{card.id}"]
        if f"tls_enable_{card.id}" in stated:
            values["tls"] = int(stated[f"tls_enable_{card.id}"])
        _change(node, card, **values)
        print(f"dev:{card.id} recovery success")
    print(DONE)
    return 0


def _tls(node: NodeState, card: Card, rest: list[str]) -> None:
    if rest[:1] != ["enable"] or len(rest) not in (2, 3) or rest[1] not in ("0", "1"):
        raise Refusal("Get unknown option!", 3)
    if not card.certificate:
        raise Refusal("No certificate found, please set certs firstly!", 14)
    _change(node, card, tls=int(rest[1]))
    _persist(card, tls_enable=rest[1])
    if rest[1] == "1":
        print(_WARNING)


def _ip(node: NodeState, card: Card, rest: list[str]) -> None:
    if len(rest) != 4 or rest[0] != "address" or rest[2] != "netmask":
        raise Refusal("Get unknown option!", 3)
    address = _address(rest[1])
    if any(address in network for network in _RESERVED):
        raise Refusal("The ip address configured is conflicted!", 7)
    _address(rest[3])
    _change(node, card, address=rest[1], configured=rest[1], netmask=rest[3])
    _persist(card, address=rest[1], netmask=rest[3])


def _link(node: NodeState, card: Card, rest: list[str]) -> None:
    if rest not in (["up"], ["down"]):
        raise Refusal("Get unknown option!", 3)
    if rest == ["down"]:
        print("The link will be down, continue?(y/n)", flush=True)
        if sys.stdin.readline().strip() != "y":
            raise Refusal("Cmd execute failed!", 1)
    # A link that is down for want of a carrier stays down, whatever is set.
    if rest == ["down"] or "link-down" not in node.faults:
        _change(node, card, link=rest[0].upper())


def _netdetect(node: NodeState, card: Card, rest: list[str]) -> None:
    if len(rest) != 2 or rest[0] != "address":
        raise Refusal("Get unknown option!", 3)
    _address(rest[1])
    _change(node, card, netdetect=rest[1])
    _persist(card, netdetect=rest[1])


def _gateway(node: NodeState, card: Card, rest: list[str]) -> None:
    if len(rest) != 2 or rest[0] != "gateway":
        raise Refusal("Get unknown option!", 3)
    gateway = _address(rest[1])
    if card.address is None:
        raise Refusal("Unable to configure gateway, because ip is not configured!", 26)
    if gateway not in ipaddress.ip_interface(f"{card.address}/{card.netmask}").network:
        raise Refusal("The segment of configured gateway doesn't match that of the configured ip adress!", 8)
    _change(node, card, gateway=rest[1])
    _persist(card, gateway=rest[1])


def _mtu(node: NodeState, card: Card, rest: list[str]) -> None:
    if len(rest) != 2 or rest[0] != "value" or not rest[1].isdecimal():
        raise Refusal("Get unknown option!", 3)
    _change(node, card, mtu=int(rest[1]))
    _persist(card, mtu=rest[1])


def _address(text: str) -> ipaddress.IPv4Address:
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        raise Refusal("The ip address you configured is invalid!", 6) from None


def _change(node: NodeState, card: Card, **values: object) -> None:
    update_node(node.name, lambda state: update_card(state, card.id, **values))


def _persist(card: Card, **values: str) -> None:
    lines = CONF.read_text().splitlines() if CONF.exists() else []
    for key, value in values.items():
        name = f"{key}_{card.id}="
        if any(line.startswith(name) for line in lines):
            lines = [f"{name}{value}" if line.startswith(name) else line for line in lines]
        else:
            lines.append(f"{name}{value}")
    try:
        CONF.write_text("\n".join(lines) + "\n")
    except OSError:
        raise Refusal(
            "Write configurations to config file failed. User configurations cannot be persisted! "
            "pls check cmd run permission.",
            4,
        ) from None
