"""Which node's trouble is the true cause, when several nodes have something to say. Pure.

A rank that loses its peer reports HCCL errors of its own, often louder than the one that failed first;
3.0.0's primary crashes at the first request after a follower is gone, and a daemon that waits for a dead
one waits for ever (seen on two real nodes). So a known cause on any node outweighs a node that ended
without a known one, and that outweighs network trouble, and that what a node waits for, and a stop that was
asked for, and what only follows. Of equals the first in time is the cause.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from types import MappingProxyType
from typing import Protocol

from lingctl.engine.logs import Diagnosis, Explanation, LogReader
from lingctl.engine.words.failure_catalogue import Catalogue
from lingctl.engine.words.log_lines import offset_of, read_lines, seconds_between

# Consoles of one fault that every node meets: within this time none is the first.
_TOGETHER_SECONDS = 5.0
_EVIDENCE_LINES = 3


class Weight(IntEnum):
    """How much a node's words count against those of another."""

    FOLLOWS = 0
    STOPPED = 1
    WAITS = 2
    NETWORK = 3
    UNEXPLAINED_END = 4
    CAUSE = 5


_WEIGHTS = {"cause": Weight.CAUSE, "network": Weight.NETWORK, "stopped": Weight.STOPPED}


class NodesReading(LogReader, Protocol):
    """Reads the consoles of several nodes by what is known of each."""

    @property
    def catalogue(self) -> Catalogue:
        """What is known of the engine's failures."""
        ...

    def served(self, text: str) -> bool:
        """Whether a console's daemon served."""
        ...

    def wrong_part(self, logs: Mapping[str, str]) -> tuple[str, Explanation] | None:
        """A node that takes another part than its place in hosts.yaml, as ``waits_for_ever``."""
        return None

    def better_word(self, logs: Mapping[str, str], best: Diagnosis) -> Diagnosis | None:
        """What the consoles of all nodes together say better than that of the node that failed first."""
        return None

    def diagnose(
        self,
        logs: Mapping[str, str],
        ended: Collection[str],
        *,
        statuses: Mapping[str, str] = MappingProxyType({}),
        clocks: Mapping[str, float] = MappingProxyType({}),
    ) -> Diagnosis | None:
        """See ``LogReader.diagnose``."""
        ahead = _ahead(logs, clocks)
        candidates = [
            _later(one, -ahead.get(node, 0.0))
            for node, text in logs.items()
            if (one := _candidate(self, node, text, node in ended, statuses.get(node, ""))) is not None
        ]
        if (wrong := self.wrong_part(logs)) is not None:
            part = _told(*wrong, Weight.CAUSE, ended=False)
            candidates = [part, *(one for one in candidates if one.said.node != part.said.node)]
        if not candidates:
            return None
        best = _first_of_all(candidates)
        better = self.better_word(logs, best.said)
        also = [_aside(one.said) for one in candidates if one.said.node != best.said.node]
        return replace(better or best.said, also=tuple(also))

    def waits_for_ever(self, logs: Mapping[str, str]) -> Diagnosis | None:
        """What makes living daemons wait for ever, told at once: they do not end of it.

        Cheap enough to be asked at every look.
        """
        if (wrong := self.wrong_part(logs)) is not None:
            return Diagnosis(wrong[0], wrong[1], wrong[1].line)
        for node, text in logs.items():
            for failure in self.catalogue.rows:
                if failure.also_waiting and any(one in text for one in failure.signature):
                    found = next((one for one in self.explain_waiting(text) if one.id == failure.id), None)
                    if found is not None:
                        return Diagnosis(node, found, found.line)
        return None


@dataclass(frozen=True, slots=True)
class _Candidate:
    weight: Weight
    time: datetime
    ended: bool
    said: Diagnosis


def _ahead(logs: Mapping[str, str], clocks: Mapping[str, float]) -> dict[str, float]:
    """Seconds by which what stamps a node's lines is ahead of the first node's: as it was measured, else as
    the offsets from UTC in the lines tell."""
    offsets = {node: offset for node, text in logs.items() if (offset := offset_of(text)) is not None}
    first = offsets.get(next(iter(logs), ""))
    told = (
        {} if first is None else {node: (offset - first).total_seconds() for node, offset in offsets.items()}
    )
    return {**told, **clocks}


def _aside(said: Diagnosis) -> str:
    return f"{said.node}: {said.explanation.cause if said.explanation else 'ended without a known error'}"


def _candidate(reading: NodesReading, node: str, text: str, ended: bool, status: str) -> _Candidate | None:
    """What the node has to say."""
    explained = reading.explain(text, status=status)
    first = explained[0] if explained else None
    if first is not None and first.kind in _WEIGHTS:
        if (
            first.kind == "stopped"
            and (waiting := reading.explain_waiting(text))
            and not reading.served(text)
        ):
            # It was stopped while it waited: the waiting is what went wrong.
            return _told(node, waiting[0], Weight.WAITS, ended)
        return _told(node, first, _WEIGHTS[first.kind], ended)
    if ended:
        errors = reading.first_errors(text, _EVIDENCE_LINES)
        evidence = "\n".join(errors) or "it printed nothing"
        time = next((line.time for line in read_lines("\n".join(errors)) if line.time), None)
        return _Candidate(
            Weight.UNEXPLAINED_END, time or datetime.max, ended, Diagnosis(node, first, evidence)
        )
    if first is not None:
        return _told(node, first, Weight.FOLLOWS, ended)
    return None


def _told(node: str, first: Explanation, weight: Weight, ended: bool) -> _Candidate:
    return _Candidate(weight, first.time or datetime.max, ended, Diagnosis(node, first, first.line))


def _weighed(one: _Candidate, lost: datetime) -> Weight:
    """How much a node's words count, given when network trouble began: what comes behind it and is not
    certain most often follows from it."""
    if one.time == datetime.max or one.time <= lost + timedelta(seconds=_TOGETHER_SECONDS):
        return one.weight
    explanation = one.said.explanation
    certain = explanation is not None and explanation.confidence == "certain"
    if one.weight is Weight.UNEXPLAINED_END or (one.weight is Weight.CAUSE and not certain):
        return Weight.NETWORK
    return one.weight


def _later(one: _Candidate, seconds: float) -> _Candidate:
    """The same, with its time moved to the first node's clock."""
    if not seconds or one.time == datetime.max:
        return one
    try:
        return replace(one, time=one.time + timedelta(seconds=seconds))
    except OverflowError:  # a clock that is centuries wrong: when it was is not known
        return replace(one, time=datetime.max)


def _first_of_all(candidates: list[_Candidate]) -> _Candidate:
    """The first among those that weigh most; the earlier in hosts.yaml where times do not tell."""
    lost = min((one.time for one in candidates if one.weight is Weight.NETWORK), default=datetime.max)
    weights = {id(one): _weighed(one, lost) if lost != datetime.max else one.weight for one in candidates}
    weight = max(weights.values())
    heaviest = [one for one in candidates if weights[id(one)] == weight]
    best = min(heaviest, key=lambda one: one.time)
    same = [one for one in heaviest if _is_same(one, best)]
    best = next((one for one in same if one.ended), best)
    if weight is not Weight.NETWORK:
        return best
    # A node that was stopped before the trouble began is the reason of it.
    stopped = [one for one in candidates if one.weight is Weight.STOPPED and one.time < best.time]
    return min(stopped, key=lambda one: one.time, default=best)


def _is_same(one: _Candidate, best: _Candidate) -> bool:
    """Whether both say the same at nearly the same time: a fault that every node has."""
    mine, other = one.said.explanation, best.said.explanation
    if mine is None or other is None or mine.id != other.id:
        return False
    apart = seconds_between(best.time, one.time)
    return apart is not None and apart <= _TOGETHER_SECONDS
