"""What a daemon's words mean: how an engine reads its consoles and logs, and what it finds there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal, Protocol

FailureKind = Literal[
    "cause", "network", "consequence", "stopped", "request", "waiting", "harmless"
]  # as engine/words/failures.toml explains
Confidence = Literal["certain", "likely", "unknown"]
# What is said where nothing known explains an end; the first error lines stand below it.
NOTHING_KNOWN = "nothing known explains it; these are its first error lines"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A failure that was recognised, with the line that shows it."""

    id: str
    line: str  # the line as it was printed, cut to what matters
    cause: str
    remedy: str
    kind: FailureKind = "cause"  # how much the line says about the true cause
    rank: int | None = None  # the rank that the line names, if it does
    card: int | None = None  # the card that the line names, by the id that the process sees, if it does
    # what other lines add: the pair of cards, the TLS switches, an exception's words and place
    detail: str = ""
    # ``certain`` where the engine itself says it; ``likely`` where another program does, or where it is told
    # from what is missing; ``unknown`` where the line only follows from another one
    confidence: Confidence = "certain"
    # when the line was printed, as far as the log tells
    time: datetime | None = field(default=None, compare=False)
    # whether the line may have been survived: what is not goes before it
    doubtful: bool = False

    @property
    def words(self) -> str:
        """The cause, and how sure that is: said in these words wherever a cause is told."""
        if self.confidence == "unknown":
            return f"{self.cause}; {NOTHING_KNOWN}"
        return f"{self.cause} ({self.confidence})"

    @property
    def place(self) -> str:
        """Rank and card in words, empty where the line tells neither."""
        rank = "" if self.rank is None else f"rank {self.rank}"
        card = "" if self.card is None else f"card {self.card}"
        return ", ".join(part for part in (rank, card) if part)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The node that failed first, as far as the logs tell."""

    node: str  # its name
    explanation: Explanation | None  # what its log means, or None for an error that is not known
    evidence: str  # the quoted lines, three at most
    also: tuple[str, ...] = ()  # what the other nodes report, one line each

    @property
    def words(self) -> str:
        """The cause and how sure that is, or that nothing known explains it."""
        return self.explanation.words if self.explanation is not None else NOTHING_KNOWN

    @property
    def where(self) -> str:
        """The node, with rank and card where the line names them."""
        place = self.explanation.place if self.explanation is not None else ""
        return f"{self.node}, {place}" if place else self.node


@dataclass(frozen=True, slots=True)
class CodeMeaning:
    """What a code, an exit status, one of our own ids or codes says by itself."""

    code: str  # as it is written
    family: str  # whose it is; empty where that is not known
    meaning: str = ""  # in one clause, or empty where only the family is known
    remedy: str = ""  # empty where nothing is known, or nothing is to be done
    # how much it says about the true cause of a failed start; None where that is not known
    kind: FailureKind | None = None
    rows: tuple[str, ...] = ()  # ids of the catalogue's rows that a line with it shows
    source: str = ""  # where it is said
    seen: str = ""  # how far it was checked
    page: str = ""  # of the documentation, below docs/; empty where none says more


@dataclass(frozen=True, slots=True)
class Console:
    """What is looked for in a daemon's console on its node."""

    loaded: str  # in the line that the first node's daemon prints when it has loaded
    # in that of the other nodes'; empty where they print none: they count as loaded while they live
    loaded_elsewhere: str
    telling: str  # extended regular expression of lines that may say why a start failed, or how far it was
    requests: str  # extended regular expression of lines about refused requests, which never say why


class LogReader(Protocol):
    """Reads an engine's consoles and logs. Pure."""

    @property
    def console(self) -> Console:
        """What is looked for in its daemon's console."""

    def explain(self, text: str, *, status: str | int | None = "") -> list[Explanation]:
        """What is recognised: true causes first, then network trouble, then what only follows from them.

        Args:
            text: the console of one start, whole or its end, and after it what other logs of that start say.
            status: the daemon's exit status, empty while it runs or where that is not known.
        """

    def explain_waiting(self, text: str) -> list[Explanation]:
        """What a log says about a start that takes too long."""

    def first_errors(self, text: str, limit: int = 5) -> list[str]:
        """The lines that look like errors, for what is not known; the last lines of all where none does."""

    def exit_meaning(self, status: str) -> str:
        """What an exit status means, empty where it says nothing."""

    def look_up(self, word: str) -> CodeMeaning | None:
        """What a code, an exit status or an id of the catalogue means, as it was typed; else None."""

    def speaks(self, text: str) -> bool:
        """Whether a log is one of this engine's, as far as its words show."""

    def diagnose(
        self,
        logs: Mapping[str, str],
        ended: Collection[str],
        *,
        statuses: Mapping[str, str] = MappingProxyType({}),
        clocks: Mapping[str, float] = MappingProxyType({}),
    ) -> Diagnosis | None:
        """Which node's trouble is the true cause; None where none has ended and none reports anything known.

        Args:
            logs: the text of every node's console and error logs, by node, the primary first; a form feed at
                the beginning of a line begins another log.
            statuses: how these ended, by node, as far as it is known.
            clocks: seconds by which the clock that stamps a node's lines is ahead of the first one's, as far
                as it is known; a node that is not named is judged by the offsets that its lines tell.
        """

    def missing_nodes(self, logs: Mapping[str, str]) -> tuple[str, ...]:
        """Nodes that have not come to where others wait for them, as far as the consoles tell."""
        ...

    def waits_for_ever(self, logs: Mapping[str, str]) -> Diagnosis | None:
        """What makes living daemons wait for ever; cheap enough to be asked at every look."""

    def rank_of(self, line: str) -> int | None:
        """The rank that a line is about, as far as it says."""
