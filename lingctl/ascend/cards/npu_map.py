"""``npu-smi info -m``: which chip is which.

Three numberings meet in it: the NPU ID by which npu-smi itself is asked (on some servers the number of a
slot), the Chip Logic ID, and, with newer drivers, the Chip Phy-ID. In the vendor's document of npu-smi an NPU
ID of -1 means that the NPU is not available.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lingctl.ascend.unread import CUT_SHORT, Unread, is_number, of_whole, unread
from lingctl.remote.command import command
from lingctl.remote.probe import Answer

MAP = command("npu-smi", "info", "-m")
_ID = re.compile(r"-?[0-9]{1,9}|-")


@dataclass(frozen=True, slots=True)
class MappedChip:
    """One row of ``npu-smi info -m``; the management controllers are left out."""

    npu: int | None  # NPU ID; None where the tool says -1, which is its word for unavailable
    chip: int  # number within the package
    logic: int | None  # Chip Logic ID; None where the row or the driver has none
    physical: (
        int | None
    )  # Chip Phy-ID, the number of /dev and hccn_tool; None where the row or driver has none
    name: str


@of_whole
def read_map(seen: Answer) -> tuple[MappedChip, ...] | Unread:
    """``npu-smi info -m``: older drivers print no physical id, the 950 a slot id instead of a logic id."""
    lines = [line.strip() for line in seen.stdout.splitlines() if line.strip()]
    heads = [line for line in lines if line.startswith("NPU ID")]
    if len(heads) != 1 or lines[0] != heads[0]:
        return unread(seen)
    names = re.split(r"\s{2,}|\t", heads[0])
    if len(set(names)) != len(names) or not {"NPU ID", "Chip ID", "Chip Name"} <= set(names):
        return unread(seen, f"the columns are not understood: {heads[0][:100]}")
    chips: list[MappedChip] = []
    controllers: set[int | None] = set()
    for line in lines[1:]:
        words = line.split(None, len(names) - 1)
        row = dict(zip(names, words, strict=False))
        if len(words) != len(names) or not _ID.fullmatch(row["NPU ID"]) or not is_number(row["Chip ID"]):
            return unread(seen, f"a row is not understood: {line[:100]}")
        if row["Chip Name"].strip().lower() == "mcu":
            controllers.add(_id(row["NPU ID"]))
            continue
        others = {name: row[name] for name in ("Chip Logic ID", "Chip Phy-ID") if name in row}
        if not all(_ID.fullmatch(word) for word in others.values()):
            return unread(seen, f"a row is not understood: {line[:100]}")
        logic, physical = _id(others.get("Chip Logic ID", "-")), _id(others.get("Chip Phy-ID", "-"))
        chip = MappedChip(_id(row["NPU ID"]), int(row["Chip ID"]), logic, physical, row["Chip Name"].strip())
        if "Chip Phy-ID" in others and chip.npu is not None and physical is None:
            return unread(seen, f"a chip without a physical id: {line[:100]}")
        chips.append(chip)
    # Where packages have a controller, it is the last row of each.
    if chips and chips[-1].npu not in controllers and chips[0].npu in controllers:
        return unread(seen, CUT_SHORT)
    places = [(chip.npu, chip.chip) for chip in chips if chip.npu is not None]
    if len(set(places)) != len(places):
        return unread(seen, "a chip is listed twice")
    return tuple(chips) if chips else unread(seen, "no chip is listed")


def _id(word: str) -> int | None:
    """A number that names something; None for ``-`` and for what is below 0."""
    return int(word) if is_number(word) else None
