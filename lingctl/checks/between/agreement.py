"""What must be the same everywhere: who differs, and when nobody can be blamed.

Only what more than half have is what "most" have. Where there is no such value, but something from outside
tells which one is right (what the image needs, what the driver works with, the other cards of the cluster),
that decides. Else both values are named with who has them, and nobody is accused: with two nodes either may
be the healthy one, and a fix for the wrong one breaks it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from lingctl.findings import Finding, Verdict, ranges, together

NodeOrCard = tuple[str, int | None]
_LONGEST = 100
_MOST_NAMED = 6


@dataclass(frozen=True, slots=True)
class Same:
    """One thing that must be the same."""

    check: str  # name of the check
    verdict: Verdict  # of a difference
    odd: str  # what is said of one that differs from the others
    differ: str  # what is said where nobody can be blamed; the values follow
    fix: Callable[[NodeOrCard, Hashable], str]  # what to type to give a place a value
    # whether a value is right by what is known from outside; None where that does not tell
    fits: Callable[[NodeOrCard, Hashable], bool | None] = lambda place, value: None
    # the value that decides where none has a majority here; None if there is none
    otherwise: Hashable | None = None


def judge_same(
    same: Same, values: Mapping[NodeOrCard, Hashable], asked: Collection[NodeOrCard] = ()
) -> Iterator[Finding]:
    """The verdict on what the places have.

    Args:
        asked: every place; those without a value keep the rest from passing as "everywhere".
    """
    if not values or len({*asked, *values}) < 2:
        return
    silent = [place for place in asked if place not in values]
    if len(set(values.values())) == 1:
        yield _all_alike(same.check, next(iter(values.values())), silent)
        return
    usual, odd, rest = _split(same, values)
    for place in odd:
        seen = f"here {short(values[place])}"
        if usual is not None:
            having = sum(value == usual for value in values.values())
            seen += f", and {short(usual)} on {having} of {len(values)}"
        others = dict.fromkeys(rest.values())
        fix = " or ".join(same.fix(place, value) for value in ([usual] if usual is not None else others))
        yield Finding(same.check, same.verdict, same.odd, *place, evidence=seen, remedy=fix)
    if usual is None:
        yield _draw(same, rest)


def majority(values: Collection[Hashable]) -> Hashable | None:
    """What more than half of them are; None if nothing is."""
    ((value, count),) = Counter(values).most_common(1) or [(None, 0)]
    return value if 2 * count > len(values) else None


def words(places: Collection[NodeOrCard]) -> str:
    """Places in words, e.g. ``node1 cards 0-7, node2 card 3``."""
    cards: dict[str, list[int]] = defaultdict(list)
    for node, card in places:
        cards[node] += [] if card is None else [card]
    return ", ".join(
        f"{node} card{'s' if len(found) > 1 else ''} {ranges(found)}" if found else node
        for node, found in cards.items()
    )


def short(value: Hashable) -> str:
    """A value in words."""
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    text = re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1…", text)  # a digest
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _split(
    same: Same, values: Mapping[NodeOrCard, Hashable]
) -> tuple[Hashable | None, list[NodeOrCard], dict[NodeOrCard, Hashable]]:
    """(what is right or None, who differs, those among whom it was decided)."""
    unfit = [place for place, value in values.items() if same.fits(place, value) is False]
    rest = {place: value for place, value in values.items() if place not in unfit} or dict(values)
    if len(rest) == len(values):
        unfit = []
    usual = majority(list(rest.values()))
    if usual is None and same.otherwise in rest.values():
        usual = same.otherwise
    if usual is None:
        return None, unfit, rest
    return usual, [place for place, value in values.items() if value != usual], rest


def _all_alike(check: str, value: Hashable, silent: Collection[NodeOrCard]) -> Finding:
    if not silent:
        return Finding(check, Verdict.PASS, f"the same everywhere: {short(value)}")
    text = f"not judged everywhere: {short(value)} where it is known, not known of {words(silent)}"
    return Finding(check, Verdict.NOTE, text)


def _draw(same: Same, values: Mapping[NodeOrCard, Hashable]) -> Finding:
    having: dict[Hashable, list[NodeOrCard]] = defaultdict(list)
    for place, value in values.items():
        having[value].append(place)
    said = [f"{short(value)} on {words(places)}" for value, places in having.items()]
    more = f" and {len(said) - _MOST_NAMED} more" if len(said) > _MOST_NAMED else ""
    return Finding(
        same.check,
        same.verdict,
        f"{same.differ}, and which is right cannot be told from here: {'; '.join(said[:_MOST_NAMED])}{more}",
        remedy=_either(same, having),
    )


def _either(same: Same, having: Mapping[Hashable, Collection[NodeOrCard]]) -> str:
    """For each value, what makes the others have it too."""
    first, second = list(having)[:2]
    everyone = [place for places in having.values() for place in places]
    if all(same.fix(place, first) == same.fix(place, second) for place in everyone):
        return _fixes(same, everyone, first)
    ways = []
    for value in (first, second):
        others = [place for other, places in having.items() if other != value for place in places]
        ways.append(f"if {short(value)} is right, {_fixes(same, others, value)}")
    return "; ".join(ways)


def _fixes(same: Same, places: Iterable[NodeOrCard], value: Hashable) -> str:
    """What gives places a value, node by node."""
    fixes: dict[str, list[tuple[int | None, str]]] = defaultdict(list)
    for place in places:
        fixes[place[0]].append((place[1], same.fix(place, value)))
    return "; ".join(f"on {node}: {together(fix)}" for node, fix in fixes.items())
