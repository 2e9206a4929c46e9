"""The cards' inner network: vNIC addresses. They repeat between servers, so they name no machine.

Source: the published hccn_tool (`hicann/driver`).
"""

from __future__ import annotations

from dataclasses import dataclass

from lingctl.ascend.unread import Unread, of_whole, the_one, unread
from lingctl.inventory.forms import is_address
from lingctl.remote.probe import Answer


@dataclass(frozen=True, slots=True)
class Vnic:
    """``-vnic -g``."""

    link: str
    address: str
    netmask: str


@of_whole
def read_vnic(seen: Answer) -> Vnic | Unread:
    """``-vnic -g``."""
    form = r"^vnic link status:\s*(UP|DOWN)\s*\nvnic ipaddr:\s*(\S+)\s*\nvnic netmask:\s*(\S+)\s*$"
    found = Vnic(*the_one(seen, form).groups())
    return found if is_address(found.address) else unread(seen)


def pod_address(server: int, die: int, device: int) -> str:
    """The vNIC address that a die of a super-pod must have (comments of the published hccn_tool source)."""
    return f"192.{server}.{2 + die}.{199 - device}"
