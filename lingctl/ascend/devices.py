"""How many cards there are: by PCI, by /dev, and what generation they are."""

from __future__ import annotations

import re
from typing import Literal

from lingctl.ascend.unread import Unread, closing, of_closed, unread
from lingctl.assets import shell
from lingctl.remote.probe import Answer

CardGeneration = Literal["A1", "A2", "A3", "950", "310", ""]
# PCI device ids of Huawei (19e5): the published hccn_tool's own table.
_GENERATIONS: dict[str, CardGeneration] = {
    "d801": "A1",
    "d802": "A2",
    "d803": "A3",
    "d806": "950",
    "d500": "310",
    "d100": "310",
}
# lspci is not everywhere; /sys says the same. The count tells "none" from "not readable".
PCI = closing(shell("ask/pci"))
DEV = closing("ls /dev | grep '^davinci[0-9]' || true")


@of_closed
def read_dev(seen: Answer) -> tuple[int, ...] | Unread:
    """Physical ids below /dev, in order of numbers."""
    if seen.stderr:
        return unread(seen)
    words = [word for word in seen.stdout.split() if not word.endswith("davinci_manager")]
    found = [re.fullmatch(r"(?:/dev/)?davinci([0-9]{1,2})", word) for word in words]
    if not all(found):
        return unread(seen)
    return tuple(sorted(int(match.group(1)) for match in found if match))


@of_closed
def read_pci(seen: Answer) -> tuple[str, ...] | Unread:
    """PCI device id of each card, e.g. ``d802``; from our own listing or from ``lspci``.

    A bus without any device that can be read (a container, an emulation) is unread and not zero cards.
    """
    ids = re.findall(r"^\S+ Processing accelerators: .*Device (d[158]0\d)\b.*$", seen.stdout, re.MULTILINE)
    total = re.search(r"^pci devices: ([0-9]{1,18})$", seen.stdout, re.MULTILINE)
    if ids or (total and int(total.group(1)) > 0):
        return tuple(ids)
    return Unread("unsupported", "the PCI bus cannot be read here")


def generation(pci: tuple[str, ...] | Unread) -> CardGeneration:
    """The generation by PCI ids; empty when they do not tell."""
    kinds = set() if isinstance(pci, Unread) else {_GENERATIONS.get(device, "") for device in pci}
    return kinds.pop() if len(kinds) == 1 else ""
