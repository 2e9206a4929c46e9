"""How vLLM's consoles are read, as the seam asks for it (``lingctl.engine.logs.LogReader``).

No line has a meaning here yet: an end is told by the first error lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from lingctl.engine.logs import CodeMeaning, Diagnosis, Explanation

_ERROR = re.compile(r"\bERROR\b|Error\b|Traceback|CRITICAL|lingctl: ")
_EMPTY: Mapping[str, str] = MappingProxyType({})
_NO_CLOCKS: Mapping[str, float] = MappingProxyType({})


def speaks(text: str) -> bool:
    """See ``LogReader``."""
    return "vllm" in text.lower()


def explain(text: str, *, status: str | int | None = "", stop_requested: bool = False) -> list[Explanation]:
    """See ``LogReader``."""
    return []


def explain_waiting(text: str) -> list[Explanation]:
    """See ``LogReader``."""
    return []


def first_errors(text: str, limit: int = 5) -> list[str]:
    """See ``LogReader``."""
    lines = [line for line in text.splitlines() if line.strip()]
    found = [line for line in lines if _ERROR.search(line)]
    return found[:limit] if found else lines[-limit:]


def exit_meaning(status: str) -> str:
    """See ``LogReader``; the statuses are those of vllm serve 0.32.0."""
    return {
        "0": "vLLM ends so when it is stopped, and also when its engine died",
        "1": "a setting, the port or the model was refused",
        "2": "a flag that this version does not know",
    }.get(status, "")


def look_up(word: str) -> CodeMeaning | None:
    """See ``LogReader``."""
    return None


def first_of_each(lines: Iterable[str]) -> str:
    """See ``LogReader``."""
    return "\n".join(line for line in lines if _ERROR.search(line))


def diagnose(
    logs: Mapping[str, str],
    ended: Collection[str],
    *,
    statuses: Mapping[str, str] = _EMPTY,
    clocks: Mapping[str, float] = _NO_CLOCKS,
) -> Diagnosis | None:
    """See ``LogReader``."""
    node = next((name for name in logs if name in ended), None)
    return Diagnosis(node, None, "\n".join(first_errors(logs[node], 3))) if node else None


def waits_for_ever(logs: Mapping[str, str]) -> Diagnosis | None:
    """See ``LogReader``."""
    return None


def lines_of(since: datetime | None, offset: timedelta, rank: int | None) -> Callable[[str], bool]:
    """See ``LogReader``; the lines have no year, so that none is left out for its time."""
    return lambda line: True
