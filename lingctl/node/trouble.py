"""The one error of the node programs; the caller turns it into an error of its own."""

from __future__ import annotations

from typing import Dict, Union


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
        self.what = what
        self.where = where
        self.evidence = evidence
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
