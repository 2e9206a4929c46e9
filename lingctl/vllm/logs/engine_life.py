"""How far a daemon of vLLM came, and how its end began, as its console tells. Pure.

The words are those of 0.32.0, seen on one node and on two; older ones are read in public logs. Its processes
print into one console: the server (``APIServer``), the engine (``EngineCore``) and the workers (``Worker``),
each line of their loggers with the process in front; what goes to standard error has nothing in front.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from lingctl.engine.words.first_errors import without_head
from lingctl.engine.words.log_lines import LogLine
from lingctl.engine.words.milestones import LONGEST_WORDS, frame_before, milestones_in
from lingctl.engine.words.relevance import Lived
from lingctl.vllm.logs.console import LOADED


class EngineStage(IntEnum):
    """The last thing that a daemon is known to have reached."""

    UNKNOWN = 0
    BEGUN = 1  # it reads its command line and config.json
    CONFIGURED = 2  # these were taken; the engine is started
    ENGINE = 3  # workers are started, and meet those of other nodes
    WORKERS = 4  # they load the model
    LOADED = 5  # the weights are there; the cache and graphs are next
    SERVING = 6


EngineEndKind = Literal["stopped", "worker-lost", "engine-lost", "engine-dead"]

_MILESTONES: tuple[tuple[str, EngineStage], ...] = (
    (LOADED, EngineStage.SERVING),
    ("Starting vLLM server on", EngineStage.LOADED),
    ("Starting vLLM API server", EngineStage.LOADED),
    ("KV cache size", EngineStage.LOADED),
    ("Loading weights took", EngineStage.LOADED),
    ("Starting to load model", EngineStage.WORKERS),
    ("distributed_init_method=", EngineStage.ENGINE),
    ("Initializing a V1 LLM engine", EngineStage.ENGINE),
    ("Resolved architecture", EngineStage.CONFIGURED),
    ("non-default args", EngineStage.BEGUN),
)
# A stop that was asked for. Newer servers say so themselves; of older ones uvicorn's line is the only one,
# and it stands behind an engine's death too.
_STOP = re.compile(r"\[shutdown\] API server: shutdown triggered|Received signal \d+")
# An engine is told to end by its server, and the workers of a node without one by their parent: because that
# was asked to, or because it failed itself.
_TOLD_TO_END = re.compile(
    r"trigger received signal=SIG(?:TERM|INT)"
    r"|^\(MainProcess pid=\d+\) .{0,120}\[shutdown\] Executor: waiting for worker exit"
)
_ANY_SHUTDOWN = re.compile(r"^(?:\([^()]*\)\s*)?INFO:\s+Shutting down$")
_WORKER_LOST = re.compile(
    r"Worker proc (\S+) died unexpectedly(?: \(exit code: (-?\d+|None)\))?|rank=\S+ died unexpectedly"
)
_ENGINE_LOST = re.compile(r"Engine core proc(?:ess)? \w+ died unexpectedly")
_ENGINE_DEAD = re.compile(r"\bEngineDeadError\b|AsyncLLM output_handler failed")
_PROCESS = re.compile(r"^\((\w+?)(?:[_ ][A-Z]\w+|-\d+)? (?:rank=\d+ )?pid=\d+\)|^\[rank\d+\]")
_EXCEPTION = re.compile(r"^((?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit))(?:: (.*))?$")


@dataclass(frozen=True, slots=True)
class EngineEnd:
    """How the end began."""

    kind: (
        EngineEndKind  # asked for; a worker is gone; the engine is; or the server says that the engine failed
    )
    at: int  # index of the line
    status: str = ""  # exit status of the worker, negative for a signal, as far as the line tells


@dataclass(frozen=True, slots=True)
class ThrownThere:
    """An exception that a process names."""

    at: int  # index of the line
    worker: bool  # whether a worker did
    words: str  # its type and text
    frame: str  # where it was thrown: the last frame of the traceback before it, or empty


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLife(Lived):
    """What a console tells of its daemon; nothing in it tells its exit status."""

    stage: EngineStage = EngineStage.UNKNOWN
    end: EngineEnd | None = None
    thrown: tuple[ThrownThere, ...] = ()  # exceptions before the end began
    told_to_end: int | None = None  # index of the line by which engine or workers were told to, or None


def read_engine_life(lines: Sequence[LogLine]) -> EngineLife:
    """Read the whole console of one start."""
    stage, reached, served = milestones_in(lines, _MILESTONES, EngineStage.UNKNOWN)
    thrown: list[ThrownThere] = []
    told: int | None = None
    ends: list[EngineEnd] = []
    process = ""
    for at, line in enumerate(lines):
        text = line.text[:LONGEST_WORDS]
        if named := _PROCESS.match(text):
            process = named[1] or "Worker"
        if told is None and _TOLD_TO_END.search(text):
            told = at
        if (end := _end_of(text, at)) is not None:
            ends.append(end)
        exception = None if line.doubtful else _EXCEPTION.match(without_head(text).strip())
        if exception is not None:
            words = ": ".join(part for part in exception.groups() if part)
            worker = process.startswith(("Worker", "VllmWorker"))
            thrown.append(ThrownThere(at, worker, words, frame_before(lines, at)))
    first = min(ends, key=lambda end: end.at, default=None)
    before = (one for one in thrown if first is None or one.at < first.at or _same_moment(lines, one, first))
    return EngineLife(
        stage=stage, reached=reached, served=served, end=first, thrown=tuple(before), told_to_end=told
    )


def _end_of(text: str, at: int) -> EngineEnd | None:
    if _STOP.search(text):
        return EngineEnd("stopped", at)
    if lost := _WORKER_LOST.search(text):
        return EngineEnd("worker-lost", at, lost[2] or "")
    if _ENGINE_LOST.search(text):
        return EngineEnd("engine-lost", at)
    if _ENGINE_DEAD.search(text):
        return EngineEnd("engine-dead", at)
    return EngineEnd("stopped", at) if _ANY_SHUTDOWN.match(text) else None


def _same_moment(lines: Sequence[LogLine], thrown: ThrownThere, end: EngineEnd) -> bool:
    """Whether a worker's exception was printed as the server told of the end: they overtake each other."""
    if not thrown.worker or end.kind == "stopped":
        return False
    one, other = lines[thrown.at].time, lines[end.at].time
    return one is not None and one == other


def root_of(life: EngineLife, only_follows: Callable[[str], bool]) -> ThrownThere | None:
    """The exception that is the most likely cause: the first of a worker, else the first of all.

    Args:
        only_follows: whether an exception's words are known to say only that something else failed.
    """
    telling = [one for one in life.thrown if not only_follows(one.words)]
    return next((one for one in telling if one.worker), next(iter(telling), None))
