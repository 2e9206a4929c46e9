"""npu-smi: health and memory of the cards, and the super-pod's numbers of an A3.

Tables are split at ``|`` and then at blanks, never by fixed columns: these became wider at 26.0, ``Warning``
overflows its cell, and a 310P has no HBM column. Sources: captures of real servers, the published driver.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lingctl.ascend.unread import CUT_SHORT, Unread, is_number, of_whole, unread
from lingctl.remote.command import Command, command
from lingctl.remote.probe import Answer


@dataclass(frozen=True, slots=True)
class Chip:
    """One chip in the table of ``npu-smi info``."""

    npu: int  # the NPU id, by which npu-smi is asked; ``card_rows`` tells which card of /dev it is
    chip: int  # number within the package
    physical: int | None  # physical id, where the table has one (A3)
    name: str
    health: str  # ``OK``, ``Warning``, ``Alarm``, ``Critical`` or what else it says
    bus: str
    # hbm_used_mb, hbm_total_mb: memory; None on products without HBM
    hbm_used_mb: int | None = None
    hbm_total_mb: int | None = None
    # number of the chip among those that the driver found, where the table has one (310P)
    logic: int | None = None


@dataclass(frozen=True, slots=True)
class CardProcess:
    """A process that holds memory of a chip, in MB."""

    npu: int
    chip: int
    pid: int
    name: str
    memory_mb: int


@dataclass(frozen=True, slots=True)
class NpuTable:
    """``npu-smi info``."""

    tool: str  # version of npu-smi; may differ from the driver's
    driver: str  # version of the driver
    chips: tuple[Chip, ...]  # those that are listed; with ``whole`` false there may be more
    processes: tuple[CardProcess, ...] = ()
    installed: bool = True  # false where the tool warns that the driver package is not completely installed
    # whether the table is there to its end: of every chip that is listed it tells the processes too. Old
    # drivers print no processes; their table cannot be told from one that was cut.
    whole: bool = False


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


TABLE = command("npu-smi", "info")


def pod_command(npu: int, chip: int) -> Command:
    """Super-pod numbers of one die."""
    return command("npu-smi", "info", "-t", "spod-info", "-i", npu, "-c", chip)


def read_table(answer: Answer | None) -> NpuTable | Unread:
    """``npu-smi info``. Every row must be understood: one that is passed over may be a chip."""
    if answer is not None and answer.timed_out:
        return unread(answer)
    text = answer.stdout if answer else ""
    head = re.search(r"^\|\s*npu-smi (\S+)\s+Version: (\S+)\s*\|\s*$", text, re.MULTILINE)
    if answer is None or head is None or answer.exit_status != 0:
        return unread(answer)
    upper, titled, lower = _parts(text[head.end() :])
    if not upper:
        return unread(answer, CUT_SHORT)
    titled_id = re.match(r"\s*\|\s*Chip\s+(Phy-ID|Device)\b", upper[0])
    second_id = titled_id.group(1) if titled_id else ""
    has_hbm = "HBM-Usage" in upper[0]
    rows = [line for line in upper[1:] if not _is_border(line)]
    chips: list[Chip] = []
    for first, second in zip(rows[::2], rows[1::2], strict=False):
        chip = _chip(_cells(first), _cells(second), second_id, has_hbm)
        if chip is None:
            return unread(answer, f"a row of the table is not understood: {first.strip()[:80]}")
        chips.append(chip)
    if not chips:
        return unread(answer, "the table shows no card")
    if len(rows) % 2 or _twice(chips):
        return unread(answer, CUT_SHORT if len(rows) % 2 else "the table shows a card twice")
    processes, told = _processes(lower)
    complete = "may not be completely installed" not in answer.stdout
    # The tool closes each part with a border, and the processes of every NPU come after all chips.
    ended = titled and bool(lower) and _is_border(lower[-1]) and answer.stdout.endswith("\n")
    told_all = ended and {chip.npu for chip in chips} <= told
    return NpuTable(head.group(1), head.group(2), tuple(chips), processes, complete, told_all)


def _parts(text: str) -> tuple[list[str], bool, list[str]]:
    """The chips' lines, whether the processes' title came, and the lines after it. The first of the chips'
    lines is the title of both their rows."""
    lines = [line for line in text.splitlines() if line.strip()]
    second = next((n for n, line in enumerate(lines) if re.match(r"\|\s*Chip\s", line.strip())), None)
    if second is None or "AICore" not in lines[second]:
        return [], False, []
    end = next((n for n, line in enumerate(lines) if "Process id" in line), len(lines))
    return lines[second:end], end < len(lines), lines[end + 1 :]


def _is_border(line: str) -> bool:
    return re.fullmatch(r"\+[-=+]*\+", line.strip()) is not None


@of_whole
def read_pod(seen: Answer) -> PodPlace | Unread:
    """``npu-smi info -t spod-info``."""
    found = re.findall(
        r"^\s*(SDID|Super Pod Size|Super Pod ID|Server Index)\s*:\s*([0-9]{1,18})\s*$",
        seen.stdout,
        re.MULTILINE,
    )
    values = dict(found)
    if len(found) != 4 or len(values) != 4:
        return unread(seen)
    return PodPlace(
        *(int(values[name]) for name in ("SDID", "Super Pod Size", "Super Pod ID", "Server Index"))
    )


def _cells(line: str) -> list[list[str]]:
    text = line.strip()
    if not text.startswith("|") or not text.endswith("|"):
        return []
    return [cell.split() for cell in text.strip("|").split("|")]


def _twice(chips: list[Chip]) -> bool:
    """Whether a chip stands there twice, or a number that is one chip's alone."""
    columns: tuple[list[object], ...] = (
        [(chip.npu, chip.chip) for chip in chips],
        [chip.physical for chip in chips if chip.physical is not None],
    )
    return any(len(set(column)) < len(column) for column in columns)


def _chip(first: list[list[str]], second: list[list[str]], second_id: str, has_hbm: bool) -> Chip | None:
    """One chip from its two rows; None where they are not two rows of a chip."""
    if len(first) != 3 or len(second) != 3:
        return None
    ids = second[0]
    if len(first[0]) < 2 or not first[1] or not ids or not second[1]:
        return None
    if not is_number(first[0][0]) or not all(is_number(word) for word in ids[: 1 + bool(second_id)]):
        return None
    # Second row, last cell: AICore(%), then pairs of used / total; the second pair, if any, is the HBM's.
    pairs = re.findall(r"(?<![0-9])([0-9]{1,18})\s*/\s*([0-9]{1,18})(?![0-9])", " ".join(second[2]))
    if len(ids) < 1 + bool(second_id) or (has_hbm and len(pairs) < 2):
        return None
    hbm = pairs[1] if has_hbm else None
    return Chip(
        int(first[0][0]),
        int(ids[0]),
        int(ids[1]) if second_id == "Phy-ID" else None,
        " ".join(first[0][1:]),
        " ".join(first[1]),
        second[1][0],
        int(hbm[0]) if hbm else None,
        int(hbm[1]) if hbm else None,
        int(ids[1]) if second_id == "Device" else None,
    )


def _processes(lines: list[str]) -> tuple[tuple[CardProcess, ...], set[int]]:
    """The processes, and the NPUs of which something is said."""
    found: list[CardProcess] = []
    told: set[int] = set()
    for line in lines:
        cells = _cells(line)
        none = re.fullmatch(r"\|\s*No running processes found in NPU ([0-9]{1,18})\s*\|", line.strip())
        if none:
            told.add(int(none.group(1)))
        elif len(cells) == 4 and len(cells[0]) == 2 and cells[1] and cells[3]:
            numbers = (*cells[0], cells[1][0], cells[3][0])
            if all(is_number(word) for word in numbers):
                npu, chip, pid, memory = map(int, numbers)
                found.append(CardProcess(npu, chip, pid, " ".join(cells[2]), memory))
                told.add(npu)
    return tuple(found), told
