"""What to type, with the values that are known: a remedy can be pasted into a shell of the node it names.

A remedy is clauses between ``; ``. A clause is a command, words and a command after ``: ``, or words alone.
Where a value cannot be known (a free address of somebody's plan) the remedy says so in words; it never has
a word to be replaced. Spellings: the published hccn_tool (`hicann/driver`), a deployment note of MindIE on
Atlas 800I A2 (`-tls -s enable`, `-ip -s`).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from lingctl.ascend.scope import Scope


def tool(card: int, *words: str | int) -> str:
    """``hccn_tool -i CARD ...``."""
    return " ".join(map(str, ("hccn_tool", "-i", card, *words)))


def set_address(card: int, address: str, netmask: str) -> str:
    """Set address and mask; the tool writes both to hccn.conf."""
    return tool(card, "-ip", "-s", "address", address, "netmask", netmask)


def set_gateway(card: int, address: str) -> str:
    """Set the default route."""
    return tool(card, "-gateway", "-s", "gateway", address)


def set_netdetect(card: int, address: str) -> str:
    """Set the target of the card's own probe."""
    return tool(card, "-netdetect", "-s", "address", address)


def set_mtu(card: int, mtu: int | str) -> str:
    """Set the MTU."""
    return tool(card, "-mtu", "-s", "size", mtu)


def set_tls(card: int, switch: int | str) -> str:
    """Set the TLS switch."""
    return tool(card, "-tls", "-s", "enable", switch)


def restore(card: int) -> str:
    """Apply /etc/hccn.conf again."""
    return tool(card, "-cfg", "recovery")


def settings(card: int, live: Mapping[str, str], keys: Iterable[str]) -> list[str]:
    """The commands that set these keys of hccn.conf to the card's live values, and so write them there."""
    wanted, commands = set(keys), []
    if wanted & {"address", "netmask"} and {"address", "netmask"} <= set(live):
        commands.append(set_address(card, live["address"], live["netmask"]))
    for key, command in (
        ("gateway", set_gateway),
        ("netdetect", set_netdetect),
        ("mtu", set_mtu),
        ("tls_enable", set_tls),
    ):
        if key in wanted and key in live:
            commands.append(command(card, live[key]))
    return commands


def bring_image(scope: Scope, node: str) -> str:
    """Get the container image onto a node: from its registry, or from another machine."""
    program, image = scope.runtime.program, shlex.quote(scope.image)
    there = scope.node(node).address or node
    return (
        f"{program} pull {image}; or, without a network, bring it from a machine that has it: "
        f"{program} save {image} | ssh {there} {program} load"
    )


def clauses(*parts: str) -> str:
    """The parts that are not empty, as one remedy."""
    return "; ".join(part for part in parts if part)
