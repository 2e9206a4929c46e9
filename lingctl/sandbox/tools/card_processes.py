"""The processes that hold cards, as far as they can be seen from here: of the emulated MindIE, and of vLLM.

vLLM's workers run on this machine's processor and know of no card. The first worker that sees some cards is
taken for the first card's, and so on, as vllm-ascend counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MINDIE = re.compile(r"mindie_llm_backend(?:_connector)? .*--npu(?:_device_id)? (\d+)")
_VLLM = re.compile(r"VLLM::Worker\S*")


@dataclass(frozen=True)
class CardProcess:
    """One process on one card."""

    pid: int
    card: int
    name: str  # as npu-smi shows it, cut short


def card_processes(proc: Path = Path("/proc")) -> list[CardProcess]:
    """All of them, by process id."""
    found: list[CardProcess] = []
    taken: dict[tuple[str, ...], int] = {}
    for pid, title in sorted(_titles(proc)):
        mindie = _MINDIE.match(title)
        if mindie:
            found.append(CardProcess(pid, int(mindie[1]), "mindie_llm_bac"))
        elif _VLLM.fullmatch(title.rstrip()):
            cards = _cards(proc / str(pid))
            number = taken.get(cards, 0)
            taken[cards] = number + 1
            if number < len(cards):
                found.append(CardProcess(pid, int(cards[number]), title.rstrip()[:14]))
    return found


def _titles(proc: Path) -> Iterator[tuple[int, str]]:
    for path in proc.glob("[0-9]*/cmdline"):
        try:
            yield int(path.parent.name), path.read_bytes().split(b"\0")[0].decode(errors="replace")
        except OSError:
            continue


def _cards(process: Path) -> tuple[str, ...]:
    """The cards that a process sees, in their order."""
    try:
        names = [path.name.removeprefix("davinci") for path in (process / "root/dev").glob("davinci[0-9]*")]
    except OSError:
        return ()
    return tuple(sorted(names, key=int))
