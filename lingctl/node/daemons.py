"""The processes of serving engines that run on this node."""

from __future__ import annotations

import os
import re
from typing import Iterator, List, NamedTuple, Optional

from lingctl.node.process import Process, process_numbers

# vLLM's parts call themselves VLLM::EngineCore, VLLM::Worker_TP0 and so on (0.32.0, seen).
_ENGINES = {
    "mindieservice_daemon": "MindIE",
    "mindie_llm_server": "MindIE",
    "mindie_llm_backend_connector": "MindIE",
    "vllm": "vLLM",
}
_VLLM_PART = "VLLM::"
_INTERPRETER = re.compile(r"(python[0-9.]*|bash|dash|sh)$")
_LONGEST = 120


class Daemon(NamedTuple):
    """A process of an engine."""

    engine: str  # MindIE or vLLM
    program: str  # its name
    pid: int  # its number, as seen here
    user: str  # who runs it
    command: str  # its command line, not longer than a line
    uses: Optional[bool]  # whether it uses the tree in question; None where that cannot be told
    why: str  # what shows it

    def __str__(self) -> str:
        why = f"; {self.why}" if self.why else ""
        return f"{self.program} (pid {self.pid}) of {self.user}: {self.command}{why}"


def running_daemons() -> List[Daemon]:
    """All processes of engines on this system, and those that may be; those of another container are not."""
    return [daemon for daemon in all_daemons() if _same_system(daemon.pid)]


def all_daemons() -> Iterator[Daemon]:
    """All processes of engines that are seen here, in whatever container; ``uses`` is not told yet."""
    for pid in process_numbers():
        process = Process(pid)
        try:
            words = process.words()
            program = _program(words)
            if program:
                engine, told = _ENGINES.get(program, "vLLM"), " ".join(words)[:_LONGEST]
                yield Daemon(engine, program, pid, process.user(), told, None, "")
        except OSError:
            continue  # it ended


def _program(words: List[str]) -> str:
    """Which program of an engine a command line runs; empty where it is another."""
    first = [os.path.basename(word) for word in words[:1]]
    if first and _INTERPRETER.match(first[0]):
        first += [os.path.basename(word) for word in words[1:] if not word.startswith("-")][:1]
    return next((name for name in first if name in _ENGINES or name.startswith(_VLLM_PART)), "")


def _same_system(pid: int) -> bool:
    try:
        theirs, ours = os.stat(f"/proc/{pid}/root/"), os.stat("/")
    except PermissionError:
        return True  # of a container or not, it may be: what cannot be told is not absent
    except OSError:
        return False  # it ended
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)
