"""The one error of the node programs; the caller turns it into an error of its own."""

from __future__ import annotations

from typing import Dict, Sequence, Union

# Of each part of a message: names in it may be a stranger's, and of any length.
_LONGEST = 2_000
_LONGEST_SHOWN = 200


def shown(name: object) -> str:
    """A name that a stranger chose, for a message: cut, and without what a terminal would obey."""
    text = name if isinstance(name, str) else type(name).__name__ if _is_container(name) else str(name)
    cut = text[:_LONGEST_SHOWN]
    plain = cut if cut.isprintable() else repr(cut)[1:-1]
    return plain if len(text) <= _LONGEST_SHOWN else f"{plain}... ({len(text)} characters)"


def some(names: Sequence[str]) -> str:
    """The first five of many names, and how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(shown(name) for name in names[:5]) + more


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"


def _is_container(value: object) -> bool:
    """Whether its text could be without end, or is that of no name."""
    return not isinstance(value, (str, int, float, bool, type(None)))


class Trouble(Exception):
    """Something a user must read.

    Args:
        what: what went wrong, one sentence.
        where: file, member, tensor and offset it happened at.
        evidence: the values that show it.
        remedy: what to type or change next.
        code: stable name of this message.
        exit_status: 1 failed, 2 usage, 5 another one is at work there.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        evidence: str = "",
        remedy: str = "",
        code: str = "weights",
        exit_status: int = 1,
    ) -> None:
        super().__init__(what)
        self.what = _cut(what)
        self.where = _cut(where)
        self.evidence = _cut(evidence)
        self.remedy = remedy
        self.code = code
        self.exit_status = exit_status

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what

    def as_event(self) -> Dict[str, Union[str, int]]:
        """The last line of a program that failed."""
        return {
            "event": "error",
            "what": self.what,
            "where": self.where,
            "evidence": self.evidence,
            "remedy": self.remedy,
            "code": self.code,
            "exit_status": self.exit_status,
        }
