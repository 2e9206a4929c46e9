"""How an engine's consoles and logs are read, but for what is its own: causes, what only follows from them,
and ends without a word.

Known texts are in the engine's catalogue; what no text says is told from its daemon's life and end.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Generic, TypeVar

from lingctl.engine.logs import CodeMeaning, Confidence, Console, Explanation, FailureKind
from lingctl.engine.words.code_meanings import look_up
from lingctl.engine.words.diagnosis import NodesReading
from lingctl.engine.words.failure_catalogue import Catalogue, Failure, read_catalogue
from lingctl.engine.words.first_errors import LONGEST_LINE, first_errors_of, shortened
from lingctl.engine.words.link_details import link_detail
from lingctl.engine.words.log_lines import LogLine, read_lines, seconds_between
from lingctl.engine.words.relevance import Lived, follows_the_end, is_survived

_RANK = re.compile(r"\brank(?:[ _]?id)?\s?[:=\[ ]\s?(\d{1,4})\b", re.IGNORECASE)
_CARD = re.compile(
    r"\b(?:device(?:[ _]?id)?|npu(?:[ _]?id)?|davinci|logicDevid)\s?[:=\[ ]?\s?(\d{1,3})\b", re.IGNORECASE
)
# What ended a daemon that served stands in its last minutes: a burst of errors, of which the first is the
# cause.
_BURST_SECONDS = 300.0
_LEVELS_OF_CAUSES = ("error", "")
_ORDER: tuple[FailureKind, ...] = ("cause", "network", "stopped", "consequence")

L = TypeVar("L", bound=Lived)


@dataclass(frozen=True, slots=True)
class Ending:
    """What an end means."""

    id: str  # of the catalogue
    at: int  # index of the line that shows it best, or -1
    detail: str = ""  # the exception's words, the last request


class LogReading(NodesReading, ABC, Generic[L]):
    """Reads the consoles and logs of one engine (``lingctl.engine.logs.LogReader``); pure."""

    status_meanings: Mapping[str, str]  # what an exit status of its daemon means, where it means anything
    mark: re.Pattern[str]  # what no other program's logs have
    console: Console  # what is looked for in its daemon's console
    package: str  # where its ``failures.toml`` lies
    codes: re.Pattern[str] | None = None  # the engine's own codes, where it has some

    @cached_property
    def catalogue(self) -> Catalogue:
        """What is known of its failures."""
        return read_catalogue(self.package, self.codes)

    @abstractmethod
    def life(self, lines: Sequence[LogLine]) -> L:
        """What the console of one start tells of its daemon."""

    @abstractmethod
    def ending(self, life: L, lines: Sequence[LogLine], status: str) -> Ending | None:
        """What the end of a daemon means; None where the console shows no end and its status says nothing.

        Args:
            status: its exit status, empty where it is not known.
        """

    @abstractmethod
    def is_of_a_request(self, line: LogLine, life: L) -> bool:
        """Whether a line is about a request, its client's affair."""

    def rank_of(self, line: str) -> int | None:
        found = _RANK.search(line)
        return int(found[1]) if found else None

    def contradicts(self, end: Explanation, told: Sequence[Explanation]) -> bool:
        """Whether what a console says itself rules out how its daemon is thought to have ended."""
        return False

    def missing_nodes(self, logs: Mapping[str, str]) -> tuple[str, ...]:
        return ()

    def own_code(self, word: str) -> CodeMeaning | None:
        """What a code of the engine's own means that no row of its catalogue names."""
        return None

    # What follows is the seam's: see ``LogReader``.

    def explain(self, text: str, *, status: str | int | None = "") -> list[Explanation]:
        """See ``LogReader.explain``.

        Within a kind they stand in the order in which they were printed, each failure once. Of a daemon that
        ended, what it survived is left out: the errors of a start that succeeded, refused requests, what came
        long before.
        """
        status = "" if status is None else str(status)
        lines = read_lines(text, ended=bool(status))
        life = self.life(lines)
        status = status or life.status
        found: dict[str, tuple[tuple[datetime, int], Failure]] = {}
        for at, failure in self._told(lines, life, ended=bool(status)):
            moment = (lines[at].time or datetime.min, at)
            if failure.id not in found or moment < found[failure.id][0]:
                found[failure.id] = (moment, failure)
        known = [
            self._explanation(failure, lines, at)
            for (_, at), failure in sorted(found.values(), key=lambda pair: pair[0])
        ]
        ending = self.ending(life, lines, status)
        return self._with_ending(known, ending, lines, life)

    def explain_waiting(self, text: str) -> list[Explanation]:
        """See ``LogReader.explain_waiting``; what it will wait for for ever stands first."""
        found: dict[str, tuple[Failure, Explanation]] = {}
        lines = read_lines(text)
        for at, line in enumerate(lines):
            over = [name for name, (one, _) in found.items() if any(text in line.text for text in one.until)]
            for name in over:
                del found[name]
            failure = self.catalogue.match(line.said)
            if failure is not None and (failure.kind == "waiting" or failure.also_waiting):
                found.setdefault(failure.id, (failure, self._explanation(failure, lines, at)))
        return [one for _, one in sorted(found.values(), key=lambda pair: not pair[0].also_waiting)]

    def first_errors(self, text: str, limit: int = 5) -> list[str]:
        lines = read_lines(text)
        life = self.life(lines)
        return first_errors_of(
            lines, life, self.catalogue, lambda line: self.is_of_a_request(line, life), limit
        )

    def exit_meaning(self, status: str) -> str:
        return self.status_meanings.get(str(status), "")

    def look_up(self, word: str) -> CodeMeaning | None:
        return look_up(word, self.catalogue, self.status_meanings, self.own_code)

    def speaks(self, text: str) -> bool:
        return self.mark.search(text) is not None

    def served(self, text: str) -> bool:
        """Whether a console's daemon served."""
        return self.life(read_lines(text)).served is not None

    def _told(self, lines: Sequence[LogLine], life: L, *, ended: bool) -> Iterator[tuple[int, Failure]]:
        """Every line that may tell why, with what it shows."""
        ended = ended or life.ended_at is not None
        last = lines[life.ended_at].time if life.ended_at is not None else (lines[-1].time if lines else None)
        for at, line in enumerate(lines):
            if line.level not in _LEVELS_OF_CAUSES or not line.said or follows_the_end(lines, at, life):
                continue
            failure = self.catalogue.match(line.said)
            if failure is None or failure.kind in ("harmless", "waiting", "request"):
                continue
            if not failure.ends:
                if not ended:
                    yield at, failure
                continue
            of_a_start = failure.id.startswith("A")
            if self.is_of_a_request(line, life) or is_survived(lines, at, life, of_a_start=of_a_start):
                continue
            age = seconds_between(line.time, last) if life.served is not None and ended else None
            if age is None or age <= _BURST_SECONDS:
                yield at, failure

    def _with_ending(
        self, known: list[Explanation], ending: Ending | None, lines: Sequence[LogLine], life: L
    ) -> list[Explanation]:
        told = _ranked(known)
        if ending is None:
            return told
        end = self._explanation(
            self.catalogue.named(ending.id),
            lines,
            ending.at,
            detail=ending.detail,
            inferred=life.ended_at is None,
        )
        if end.kind == "stopped":
            # What it was stuck at before it was stopped stays the cause; what it served with does not.
            stuck = [one for one in told if one.kind in ("cause", "network")] if life.served is None else []
            return [*stuck, end]
        if any(one.kind in ("cause", "network") for one in told) or self.contradicts(end, told):
            return told
        return [end, *told]

    def _explanation(
        self, failure: Failure, lines: Sequence[LogLine], at: int, *, detail: str = "", inferred: bool = False
    ) -> Explanation:
        line = lines[at] if 0 <= at < len(lines) else LogLine("", None, "", "")
        # Only a line that itself says what is wrong names the rank and the card that it is about.
        card = None if failure.inferred else _CARD.search(line.text)
        network = failure.kind == "network" and not failure.inferred
        return Explanation(
            id=failure.id,
            line=shortened(line.text, failure.place(line.text)),
            cause=failure.cause,
            remedy=failure.remedy,
            kind=failure.kind,
            rank=None if failure.inferred else self.rank_of(line.text),
            card=int(card[1]) if card else None,
            detail=detail[:LONGEST_LINE] or link_detail(lines, at, with_pair=network),
            confidence=_confidence(failure, inferred=inferred, doubtful=line.doubtful),
            time=line.time,
            doubtful=line.doubtful,
        )


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


def _confidence(failure: Failure, *, inferred: bool, doubtful: bool) -> Confidence:
    likely = inferred or doubtful
    return "likely" if likely and failure.confidence == "certain" else failure.confidence
