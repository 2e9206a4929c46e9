"""How one fact is judged: where it could not be read, that is said, and nothing is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, Generic, ParamSpec, TypeVar

from lingctl.ascend.facts import CardFacts
from lingctl.ascend.unread import Unread
from lingctl.findings import Finding, Subject

Fact = TypeVar("Fact")
More = ParamSpec("More")
_Judged = Callable[Concatenate[Subject, Fact, CardFacts, More], Finding]


@dataclass(frozen=True, slots=True)
class CardJudge(Generic[Fact, More]):
    """Judges one fact of a card, perhaps by what is around it."""

    check: str
    fact: Callable[[CardFacts], Fact | Unread]
    optional: bool  # whether a driver or product may lack the query
    judged: _Judged[Fact, More]

    def __call__(self, node: str, card: CardFacts, *more: More.args, **named: More.kwargs) -> Finding:
        """The verdict on a node's card."""
        of, fact = Subject(self.check, node, card.card), self.fact(card)
        if isinstance(fact, Unread):
            return not_read(of, fact, optional=self.optional)
        return self.judged(of, fact, card, *more, **named)


def judge_of(
    check: str, fact: Callable[[CardFacts], Fact | Unread], *, optional: bool = False
) -> Callable[[_Judged[Fact, More]], CardJudge[Fact, More]]:
    """Makes a judge of a function that is given the subject, the fact and its card; see ``CardJudge``."""
    return lambda judged: CardJudge(check, fact, optional, judged)


def not_read(of: Subject, what: Unread, *, optional: bool = False) -> Finding:
    """The finding for an answer that gives no fact; ``optional``: a driver or product may lack the query."""
    if optional and what.reason in ("unsupported", "denied", "no-tool"):
        return of.note(f"not judged: {what.text}", evidence=what.quote)
    remedy = "ask again by hand, and if the answer is good, please report its text"
    return of.unknown(f"not judged: {what.text}", evidence=what.quote, remedy=remedy)
