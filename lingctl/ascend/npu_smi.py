"""npu-smi: health and memory of the cards, and the super-pod's numbers of an A3.

Tables are split at ``|`` and then at blanks, never by fixed columns: these became wider at 26.0, ``Warning``
overflows its cell, and a 310P has no HBM column. Sources: captures of real servers, the published driver.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lingctl.ascend.unread import CUT_SHORT, Unread, unread, whole
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
class CardProcess:
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
        chips: those that are listed; with ``whole`` false there may be more.
        installed: false where the tool warns that the driver package is not completely installed.
        whole: whether the table is there to its end: of every chip that is listed it tells the processes too.
            Old drivers print no processes; their table cannot be told from one that was cut.
    """

    tool: str
    driver: str
    chips: tuple[Chip, ...]
    processes: tuple[CardProcess, ...] = ()
    installed: bool = True
    whole: bool = False


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
    has_physical = bool(re.search(r"^\|\s*Chip\s+Phy-ID", upper[0], re.MULTILINE))
    has_hbm = "HBM-Usage" in upper[0]
    rows = [line for line in upper[1:] if not _is_border(line)]
    chips: list[Chip] = []
    for first, second in zip(rows[::2], rows[1::2], strict=False):
        chip = _chip(_cells(first), _cells(second), has_physical, has_hbm)
        if chip is None:
            return unread(answer, f"a row of the table is not understood: {first.strip()[:80]}")
        chips.append(chip)
    if not chips:
        return unread(answer, "the table shows no card")
    if len(rows) % 2 or len({chip.card for chip in chips}) < len(chips):
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


def read_map(answer: Answer | None) -> tuple[MappedChip, ...] | Unread:
    """``npu-smi info -m``: older drivers print no physical id, the 950 a slot id instead of a logic id."""
    seen = whole(answer)
    if isinstance(seen, Unread):
        return seen
    lines = [line.strip() for line in seen.stdout.splitlines() if line.strip()]
    heads = [line for line in lines if line.startswith("NPU ID")]
    if len(heads) != 1 or lines[0] != heads[0]:
        return unread(seen)
    names = re.split(r"\s{2,}", heads[0])
    chips: list[MappedChip] = []
    controllers: set[int] = set()
    for line in lines[1:]:
        words = line.split(None, len(names) - 1)
        row = dict(zip(names, words, strict=False))
        if len(words) != len(names) or not _number(row["NPU ID"]) or not _number(row.get("Chip ID", "")):
            return unread(seen, f"a row is not understood: {line[:100]}")
        if row["Chip Name"].strip().lower() == "mcu":
            controllers.add(int(row["NPU ID"]))
            continue
        physical = row.get("Chip Phy-ID")
        if physical is not None and not _number(physical):
            return unread(seen, f"a chip without a physical id: {line[:100]}")
        chips.append(
            MappedChip(
                int(row["NPU ID"]),
                int(row["Chip ID"]),
                None if physical is None else int(physical),
                row["Chip Name"].strip(),
            )
        )
    # Where packages have a controller, it is the last row of each.
    if chips and chips[-1].npu not in controllers and chips[0].npu in controllers:
        return unread(seen, CUT_SHORT)
    return tuple(chips) if chips else unread(seen, "no chip is listed")


def read_pod(answer: Answer | None) -> PodPlace | Unread:
    """``npu-smi info -t spod-info``."""
    seen = whole(answer)
    if isinstance(seen, Unread):
        return seen
    found = re.findall(
        r"^\s*(SDID|Super Pod Size|Super Pod ID|Server Index)\s*:\s*([0-9]+)\s*$", seen.stdout, re.MULTILINE
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


def _chip(first: list[list[str]], second: list[list[str]], has_physical: bool, has_hbm: bool) -> Chip | None:
    """One chip from its two rows; None where they are not two rows of a chip."""
    if len(first) != 3 or len(second) != 3:
        return None
    ids = second[0]
    if len(first[0]) < 2 or not first[1] or not ids or not second[1]:
        return None
    if not _number(first[0][0]) or not all(_number(word) for word in ids[: 1 + has_physical]):
        return None
    # Second row, last cell: AICore(%), then pairs of used / total; the second pair, if any, is the HBM's.
    pairs = re.findall(r"([0-9]+)\s*/\s*([0-9]+)", " ".join(second[2]))
    if len(ids) < 1 + has_physical or (has_hbm and len(pairs) < 2):
        return None
    hbm = pairs[1] if has_hbm else None
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


def _processes(lines: list[str]) -> tuple[tuple[CardProcess, ...], set[int]]:
    """The processes, and the NPUs of which something is said."""
    found: list[CardProcess] = []
    told: set[int] = set()
    for line in lines:
        cells = _cells(line)
        none = re.fullmatch(r"\|\s*No running processes found in NPU ([0-9]+)\s*\|", line.strip())
        if none:
            told.add(int(none.group(1)))
        elif len(cells) == 4 and len(cells[0]) == 2 and cells[1] and cells[3]:
            numbers = (*cells[0], cells[1][0], cells[3][0])
            if all(_number(word) for word in numbers):
                npu, chip, pid, memory = map(int, numbers)
                found.append(CardProcess(npu, chip, pid, " ".join(cells[2]), memory))
                told.add(npu)
    return tuple(found), told


def _number(word: str) -> bool:
    """Whether it is a number as the tools print ids: no sign, and no digits of other scripts."""
    return re.fullmatch(r"[0-9]{1,9}", word) is not None
