"""Do the nodes' clocks agree? This machine's own clock is one more witness.

A clock is off only against the others together: of two that differ without a third, neither is accused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lingctl.ascend.unread import Unread
from lingctl.findings import Finding, Verdict

Span = tuple[float, float]
# Seconds; our own choice, for certificates and for comparing logs.
_WARNING = 2.0
_FAILURE = 60.0
_REMEDY = "chronyc makestep; or: timedatectl set-ntp true"
_HERE = ""


def clock_findings(clocks: Mapping[str, Span | Unread]) -> Iterator[Finding]:
    """A verdict for each node, from how far its clock is from ours: (least, most) seconds."""
    for node, clock in clocks.items():
        if isinstance(clock, Unread):
            yield Finding("clock", Verdict.UNKNOWN, f"not judged: {clock.text}", node, evidence=clock.quote)
    known = {node: clock for node, clock in clocks.items() if not isinstance(clock, Unread)}
    if not known:
        return
    right = _majority({_HERE: (0.0, 0.0), **known})
    if right is None:
        yield _nobody_is_right(known)
        return
    for node, clock in known.items():
        # Only what is certain counts: the answer's way takes time too.
        off = min(_apart(clock, other) for name, other in right.items() if name != node) if right else 0.0
        verdict = _verdict(0.0 if node in right else off)
        text = f"{off:.0f} s off the other clocks" if verdict else "with the others"
        yield Finding("clock", verdict, text, node, remedy=_REMEDY if verdict else "")


def _majority(clocks: Mapping[str, Span]) -> dict[str, Span] | None:
    """The clocks that agree, if they are more than half of them."""
    for clock in clocks.values():
        near = {name: other for name, other in clocks.items() if _apart(clock, other) <= _WARNING}
        if 2 * len(near) > len(clocks):
            return near
    return None


def _apart(one: Span, other: Span) -> float:
    """Seconds that two clocks are certainly apart."""
    return max(0.0, one[0] - other[1], other[0] - one[1])


def _verdict(off: float) -> Verdict:
    return Verdict.FAILURE if off > _FAILURE else Verdict.WARNING if off > _WARNING else Verdict.PASS


def _nobody_is_right(known: Mapping[str, Span]) -> Finding:
    spans = [(0.0, 0.0), *known.values()]
    widest = max(_apart(one, other) for one in spans for other in spans)
    said = ", ".join(f"{node} {(least + most) / 2:+.0f} s" for node, (least, most) in known.items())
    return Finding(
        "clock",
        _verdict(widest),
        f"the clocks differ, and which is right cannot be told from here; from this machine's: {said}",
        remedy=f"on every node: {_REMEDY}",
    )
