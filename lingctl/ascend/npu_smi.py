"""npu-smi: health and memory of the cards, and the super-pod's numbers of an A3.

Tables are split at ``|`` and then at blanks, never by fixed columns: these became wider at 26.0, ``Warning``
overflows its cell, and a 310P has no HBM column. Sources: captures of real servers, the published driver.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lingctl.ascend.unread import Unread, refusal, unread
from lingctl.remote.command import Command, command
from lingctl.remote.probe import Answer


@dataclass(frozen=True, slots=True)
class Chip:
    """One chip in the table of ``npu-smi info``.

    Attributes:
        npu: the NPU id; the physical id too where a package holds one chip (A1, A2).
        chip: number within the package.
        physical: physical id, where the table has one (A3).
        health: ``OK``, ``Warning``, ``Alarm``, ``Critical`` or what else it says.
        hbm_used_mb, hbm_total_mb: memory; None on products without HBM.
    """

    npu: int
    chip: int
    physical: int | None
    name: str
    health: str
    bus: str
    hbm_used_mb: int | None = None
    hbm_total_mb: int | None = None

    @property
    def card(self) -> int:
        """The id that hccn_tool and /dev use."""
        return self.npu if self.physical is None else self.physical


@dataclass(frozen=True, slots=True)
class Process:
    """A process that holds memory of a chip, in MB."""

    npu: int
    chip: int
    pid: int
    name: str
    memory_mb: int


@dataclass(frozen=True, slots=True)
class NpuTable:
    """``npu-smi info``.

    Attributes:
        tool: version of npu-smi; may differ from the driver's.
        driver: version of the driver.
        installed: false where the tool warns that the driver package is not completely installed.
    """

    tool: str
    driver: str
    chips: tuple[Chip, ...]
    processes: tuple[Process, ...] = ()
    installed: bool = True


@dataclass(frozen=True, slots=True)
class MappedChip:
    """One row of ``npu-smi info -m``; the management controllers are left out."""

    npu: int
    chip: int
    physical: int | None
    name: str


@dataclass(frozen=True, slots=True)
class PodPlace:
    """``npu-smi info -t spod-info``: where a die stands in its super-pod. 0 is a valid pod id."""

    sdid: int
    size: int
    pod: int
    server: int

    @property
    def decoded(self) -> tuple[int, int, int, int]:
        """(server, chip, die, device) of the SDID: server << 22 | chip << 18 | die << 16 | device."""
        return self.sdid >> 22, self.sdid >> 18 & 0xF, self.sdid >> 16 & 0x3, self.sdid & 0xFFFF


def table_command() -> Command:
    """The whole table."""
    return command("npu-smi", "info")


def map_command() -> Command:
    """Which chip is which."""
    return command("npu-smi", "info", "-m")


def pod_command(npu: int, chip: int) -> Command:
    """Super-pod numbers of one die."""
    return command("npu-smi", "info", "-t", "spod-info", "-i", npu, "-c", chip)


def read_table(answer: Answer | None) -> NpuTable | Unread:
    """``npu-smi info``."""
    if answer is None:
        return unread(answer)
    head = re.search(r"^\|\s*npu-smi (\S+)\s+Version: (\S+)\s*\|\s*$", answer.stdout, re.MULTILINE)
    if head is None or answer.exit_status != 0:
        return unread(answer)
    chips: list[Chip] = []
    processes: list[Process] = []
    first: list[list[str]] | None = None
    has_physical = bool(re.search(r"^\|\s*Chip\s+Phy-ID", answer.stdout, re.MULTILINE))
    in_processes = False
    for line in answer.stdout.splitlines():
        cells = _cells(line)
        if len(cells) == 4 and cells[1] == ["Process", "id"]:
            in_processes = True
        elif in_processes:
            processes += _process(cells)
        elif len(cells) == 3 and cells[0][:1] and cells[0][0].isdigit():
            if first is None:
                first = cells
            else:
                chip = _chip(first, cells, has_physical)
                if chip is None:
                    return unread(answer, f"a row of the table is not understood: {line[:100]}")
                chips.append(chip)
                first = None
    if not chips:
        return unread(answer, "the table shows no card")
    complete = "may not be completely installed" not in answer.stdout
    return NpuTable(head.group(1), head.group(2), tuple(chips), tuple(processes), complete)


def read_map(answer: Answer | None) -> tuple[MappedChip, ...] | Unread:
    """``npu-smi info -m``: older drivers print no physical id, the 950 a slot id instead of a logic id."""
    if answer is None:
        return unread(answer)
    if refused := refusal(answer):
        return refused
    lines = [line.strip() for line in answer.stdout.splitlines() if line.strip()]
    heads = [line for line in lines if line.startswith("NPU ID")]
    if len(heads) != 1 or lines[0] != heads[0] or answer.exit_status != 0:
        return unread(answer)
    names = re.split(r"\s{2,}", heads[0])
    chips: list[MappedChip] = []
    for line in lines[1:]:
        words = line.split(None, len(names) - 1)
        row = dict(zip(names, words, strict=False))
        if len(words) != len(names) or not row["NPU ID"].isdigit() or not row.get("Chip ID", "").isdigit():
            return unread(answer, f"a row is not understood: {line[:100]}")
        if row["Chip Name"].strip().lower() == "mcu":
            continue
        physical = row.get("Chip Phy-ID", "")
        chips.append(
            MappedChip(
                int(row["NPU ID"]),
                int(row["Chip ID"]),
                int(physical) if physical.isdigit() else None,
                row["Chip Name"].strip(),
            )
        )
    return tuple(chips) if chips else unread(answer, "no chip is listed")


def read_pod(answer: Answer | None) -> PodPlace | Unread:
    """``npu-smi info -t spod-info``."""
    if answer is None:
        return unread(answer)
    if refused := refusal(answer):
        return refused
    found = re.findall(
        r"^\s*(SDID|Super Pod Size|Super Pod ID|Server Index)\s*:\s*(\d+)\s*$", answer.stdout, re.MULTILINE
    )
    values = dict(found)
    if len(found) != 4 or len(values) != 4 or answer.exit_status != 0:
        return unread(answer)
    return PodPlace(
        *(int(values[name]) for name in ("SDID", "Super Pod Size", "Super Pod ID", "Server Index"))
    )


def _cells(line: str) -> list[list[str]]:
    text = line.strip()
    if not text.startswith("|") or not text.endswith("|"):
        return []
    return [cell.split() for cell in text.strip("|").split("|")]


def _chip(first: list[list[str]], second: list[list[str]], has_physical: bool) -> Chip | None:
    # Second row, last cell: AICore(%), then pairs of used / total; the second pair, if any, is the HBM's.
    pairs = re.findall(r"(\d+)\s*/\s*(\d+)", " ".join(second[2]))
    ids = second[0]
    if len(first[0]) < 2 or not first[1] or not ids or not ids[0].isdigit() or not second[1]:
        return None
    if has_physical and (len(ids) < 2 or not ids[1].isdigit()):
        return None
    hbm = pairs[1] if len(pairs) > 1 else None
    return Chip(
        int(first[0][0]),
        int(ids[0]),
        int(ids[1]) if has_physical else None,
        " ".join(first[0][1:]),
        " ".join(first[1]),
        second[1][0],
        int(hbm[0]) if hbm else None,
        int(hbm[1]) if hbm else None,
    )


def _process(cells: list[list[str]]) -> list[Process]:
    if len(cells) != 4 or len(cells[0]) != 2 or not cells[1] or not cells[3]:
        return []
    numbers = (*cells[0], cells[1][0], cells[3][0])
    if not all(word.isdigit() for word in numbers):
        return []
    npu, chip, pid, memory = map(int, numbers)
    return [Process(npu, chip, pid, " ".join(cells[2]), memory)]
