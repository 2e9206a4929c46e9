"""What the emulated hccn_tool changes: the live values of a card, and hccn.conf with them.

Words, orders and ranges: the published driver (`hicann/driver`, ascend910B/hccn_tool). What it lists of a
command's parameters after some refusals is left out.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Callable, Mapping

from lingctl.sandbox.state import Card, NodeState, update_card, update_node
from lingctl.sandbox.tools.hccn_words import (
    CONF,
    DONE,
    FAILED,
    Refusal,
    no_certificate,
    unknown_option,
    wrong_count,
)

# Networks of the cards' inner interfaces on an A2.
_RESERVED = [ipaddress.ip_network(text) for text in ("192.168.1.0/24", "192.168.2.0/24")]
_EVERYBODY = ipaddress.IPv4Address("255.255.255.255")
_NOBODY = ipaddress.IPv4Address("0.0.0.0")
_MTU = range(68, 9702 + 1)
_LEAST_MTU_OF_IPV6 = 1280
_PRESET = (
    "[Warning] The currently loaded is a preset certificate, which has security risks."
    "It is recommended to configure a security certificate."
)
_LINK_DOWN = "[WARNING] This link down command will result in the loss of the IPv6 address, continue?"
_SMALL_MTU = (
    "[WARNING] The minimum limit of mtu in IPv6 protocol is 1280 bytes. If the mtu is configured to be less "
    "than 1280, it will result in the loss of IPv6 addresses and the inability to use the IPv6 protocol.\n"
    "Are you sure you want to continue?"
)
_SEE_LOG = "Check '/var/log/hccn_tool/hccn_config.log' for details."
# What recovery takes from hccn.conf: texts, and numbers with the field of a card's state.
_TEXTS, _NUMBERS = ("address", "netmask", "gateway", "netdetect"), {"mtu": "mtu", "tls_enable": "tls"}


def set_value(node: NodeState, card: Card, name: str, rest: list[str]) -> int:
    """``-NAME -s ...``; prints the success line."""
    if name in _PAIRS:
        names, setting = _PAIRS[name]
        if len(rest) != 2 * len(names):
            raise wrong_count()
        if sorted(rest[::2]) != sorted(names):
            raise unknown_option()
        setting(node, card, **dict(zip(rest[::2], rest[1::2], strict=True)))
    elif name == "link":
        _link(node, card, rest)
    elif name == "tls" and rest[:1] == ["enable"] and rest[2:] != ["host"]:
        _tls(node, card, rest[1:])
    else:
        print(f"hccn_tool: setting -{name} {' '.join(rest)} is not emulated by the sandbox", file=sys.stderr)
        return 3
    print(DONE)
    return 0


def recover(node: NodeState, cards: list[Card], *, every: bool) -> int:
    """``-cfg recovery``: apply hccn.conf again.

    Args:
        every: whether it is asked for by ``-a``, which tells of each card.
    """
    if not CONF.exists():
        print(f"Recovery failed. {_SEE_LOG}")
        raise Refusal(
            "The hccn.conf can't access, cmd execute failed! pls check the conf file or cmd run permission.",
            29,
        )
    done = [_recovered(node, card) for card in cards]
    for card, well in zip(cards, done, strict=True):
        if every:
            said = "success" if well else "fail"
            print(f"dev:{card.id} recovery {said}", file=sys.stdout if well else sys.stderr)
    if not all(done):
        print(f"Recovery failed. {_SEE_LOG}")
        raise Refusal(FAILED if every else "Cmd execute failed!", 1)
    print(DONE)
    return 0


def _recovered(node: NodeState, card: Card) -> bool:
    """Give a card what hccn.conf names; whether all of it could be done."""
    lines = CONF.read_text().splitlines() if CONF.exists() else []
    every = dict(line.partition("=")[::2] for line in lines)
    own = {
        key.removesuffix(f"_{card.id}"): text for key, text in every.items() if key.endswith(f"_{card.id}")
    }
    values: dict[str, object] = {key: own[key] for key in _TEXTS if key in own}
    values |= {field: int(own[key]) for key, field in _NUMBERS.items() if key in own}
    if not card.certificate:
        values.pop("tls", None)
    _change(node, card, **values)
    return card.certificate or "tls_enable" not in own


def _tls(node: NodeState, card: Card, rest: list[str]) -> None:
    if len(rest) == 2:
        raise Refusal("The host flag should be the last config item!", 29)
    if len(rest) != 1:
        raise wrong_count()
    if rest[0] not in ("0", "1"):
        raise Refusal("Get invalid enable value!", 16)
    if not card.certificate:
        raise no_certificate()
    if rest[0] == "1":
        print(_PRESET)
    _change(node, card, tls=int(rest[0]))
    _persist(card, tls_enable=rest[0])


def _ip(node: NodeState, card: Card, address: str, netmask: str) -> None:
    """A gateway that the new network does not reach is lost, with its line of hccn.conf."""
    own, mask = _address(address), int(_address(netmask))
    if any(own in network for network in _RESERVED):
        raise Refusal("The ip address configured is conflicted!", 7)
    if own in (_NOBODY, _EVERYBODY) or mask | (mask - 1) & 0xFFFFFFFF != 0xFFFFFFFF:
        raise _invalid()
    _change(node, card, address=address, configured=address, netmask=netmask)
    _persist(card, address=address, netmask=netmask)
    if card.gateway and not _one_network(address, card.gateway, netmask):
        _change(node, card, gateway="")
        _persist(card, gateway=None)


def _link(node: NodeState, card: Card, rest: list[str]) -> None:
    if rest not in (["up"], ["down"]):
        raise unknown_option() if rest else wrong_count()
    if rest == ["down"]:
        _ask(_LINK_DOWN)
        _change(node, card, link="DOWN")
        return
    # A link that is down for want of a carrier stays down, whatever is set.
    if "link-down" not in node.faults:
        _change(node, card, link="UP")
    if not _recovered(node, card):
        print(f"Link up executed, but recovery failed, please {_SEE_LOG[0].lower()}{_SEE_LOG[1:]}")
        raise Refusal("Cmd execute failed!", 1)


def _netdetect(node: NodeState, card: Card, address: str) -> None:
    if _address(address) == _EVERYBODY:
        raise Refusal("Can not config broadcast address!", 37)
    _change(node, card, netdetect=address)
    _persist(card, netdetect=address)


def _gateway(node: NodeState, card: Card, gateway: str) -> None:
    if card.address is None:
        raise Refusal("Unable to configure gateway, because ip is not configured!", 26)
    _address(gateway)
    if not _one_network(card.address, gateway, card.netmask):
        raise Refusal("The segment of configured gateway doesn't match that of the configured ip adress!", 8)
    _change(node, card, gateway=gateway)
    _persist(card, gateway=gateway)


def _mtu(node: NodeState, card: Card, size: str) -> None:
    if not size.isdecimal():
        raise Refusal("Get invalid parameters!", 1)
    if int(size) not in _MTU:
        raise Refusal("The value of mtu you input is out of the valid range!", 13)
    if int(size) < _LEAST_MTU_OF_IPV6:
        _ask(_SMALL_MTU)
    _change(node, card, mtu=int(size))
    _persist(card, mtu=size)


# Settings of named values, each name before its value.
_PAIRS: Mapping[str, tuple[tuple[str, ...], Callable[..., None]]] = {
    "ip": (("address", "netmask"), _ip),
    "netdetect": (("address",), _netdetect),
    "gateway": (("gateway",), _gateway),
    "mtu": (("size",), _mtu),
}


def _ask(question: str) -> None:
    """Go on only where a ``y`` and nothing else is typed."""
    print(f"{question}(y/n)", flush=True)
    if sys.stdin.readline() not in ("y\n", "Y\n"):
        raise Refusal("User aborts command.", 22, on_stdout=True)


def _invalid() -> Refusal:
    return Refusal("The ip address you configured is invalid!", 6)


def _address(text: str) -> ipaddress.IPv4Address:
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        raise _invalid() from None


def _one_network(one: str, other: str, netmask: str) -> bool:
    first, second, mask = (int(ipaddress.IPv4Address(text)) for text in (one, other, netmask))
    return first & mask == second & mask


def _change(node: NodeState, card: Card, **values: object) -> None:
    update_node(node.name, lambda state: update_card(state, card.id, **values))


def _persist(card: Card, **values: str | None) -> None:
    """Write lines of hccn.conf; without a value one goes."""
    lines = CONF.read_text().splitlines() if CONF.exists() else []
    for key, value in values.items():
        name = f"{key}_{card.id}="
        place = next((n for n, line in enumerate(lines) if line.startswith(name)), len(lines))
        lines[place : place + 1] = [] if value is None else [f"{name}{value}"]
    try:
        CONF.write_text("".join(f"{line}\n" for line in lines))
    except OSError:
        raise Refusal(
            "Write configurations to config file failed. User configurations cannot be persisted! "
            "pls check cmd run permission.",
            4,
        ) from None
