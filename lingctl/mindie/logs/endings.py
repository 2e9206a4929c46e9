"""What the end of a daemon means where no line says it: from its stage, how the end began, its exit status.
Pure.

All of it is MindIE-LLM 3.0.0's, seen on the real server on a CPU or read in its source. It kills its own
group (SIGKILL, 137) when its start is refused, while an asynchronous logger may still hold the last lines;
and it aborts (134) after a worker's death, a crash and a requested stop alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lingctl.engine.words.log_lines import LogLine
from lingctl.engine.words.log_reading import Ending
from lingctl.engine.words.milestones import frame_before
from lingctl.mindie.logs.daemon_life import End, Life, LifeStage, Thrown

_KILL = 9
_BUS_ERROR = 7
_NO_EXCEPTION = "terminate called without an active exception"
_NEAR = 10
_ABORT = 6
# What it means that a daemon was killed, by where it stood: it refuses its start before (configuration) or
# after (tokenizers, ports) the stages in which a kill can only have come from outside.
_KILLED = {
    LifeStage.BEGUN: "A36",
    LifeStage.CONFIGURATION: "A36",
    LifeStage.ENGINE: "W10",
    LifeStage.WORKERS: "W10",
    LifeStage.PORTS: "D13",
    LifeStage.SERVING: "W10",
}
# What every start prints while it reads its configuration.
_ORDINARY = re.compile(
    r"use(?:s|ing)? default value|LLM log default format|LogLevelDynamicHandler|^ConfigManager: Load"
    r"|g_mainPid|^\[ConfigManager::|ranktable file\.?$|^Update worldSize|successfully"
)
# What ends the reading of the configuration without a word of its own.
_WORDLESS = ("Checking Config Failed", "from JSON.", "rank table config error.")
STATUS_MEANINGS = {
    "134": "it aborted: so ends 3.0.0 after a requested stop, after the death of a worker (loading or "
    "serving), and after a crash by a request; its log tells which",
    "135": "it ended with a bus error: most often /dev/shm is full",
    "137": "killed by signal 9: MindIE kills itself so when it refuses its start (configuration, tokenizers, "
    "ports), the kernel when memory runs out, or somebody did (kill -9); its last lines may be missing",
    "139": "it crashed (segmentation fault)",
    "143": "it was asked to end",
    "255": "it refused its command line, or could not make its own process group (setsid in front of it)",
}


def ending_of(life: Life, lines: Sequence[LogLine], status: str) -> Ending | None:
    """What the end of a daemon means; None where the console shows no end and no status is known.

    Args:
        life: what its console tells.
        lines: the console.
        status: its exit status, empty where it is not known.
    """
    end = life.end
    if end is None:
        return _without_words(life, status)
    if end.kind == "stopped":
        return Ending("S1", end.at)
    if end.kind == "worker-signal":
        detail = _words(_last(life, python=False)) or f"it ended by signal {end.number}"
        known = {_KILL: Ending("W1", end.at), _BUS_ERROR: Ending("C13", end.at)}
        return known.get(end.number, Ending("W2", end.at, detail))
    if end.kind == "worker-status":
        thrown = _last(life, python=True)
        return _python(thrown, lines) if thrown is not None else Ending("W5", end.at)
    if end.kind == "signal":
        return _own_signal(life, end, lines)
    return _unsaid(life, lines, status)


def refusal_of(lines: Sequence[LogLine]) -> Ending | None:
    """The line for which a start was refused, where no known one says it: the last error, or the last plain
    line that not every start prints, before the exception that ends the reading of the configuration.
    """
    end = next((at for at, line in enumerate(lines) if "ConfigManager init exception" in line.text), None)
    if end is None:
        return None
    exception = lines[end].text.partition("exception:")[2].strip()
    if exception and not exception.endswith(_WORDLESS):
        return Ending("A44", end)
    for at in range(end - 1, -1, -1):
        line = lines[at]
        if "ConfigManager: Load Config from" in line.text:
            return None
        if line.level in ("error", "") and not _ORDINARY.search(line.text):
            return Ending("A44", at)
    return None


def _own_signal(life: Life, end: End, lines: Sequence[LogLine]) -> Ending:
    """A signal of the daemon's own: it aborted, or crashed."""
    if end.number != _ABORT:
        return Ending("W7", end.at, _request(life))
    thrown = _last(life, python=False)
    if thrown is not None:
        return _thrown(life, thrown)
    # A follower that stops aborts so, on threads that still run: what stopped it is not shown.
    in_order = any(_NO_EXCEPTION in line.text for line in lines[max(0, end.at - _NEAR) : end.at + _NEAR])
    return Ending("S2", end.at) if in_order else Ending("W6", end.at, _request(life))


def _thrown(life: Life, thrown: Thrown) -> Ending:
    """A C++ exception: a client's, if JSON of a request has a type that nobody looked at."""
    of_json = "json" in f"{thrown.name} {thrown.message}"
    known = "R1" if life.stage is LifeStage.SERVING and of_json else "W6"
    return Ending(known, thrown.at, "; ".join(part for part in (_request(life), _words(thrown)) if part))


def _unsaid(life: Life, lines: Sequence[LogLine], status: str) -> Ending | None:
    """The console shows an end, not its beginning."""
    if life.thrown:
        thrown = life.thrown[-1]
        return _python(thrown, lines) if thrown.python else _thrown(life, thrown)
    if life.stage is LifeStage.SERVING:
        return Ending("S2", life.end.at if life.end else life.reached)
    return _without_words(life, status or "134")


def _without_words(life: Life, status: str) -> Ending | None:
    if status == "137":
        return _killed(life)
    if status == "134":
        return _aborted(life)
    known = {"143": ("S1", ""), "139": ("W7", _request(life)), "135": ("C13", "")}.get(status)
    return Ending(known[0], life.reached, known[1]) if known else None


def _killed(life: Life) -> Ending | None:
    row = _KILLED.get(life.stage)
    if life.stage is LifeStage.TOKENIZERS:
        # One that cannot import a module says nothing after its first line.
        row = {"ready": "D13", "started": "D15"}.get(life.tokenizers, "D16")
    return Ending(row, life.reached) if row else None


def _aborted(life: Life) -> Ending | None:
    thrown = _last(life, python=False)
    if thrown is not None:
        return _thrown(life, thrown)
    if life.stage is LifeStage.SERVING:
        return Ending("W9", life.reached, _request(life))
    if life.stage in (LifeStage.WORKERS, LifeStage.TOKENIZERS, LifeStage.PORTS):
        return Ending("W8", life.reached)
    return None if life.stage is LifeStage.UNKNOWN else Ending("W11", life.reached)


def _python(thrown: Thrown, lines: Sequence[LogLine]) -> Ending:
    """With the place of the exception: the last frame of the traceback before it."""
    told = (_words(thrown), frame_before(lines, thrown.at))
    return Ending("W3", thrown.at, "; ".join(part for part in told if part))


def _last(life: Life, *, python: bool) -> Thrown | None:
    return next((one for one in reversed(life.thrown) if one.python is python and not _is_end(one)), None)


def _is_end(thrown: Thrown) -> bool:
    """Whether a worker's thread throws it because the daemon has ended."""
    return "Shared memory buffer is empty" in thrown.message


def _words(thrown: Thrown | None) -> str:
    if thrown is None:
        return ""
    return f"{thrown.name}: {thrown.message}" if thrown.message else thrown.name


def _request(life: Life) -> str:
    return f"the last request: {life.last_request}" if life.last_request else ""
