"""What MindIE's last words mean: causes, what only follows from them, and ends without a word.

Known texts are in ``failures.toml`` (see ``failure_catalogue``); what no text says is told from the
daemon's life (``daemon_life``, ``endings``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from lingctl.engine.logs import Explanation, FailureKind
from lingctl.mindie.logs.daemon_life import Life, LifeStage, read_life
from lingctl.mindie.logs.endings import Ending, ending_of, exit_meaning, refusal_of
from lingctl.mindie.logs.failure_catalogue import Failure, catalogue, match, named
from lingctl.mindie.logs.link_details import link_detail
from lingctl.mindie.logs.log_lines import LogLine, read_lines, seconds_between

__all__ = [
    "Failure",
    "catalogue",
    "exit_meaning",
    "explain",
    "explain_waiting",
    "first_errors",
    "match",
]

_RANK = re.compile(r"\brank(?:[ _]?id)?\s?[:=\[ ]\s?(\d{1,4})\b", re.IGNORECASE)
_CARD = re.compile(
    r"\b(?:device(?:[ _]?id)?|npu(?:[ _]?id)?|davinci|logicDevid)\s?[:=\[ ]?\s?(\d{1,3})\b", re.IGNORECASE
)
_ERROR_LINE = re.compile(
    r"\[ERROR\]|\bERROR\b|\bERR:|^\w*(?:Error|Exception)\b.*:|^\S*\b[EZ][A-Z]\d{4}:|\bFATAL\b|Traceback"
    r"|core dumped|terminate called"
)
# A refused request's lines: its id, or a file of the server that only requests run through. Seen on 3.0.0.
_REQUEST_ID = re.compile(r"The requestId is |\brequest_?[iI]d[=:] ?\w|\bCallbackId is |\bcbId is ")
_REQUEST_SOURCE = re.compile(r"^(single_(req|llm)_|http_handler|http_rest|json_util|infer_param)")
# Only while it serves; at a start these say why the tokenizers are not there.
_TOKENIZER_SOURCE = re.compile(r"^(infer_tokenizer|tokenizer(_log)?\.py|io_utils\.py)")
# What ended a daemon that served stands in its last minutes: a burst of errors, of which the first is the
# cause.
_BURST_SECONDS = 300.0
_LONGEST_LINE = 300
_LEVELS_OF_CAUSES = ("error", "")
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
    found: dict[str, tuple[int, Explanation]] = {}
    for at, failure in _told(lines, life, ended=bool(status)):
        one = _explanation(failure, lines, at)
        before = found.get(failure.id)
        if before is None or _moment(one, at) < _moment(before[1], before[0]):
            found[failure.id] = (at, one)
    known = [one for _, one in sorted(found.values(), key=lambda pair: _moment(pair[1], pair[0]))]
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
        failure = match(line.text)
        if failure is not None and (failure.kind == "waiting" or failure.also_waiting):
            found.setdefault(failure.id, (failure, _explanation(failure, lines, at)))
    return [one for _, one in sorted(found.values(), key=lambda pair: not pair[0].also_waiting)]


def first_errors(text: str, limit: int = 5) -> list[str]:
    """The lines that look like errors, for what is not known: the first of a start, the last before the end
    of a daemon that served. The last lines of all where none does."""
    lines = read_lines(text)
    life = read_life(lines)
    shown = [
        line.text[:_LONGEST_LINE]
        for at, line in enumerate(lines)
        if _ERROR_LINE.search(line.text)
        and not _says_nothing(line, life)
        and not _follows_the_end(lines, at, life)
    ]
    if not shown:
        return [line.text[:_LONGEST_LINE] for line in lines if not _is_noise(line, life)][-limit:]
    return shown[-limit:] if life.served is not None and life.end is not None else shown[:limit]


def _told(lines: Sequence[LogLine], life: Life, *, ended: bool) -> Iterator[tuple[int, Failure]]:
    """Every line that may tell why, with what it shows."""
    ended = ended or life.end is not None
    last = lines[life.end.at].time if life.end else (lines[-1].time if lines else None)
    for at, line in enumerate(lines):
        if line.level not in _LEVELS_OF_CAUSES or _follows_the_end(lines, at, life):
            continue
        failure = match(line.text)
        if failure is None or failure.kind in ("harmless", "waiting", "request"):
            continue
        if not failure.ends:
            if not ended:
                yield at, failure
            continue
        if _of_a_request(line, life) or _is_survived(lines, at, life, failure):
            continue
        age = seconds_between(line.time, last) if life.served is not None and ended else None
        if age is None or age <= _BURST_SECONDS:
            yield at, failure


def _follows_the_end(lines: Sequence[LogLine], at: int, life: Life) -> bool:
    """Whether the line was printed after the end began; threads and standard error print out of order."""
    if life.end is None or at < life.end.at:
        return False
    began, printed = lines[life.end.at].time, lines[at].time
    return began is None or printed is None or printed >= began


def _is_survived(lines: Sequence[LogLine], at: int, life: Life, failure: Failure) -> bool:
    """Whether it belongs to a start that succeeded."""
    if life.served is None:
        return False
    if at < life.served or failure.id.startswith("A"):
        return True
    served, printed = lines[life.served].time, lines[at].time
    return served is not None and printed is not None and printed < served


def _of_a_request(line: LogLine, life: Life) -> bool:
    file = line.source.rpartition("/")[2]
    if _REQUEST_ID.search(line.text) or _REQUEST_SOURCE.search(file):
        return True
    return life.served is not None and _TOKENIZER_SOURCE.search(file) is not None


def _says_nothing(line: LogLine, life: Life) -> bool:
    if line.level in ("warning", "information") or _is_noise(line, life):
        return True
    failure = match(line.text)
    return failure is not None and failure.kind == "waiting"


def _is_noise(line: LogLine, life: Life) -> bool:
    if _of_a_request(line, life):
        return True
    failure = match(line.text)
    return failure is not None and failure.kind in ("harmless", "request")


def _with_ending(
    known: list[Explanation], ending: Ending | None, lines: Sequence[LogLine], life: Life
) -> list[Explanation]:
    told = sorted(known, key=lambda one: _ORDER.index(one.kind))
    if ending is None:
        return told
    end = _explanation(named(ending.id), lines, ending.at, detail=ending.detail, inferred=life.end is None)
    if end.kind == "stopped":
        # What it was stuck at before it was stopped stays the cause; what it served with does not.
        stuck = [one for one in told if one.kind in ("cause", "network")] if life.served is None else []
        return [*stuck, end]
    if any(one.kind in ("cause", "network") for one in told):
        return told
    return [end, *told]


def _moment(one: Explanation, at: int) -> tuple[datetime, int]:
    return one.time or datetime.min, at


def _explanation(
    failure: Failure, lines: Sequence[LogLine], at: int, *, detail: str = "", inferred: bool = False
) -> Explanation:
    line = lines[at] if 0 <= at < len(lines) else LogLine("", None, "", "")
    # Only a line that itself says what is wrong names the rank and the card that it is about.
    rank, card = (None, None) if failure.inferred else (_RANK.search(line.text), _CARD.search(line.text))
    network = failure.kind == "network" and not failure.inferred
    return Explanation(
        id=failure.id,
        line=_cut(line.text.strip(), failure),
        cause=failure.cause,
        remedy=failure.remedy,
        kind=failure.kind,
        rank=int(rank[1]) if rank else None,
        card=int(card[1]) if card else None,
        detail=detail[:_LONGEST_LINE] or link_detail([one.text for one in lines], at, with_pair=network),
        confidence="likely" if inferred else "certain",
        time=line.time,
    )


def _cut(text: str, failure: Failure) -> str:
    """At most 300 characters, with what shows the failure in them."""
    if len(text) <= _LONGEST_LINE:
        return text
    if failure.pattern is not None and (found := failure.pattern.search(text)):
        place = found.start()
    else:
        place = max((text.find(one) for one in failure.signature), default=0)
    start = max(0, min(place - 60, len(text) - _LONGEST_LINE)) if place > _LONGEST_LINE - 60 else 0
    return text[start : start + _LONGEST_LINE]
