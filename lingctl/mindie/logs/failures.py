"""What MindIE's last words mean: causes, what only follows from them, and ends without a word.

Known texts are in ``failures.toml`` (see ``failure_catalogue``); what no text says is told from the
daemon's life (``daemon_life``, ``endings``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from lingctl.engine.logs import Confidence, Explanation, FailureKind
from lingctl.mindie.logs.catalogue.failure_catalogue import Failure, catalogue, match, named
from lingctl.mindie.logs.daemon_life import Life, LifeStage, read_life
from lingctl.mindie.logs.endings import Ending, ending_of, exit_meaning, refusal_of
from lingctl.mindie.logs.first_errors import LONGEST_LINE, shortened
from lingctl.mindie.logs.link_details import link_detail
from lingctl.mindie.logs.log_lines import LogLine, read_lines, seconds_between
from lingctl.mindie.logs.relevance import follows_the_end, is_of_a_request, is_survived

__all__ = [
    "Failure",
    "catalogue",
    "exit_meaning",
    "explain",
    "explain_waiting",
    "match",
]

_RANK = re.compile(r"\brank(?:[ _]?id)?\s?[:=\[ ]\s?(\d{1,4})\b", re.IGNORECASE)
_CARD = re.compile(
    r"\b(?:device(?:[ _]?id)?|npu(?:[ _]?id)?|davinci|logicDevid)\s?[:=\[ ]?\s?(\d{1,3})\b", re.IGNORECASE
)
# What ended a daemon that served stands in its last minutes: a burst of errors, of which the first is the
# cause.
_BURST_SECONDS = 300.0
_LEVELS_OF_CAUSES = ("error", "")
_KILLED, _START_FAILED = "W10", "Z2"
_ORDER: tuple[FailureKind, ...] = ("cause", "network", "stopped", "consequence")


def explain(text: str, *, status: str | int | None = "", stop_requested: bool = False) -> list[Explanation]:
    """What is recognised in a log: true causes first, then network trouble, then what only follows from them.

    Within a kind they stand in the order in which they were printed, each failure once. Of a daemon that
    ended, what it survived is left out: the errors of a start that succeeded, refused requests, what came
    long before.

    Args:
        text: the console of one start, whole or its end, and after it what other logs of that start say.
        status: the daemon's exit status, empty while it runs or where that is not known.
        stop_requested: whether it is known that it was asked to stop.
    """
    lines = read_lines(text)
    life = read_life(lines)
    status = ("" if status is None else str(status)) or life.status
    found: dict[str, tuple[tuple[datetime, int], Failure]] = {}
    for at, failure in _told(lines, life, ended=bool(status)):
        moment = (lines[at].time or datetime.min, at)
        if failure.id not in found or moment < found[failure.id][0]:
            found[failure.id] = (moment, failure)
    known = [
        _explanation(failure, lines, at)
        for (_, at), failure in sorted(found.values(), key=lambda pair: pair[0])
    ]
    ending = ending_of(life, lines, status, stop_requested=stop_requested)
    if life.stage is LifeStage.CONFIGURATION and (ending is None or ending.id == "A36"):
        ending = refusal_of(lines) or ending
    return _with_ending(known, ending, lines, life)


def explain_waiting(text: str) -> list[Explanation]:
    """What the log says about a start that takes too long, and what it will wait for for ever first."""
    found: dict[str, tuple[Failure, Explanation]] = {}
    lines = read_lines(text)
    for at, line in enumerate(lines):
        for name in [
            name for name, (waited, _) in found.items() if any(u in line.text for u in waited.until)
        ]:
            del found[name]
        failure = match(line.said)
        if failure is not None and (failure.kind == "waiting" or failure.also_waiting):
            found.setdefault(failure.id, (failure, _explanation(failure, lines, at)))
    return [one for _, one in sorted(found.values(), key=lambda pair: not pair[0].also_waiting)]


def _told(lines: Sequence[LogLine], life: Life, *, ended: bool) -> Iterator[tuple[int, Failure]]:
    """Every line that may tell why, with what it shows."""
    ended = ended or life.end is not None
    last = lines[life.end.at].time if life.end else (lines[-1].time if lines else None)
    for at, line in enumerate(lines):
        if line.level not in _LEVELS_OF_CAUSES or not line.said or follows_the_end(lines, at, life):
            continue
        failure = match(line.said)
        if failure is None or failure.kind in ("harmless", "waiting", "request"):
            continue
        if not failure.ends:
            if not ended:
                yield at, failure
            continue
        of_a_start = failure.id.startswith("A")
        if is_of_a_request(line, life) or is_survived(lines, at, life, of_a_start=of_a_start):
            continue
        age = seconds_between(line.time, last) if life.served is not None and ended else None
        if age is None or age <= _BURST_SECONDS:
            yield at, failure


def _with_ending(
    known: list[Explanation], ending: Ending | None, lines: Sequence[LogLine], life: Life
) -> list[Explanation]:
    told = _ranked(known)
    if ending is None:
        return told
    end = _explanation(named(ending.id), lines, ending.at, detail=ending.detail, inferred=life.end is None)
    if end.kind == "stopped":
        # What it was stuck at before it was stopped stays the cause; what it served with does not.
        stuck = [one for one in told if one.kind in ("cause", "network")] if life.served is None else []
        return [*stuck, end]
    if any(one.kind in ("cause", "network") for one in told):
        return told
    # Killed from outside it was not, if it says itself that its start failed.
    return told if end.id == _KILLED and any(one.id == _START_FAILED for one in told) else [end, *told]


def _ranked(known: list[Explanation]) -> list[Explanation]:
    """True causes first. What may be one, and was printed after network trouble, most often follows."""
    lost = min((one.time for one in known if one.kind == "network" and one.time), default=None)

    def rank(one: Explanation) -> tuple[int, bool]:
        place = _ORDER.index(one.kind)
        late = lost is not None and one.time is not None and one.time > lost
        if one.kind == "cause" and one.confidence == "likely" and late:
            place = _ORDER.index("network")
        return place, one.doubtful

    return sorted(known, key=rank)


def _explanation(
    failure: Failure, lines: Sequence[LogLine], at: int, *, detail: str = "", inferred: bool = False
) -> Explanation:
    line = lines[at] if 0 <= at < len(lines) else LogLine("", None, "", "")
    # Only a line that itself says what is wrong names the rank and the card that it is about.
    rank, card = (None, None) if failure.inferred else (_RANK.search(line.text), _CARD.search(line.text))
    network = failure.kind == "network" and not failure.inferred
    return Explanation(
        id=failure.id,
        line=shortened(line.text, failure.place(line.text)),
        cause=failure.cause,
        remedy=failure.remedy,
        kind=failure.kind,
        rank=int(rank[1]) if rank else None,
        card=int(card[1]) if card else None,
        detail=detail[:LONGEST_LINE] or link_detail(lines, at, with_pair=network),
        confidence=_confidence(failure, inferred=inferred, doubtful=line.doubtful),
        time=line.time,
        doubtful=line.doubtful,
    )


def _confidence(failure: Failure, *, inferred: bool, doubtful: bool) -> Confidence:
    likely = inferred or doubtful
    return "likely" if likely and failure.confidence == "certain" else failure.confidence
