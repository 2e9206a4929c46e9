"""The cards' inner network: vNIC addresses. They repeat between servers, so they name no machine.

Source: the published hccn_tool (`hicann/driver`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lingctl.ascend.unread import Unread, unread, whole
from lingctl.inventory.forms import is_address
from lingctl.remote.probe import Answer


@dataclass(frozen=True, slots=True)
class Vnic:
    """``-vnic -g``."""

    link: str
    address: str
    netmask: str


def read_vnic(answer: Answer | None) -> Vnic | Unread:
    """``-vnic -g``."""
    seen = whole(answer)
    if isinstance(seen, Unread):
        return seen
    found = re.findall(
        r"^vnic link status:\s*(UP|DOWN)\s*\nvnic ipaddr:\s*(\S+)\s*\nvnic netmask:\s*(\S+)\s*$",
        seen.stdout,
        re.MULTILINE,
    )
    if len(found) != 1 or not is_address(found[0][1]):
        return unread(seen, "several answers in one" if len(found) > 1 else "")
    return Vnic(*found[0])


def pod_address(server: int, die: int, device: int) -> str:
    """The vNIC address that a die of a super-pod must have (comments of the published hccn_tool source)."""
    return f"192.{server}.{2 + die}.{199 - device}"
