"""How far a daemon came, and how its end began, as its console tells. Pure.

The milestones and the words of an end are those of MindIE-LLM 3.0.0: seen on the real server on a CPU, and
read in its source (server/daemon/llm_daemon.cpp, server/endpoint/endpoint.cpp,
server/tokenizer/infer_tokenizer.cpp, executor/executor.cpp). Older versions print other words; their
consoles have no milestones here, or only the last.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Literal

from lingctl.engine.words.log_lines import LogLine
from lingctl.engine.words.milestones import LONGEST_WORDS, milestones_in
from lingctl.engine.words.relevance import Lived


class LifeStage(IntEnum):
    """The last thing that a daemon is known to have reached."""

    UNKNOWN = 0
    BEGUN = 1
    CONFIGURATION = 2  # it reads config.json, the rank table and the model's folder
    ENGINE = 3  # these were taken; with several nodes it registers now
    WORKERS = 4  # worker processes were started: they load the model
    TOKENIZERS = 5  # the model is loaded; tokenizer processes are made
    PORTS = 6  # tokenizers are there; the ports are next
    SERVING = 7


Tokenizers = Literal["none", "started", "imported", "ready"]
EndKind = Literal["stopped", "signal", "worker-signal", "worker-status", "unsaid"]

_MILESTONES: tuple[tuple[str, LifeStage], ...] = (
    ("Daemon start success!", LifeStage.SERVING),
    ("Start endpoint success", LifeStage.SERVING),
    # These tell of a daemon that serves where the line of its success is cut away.
    ("Request mindie server, method=", LifeStage.SERVING),
    ("Receive request from ", LifeStage.SERVING),
    ("Status changed from SERVICE_NORMAL", LifeStage.SERVING),
    ("healthchecker init and start", LifeStage.PORTS),
    ("Healthchecker instance created.", LifeStage.PORTS),
    ("Finished to init tokenizer sub process size", LifeStage.PORTS),
    ("LlmEngine init succeeds!", LifeStage.TOKENIZERS),
    ("LLMRuntime thread start success!", LifeStage.TOKENIZERS),
    ("Start dynamic config handler success.", LifeStage.TOKENIZERS),
    ("[Start InferInstance] [success]", LifeStage.TOKENIZERS),
    ("Init share memory done with size", LifeStage.TOKENIZERS),
    ("Started tokenizer sub process with pid", LifeStage.TOKENIZERS),
    ("Start tokenizer[", LifeStage.TOKENIZERS),
    ("] Execute command: ", LifeStage.WORKERS),
    ("LLMRuntime init success!", LifeStage.ENGINE),
    ("Start to init GRPCCommunicator", LifeStage.ENGINE),
    ("Executor instance init with rankIdx", LifeStage.ENGINE),
    ("ConfigManager: Load Config from", LifeStage.CONFIGURATION),
    ("g_mainPid = ", LifeStage.BEGUN),
)
_TOKENIZER = re.compile(r"\btokenizer-(\d+) (start|import ok|init ok)\.")
_TOKENIZER_WORDS: dict[str, Tokenizers] = {"start": "started", "import ok": "imported", "init ok": "ready"}
_TOKENIZER_STEPS: tuple[Tokenizers, ...] = ("none", "started", "imported", "ready")
_STARTED_TOKENIZER = re.compile(r"Started tokenizer sub process with pid (\d+)")
_EXIT_SIGNAL = re.compile(r"Received exit signal\[(\d+)\]")
_CHILD = re.compile(
    r"Process (\d+) (?:was (?:terminated|stopped) by signal (\d+)|exited normally with status (\d+))"
    r"|Process (\d+) terminated with unknown status"
)
# What a daemon prints while it ends, without a word on why.
_ENDING = (
    "createdBy: daemon",
    "Finalize engine ",
    "Daemon is killing",
    "now killing process group",
    "Python process get signal:",
)
_TERMINATE = re.compile(r"terminate called after throwing an instance of '([^']*)'")
_WHAT = re.compile(r"^\s*what\(\):\s*(.*)")
_CORE_THREAD = re.compile(r"exception_type=(\w+), exception_message=(.*)")
_PYTHON_ERROR = re.compile(
    r"^(?:\[rank\d+\]:\s*)?((?:\w+\.)*\w*(?:Error|Exception|Interrupt|Iteration|Exit))(?:: (.*))?$"
)
# The shell's words for an end, also a Chinese one's.
_SHELL_STATUS = {
    "Killed": "137",
    "Aborted": "134",
    "Segmentation fault": "139",
    "Terminated": "143",
    "已杀死": "137",
    "已放弃": "134",
    "段错误": "139",
    "已终止": "143",
}
_SHELL = re.compile(rf"(?:line|行) ?\d+: +\d+ ({'|'.join(_SHELL_STATUS)})")
_REQUEST = re.compile(
    r"(?:Request mindie server|Receive request from).{0,300}\bmethod=(\w+), uri is ([^\]\s]*)"
)
# SIGCHLD and SIGPIPE do not end the daemon.
_HARMLESS_SIGNALS = ("17", "13")
_STOP_SIGNALS = ("15", "2")
_TERM = "15"
# How far what does not say why may stand before what does: a signal to the whole group reaches the workers
# first, and threads of one process print within moments.
_STOP_SECONDS = 1.0
_THREADS_SECONDS = 0.1
_LINES_BEHIND = 10


@dataclass(frozen=True, slots=True)
class End:
    """How the end began."""

    # asked for; a signal of the daemon's own; a worker killed by a signal; a worker that ended with a status;
    # or an end whose beginning the console lacks
    kind: EndKind
    at: int  # index of the line; what follows it only follows from it
    number: int = 0  # of the signal, or the status


@dataclass(frozen=True, slots=True)
class Thrown:
    """An exception that ended a process: a C++ one by ``terminate``, or a Python one of a worker."""

    at: int  # index of the line that names it
    python: bool  # whether it is Python's
    name: str  # its type
    message: str  # its text, empty where it has none


@dataclass(frozen=True, slots=True, kw_only=True)
class Life(Lived):
    """What a console tells of its daemon."""

    stage: LifeStage = LifeStage.UNKNOWN  # how far it came
    end: End | None = None
    thrown: tuple[Thrown, ...] = ()  # exceptions that ended a process, before the end began
    # the least that one of its tokenizer processes is known to have reached: ``none`` was started, one is
    # ``started``, all have their modules ``imported``, all are ``ready``
    tokenizers: Tokenizers = "none"
    last_request: str = ""  # method and path of the last request before the end, empty without one


def read_life(lines: Sequence[LogLine]) -> Life:
    """Read the whole console of one start."""
    stage, reached, served = milestones_in(lines, _MILESTONES, LifeStage.UNKNOWN)
    status = ""
    found_ends, thrown = list[End](), list[Thrown]()
    tokenizers: dict[str, Tokenizers] = {}
    requests: list[tuple[int, str]] = []
    for at, line in enumerate(lines):
        text = line.text[:LONGEST_WORDS]
        if shell := _SHELL.search(text):
            status = _SHELL_STATUS[shell[1]]
        if request := _REQUEST.search(text):
            requests.append((at, f"{request[1]} {request[2]}"))
        if "okenizer" in text and (said := _TOKENIZER.search(text)):
            tokenizers[said[1]] = _TOKENIZER_WORDS[said[2]]
        elif "okenizer" in text and (started := _STARTED_TOKENIZER.search(text)):
            tokenizers.setdefault(started[1], "started")
        if exception := _thrown_at(lines, at):
            thrown.append(exception)
        if ended := _end_of(text, at):
            found_ends.append(ended)
    end = _first(found_ends, lines)
    before = [what for at, what in requests if end is None or at < end.at]
    return Life(
        stage=stage,
        reached=reached,
        served=served,
        end=end,
        thrown=tuple(one for one in thrown if _before(one, end, lines)),
        status=status,
        tokenizers=min(tokenizers.values(), key=_TOKENIZER_STEPS.index, default="none"),
        last_request=before[-1] if before else "",
    )


def _thrown_at(lines: Sequence[LogLine], at: int) -> Thrown | None:
    text = lines[at].text[:LONGEST_WORDS]
    if found := _TERMINATE.search(text):
        # Threads print at once: the message may stand a few lines later.
        what = next((w[1] for line in lines[at + 1 : at + 6] if (w := _WHAT.match(line.text))), "")
        return Thrown(at, False, found[1], what)
    if (found := _CORE_THREAD.search(text)) or (found := _PYTHON_ERROR.match(text)):
        return Thrown(at, True, found[1], (found[2] or "").strip())
    return None


def _end_of(text: str, at: int) -> End | None:
    if signal := _EXIT_SIGNAL.search(text):
        kind: EndKind = "stopped" if signal[1] in _STOP_SIGNALS else "signal"
        return None if signal[1] in _HARMLESS_SIGNALS else End(kind, at, int(signal[1]))
    child = _CHILD.search(text)
    # The daemon ends its group by a signal too: the reason then stands before.
    if child is None or child[2] == _TERM:
        return End("unsaid", at) if child or any(words in text for words in _ENDING) else None
    number = child[2] or child[3] or "0"
    kind = "worker-signal" if child[2] else "worker-status"
    return None if child[3] == "0" else End(kind, at, int(number))


def _first(ends: Sequence[End], lines: Sequence[LogLine]) -> End | None:
    """The beginning of the end: the first by time, since threads print out of order; and what says why before
    what does not, where the latter may have overtaken it."""
    if not ends:
        return None

    def moment(end: End) -> datetime:
        return lines[end.at].time or datetime.min

    ordered = sorted(ends, key=lambda end: (moment(end), end.at))
    first, text = ordered[0], lines[ordered[0].at].text
    if first.kind != "unsaid":
        return first
    for end in ordered:
        late = (moment(end) - moment(first)).total_seconds()
        overtaken = (
            (end.kind == "stopped" and late <= _STOP_SECONDS)
            or ("createdBy: daemon" in text and late <= _THREADS_SECONDS)
            # A line of standard error has no time of its own and does not wait for the log.
            or ("Daemon is killing" in text and 0 < end.at - first.at <= _LINES_BEHIND)
        )
        if end.kind != "unsaid" and overtaken:
            return end
    return first


def _before(thrown: Thrown, end: End | None, lines: Sequence[LogLine]) -> bool:
    """Whether it was thrown before the end began. What goes to standard error overtakes the log: an exception
    that stands just behind the beginning of an end by a signal or a worker's death still belongs before it.
    """
    if end is None or thrown.at < end.at:
        return True
    if end.kind in ("stopped", "unsaid"):
        return False
    earlier, later = lines[end.at].time, lines[thrown.at].time
    return thrown.at - end.at <= 3 and (earlier is None or later is None or later <= earlier)
