"""A Finding: one verdict of one check on one thing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import IntEnum


class Verdict(IntEnum):
    """Ordered from best to worst, so that ``max`` gives the verdict of a group.

    ``UNKNOWN`` is worse than ``WARNING``: what could not be read is never a pass.
    """

    PASS = 0
    NOTE = 1
    WARNING = 2
    UNKNOWN = 3
    FAILURE = 4

    @property
    def word(self) -> str:
        """Lower-case name, as printed and as written to JSON."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """One verdict of one check on one thing.

    Attributes:
        check: stable name of the check, kebab-case, e.g. ``link`` or ``config-worldSize``.
        verdict: pass, note, warning, unknown or failure.
        message: what is so, one sentence without node and card.
        node: name of the node, empty for a verdict about the cluster or a file.
        device: physical id of the card, if the verdict is about one.
        evidence: the quoted answer that the verdict rests on.
        remedy: what to type or change.
    """

    check: str
    verdict: Verdict
    message: str
    node: str = ""
    device: int | None = None
    evidence: str = ""
    remedy: str = ""

    @property
    def where(self) -> str:
        """Node and card in words, e.g. ``node2 card 5``."""
        card = "" if self.device is None else f"card {self.device}"
        return " ".join(part for part in (self.node, card) if part)

    def as_json(self) -> dict[str, object]:
        """Plain data, with the verdict as its word."""
        return {**asdict(self), "verdict": self.verdict.word}


def worst(findings: Iterable[Finding]) -> Verdict:
    """The worst verdict among ``findings``; PASS for none."""
    return max((finding.verdict for finding in findings), default=Verdict.PASS)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Sorted for reading: worst verdict first, then by node and card."""
    return sorted(findings, key=lambda f: (-f.verdict, f.node, -1 if f.device is None else f.device, f.check))
