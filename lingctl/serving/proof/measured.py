"""What the reference says of the answers, and what that makes of them, in numbers. Pure.

The noise is measured in the same run: beside itself the reference goes through the model in bfloat16, rounded
after every operation. What that does to the logits of its eight first choices, at every place of every
answer, is the noise; the largest of it, twice, is what an answer's token may lie below the first choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from operator import sub
from statistics import median

from lingctl.node.prove.answers import ChoiceTold, PlaceTold
from lingctl.node.prove.streams import EXACT, ROUNDED
from lingctl.serving.proof.known_tokens import KnownText

# An engine rounds in another order than the rounded stream, and adds up partial sums of its cards.
_MARGIN = 2.0
# Likelihoods of a service are compared by their median; four times the noise's is no noise. Services tell
# them with three digits at least.
_NUMBERS_MARGIN, _NUMBERS_FLOOR = 4.0, 0.01
# A real engine in bf16 was as far off as the rounded twin (0.9 to 1.2 times); what is more than twice as far
# was not seen of a right one.
_NUMBERS_SEEN = 2.0
_HALF, _NEARER, _FEWEST_PLACES = 0.5, 0.9, 8
# Distances between likelihoods may all be longer or shorter by this much.
_LEAST_STRETCH = 0.02
_FEWEST_REPEATED = 10


@dataclass(frozen=True, slots=True)
class Noise:
    """What rounding to bfloat16 does to this model and these texts."""

    places: int
    gap: float  # how far below the first choice a token may lie
    others: int  # how many tokens may differ from the first choice
    number: float | None  # how far the median of likelihoods may be off; None where none are told
    flips: int  # places where rounding changed the first choice


@dataclass(frozen=True, slots=True)
class JudgedToken:
    """One token of an answer."""

    text: int  # which answer
    place: int
    token: int
    first: int  # the first choice of whoever judges
    gap: float  # logits between the two


@dataclass(frozen=True, slots=True)
class ProofJudgement:
    """What one stream makes of the answers: the reference, or one with a deliberate error."""

    places: int
    others: tuple[JudgedToken, ...]  # tokens that are not its first choice
    wrong: tuple[JudgedToken, ...]  # those of them that rounding cannot explain
    too_many: bool  # more others than rounding could make
    numbers: int  # how many likelihoods were compared
    number: float | None  # median of their differences
    furthest: float | None  # the largest
    numbers_wrong: bool
    numbers_odd: bool = False  # not wrong, but further off than a right engine was seen to be

    @property
    def is_wrong(self) -> bool:
        """Whether the answers are not this model's."""
        return bool(self.wrong) or self.too_many or self.numbers_wrong


@dataclass(frozen=True, slots=True)
class Measured:
    """One answer with what was told of it."""

    text: KnownText
    places: tuple[PlaceTold, ...]


def asked_tokens(text: KnownText) -> list[list[int]]:
    """Of each place, the tokens whose logits are wanted: the answer's own first."""
    numbers = (*text.numbers, *[{}] * (len(text.answer) - len(text.numbers)))
    return [
        [token, *(other for other in told if other != token)]
        for token, told in zip(text.answer, numbers, strict=False)
    ]


def noise_of(measured: Sequence[Measured]) -> Noise:
    """The noise, over all answers."""
    places = [place for one in measured for place in one.places]
    flips = sum(place.choices[ROUNDED].token != place.choices[EXACT].token for place in places)
    found = [abs(one) for one in _differences(measured, EXACT, by=ROUNDED)]
    return Noise(
        places=len(places),
        gap=_MARGIN * max(map(_shift, places)),
        others=_most_others(flips),
        number=_NUMBERS_MARGIN * median(found) + _NUMBERS_FLOOR if found else None,
        flips=flips,
    )


def _shift(place: PlaceTold) -> float:
    """How far rounding moves one of the first choices against the first, at most."""
    first = place.rounded[0] - place.exact[0]
    return max(abs(r - e - first) for r, e in zip(place.rounded, place.exact, strict=True))


def judged(measured: Sequence[Measured], noise: Noise, stream: str = EXACT) -> ProofJudgement:
    """What a stream makes of the answers."""
    others = tuple(_others(measured, stream))
    # What is no number is no agreement.
    wrong = tuple(one for one in others if not one.gap <= noise.gap)
    found = [abs(one) for one in _differences(measured, stream)]
    middle = median(found) if found else None
    return ProofJudgement(
        places=noise.places,
        others=others,
        wrong=wrong,
        too_many=len(others) > noise.others,
        numbers=len(found),
        number=middle,
        furthest=max(found, default=None),
        numbers_wrong=middle is not None and noise.number is not None and not middle <= noise.number,
        numbers_odd=middle is not None and noise.number is not None and not middle <= _seen(noise.number),
    )


def _seen(number: float) -> float:
    """Of how far a median may be off, how far it was seen to be."""
    return (number - _NUMBERS_FLOOR) * _NUMBERS_SEEN / _NUMBERS_MARGIN + _NUMBERS_FLOOR


def repeated(measured: Sequence[Measured], noise: Noise) -> float | None:
    """How far likelihoods of tokens are off that stood before, where rounding cannot explain it and others
    are as they should be: a service that gives what was said another weight. None where that is not so."""
    before, others = list[float](), list[float]()
    for one in measured:
        said = set(one.text.prompt)
        rows = zip(one.places, one.text.numbers, asked_tokens(one.text), one.text.answer, strict=False)
        for told, numbers, asked, token in rows:
            mine = told.choices[EXACT].wanted
            fresh = [place for place, other in enumerate(asked) if other not in said]
            if fresh:
                # By a token that nothing was done to: all others are off by what was done to them.
                first = fresh[0]
                for place, other in enumerate(asked):
                    off = (numbers[other] - numbers[asked[first]]) - (mine[place] - mine[first])
                    if place != first:
                        (before if other in said else others).append(abs(off))
            said.add(token)
    if len(before) < _FEWEST_REPEATED or noise.number is None or not others:
        return None
    off = median(before)
    return off if off > noise.number and off > _NUMBERS_MARGIN * median(others) else None


@dataclass(frozen=True, slots=True)
class Leaning:
    """Whether a service's likelihoods are those of the reference, or of a model with an error: 0 or 1.

    An error may be smaller than what rounding does to single numbers and still show in all of them together:
    it moves each in a direction of its own, which is known.
    """

    share: float  # how much of the error is in the service's likelihoods
    uncertain: float  # what rounding may add to that
    explained: bool  # whether it is nearer to that model than to the reference

    @property
    def is_sure(self) -> bool:
        """Whether 0 and 1 can be told apart."""
        return self.uncertain < _HALF

    @property
    def is_wrong(self) -> bool:
        """Whether the service makes this error."""
        return self.is_sure and self.share > _HALF and self.explained


def leaning(measured: Sequence[Measured], stream: str) -> Leaning | None:
    """How far the service's likelihoods lean to those of a stream; None where it tells too few.

    The share is the one that leaves the least sum of absolute differences (a weighted median), so that single
    numbers that are far off count little. Three standard errors of it are uncertain, where the noise is taken
    to be twice the rounded twin's, and the numbers of one place count as one.
    """
    if any(stream not in place.choices for one in measured for place in one.places):
        return None
    off = list(_differences(measured, EXACT))
    there = list(_differences(measured, EXACT, by=stream))
    rounded = list(_differences(measured, EXACT, by=ROUNDED))
    return _leaning(measured, off, there, rounded)


def stretch(measured: Sequence[Measured]) -> Leaning | None:
    """How much longer or shorter all distances between a service's likelihoods are than the reference's; None
    where it tells too few, or where that is as it should be.

    A temperature, a last norm or a head that is scaled does this, and changes no first choice.
    """
    there, off, rounded = list[float](), list[float](), list[float]()
    for told, numbers in _numbered(measured):
        mine = _apart(told.choices[EXACT].wanted)
        there += mine
        off += map(sub, _apart(numbers), mine)
        rounded += map(sub, _apart(told.choices[ROUNDED].wanted), mine)
    lean = _leaning(measured, off, there, rounded)
    if lean is None or abs(lean.share) <= max(lean.uncertain, _LEAST_STRETCH):
        return None
    left = sum(abs(a - lean.share * b) for a, b in zip(off, there, strict=True))
    return lean if left < _NEARER * sum(map(abs, off)) else None


def _leaning(
    measured: Sequence[Measured], off: Sequence[float], there: Sequence[float], rounded: Sequence[float]
) -> Leaning | None:
    places = sum(min(len(one.places), len(one.text.numbers)) for one in measured)
    squares = sum(one * one for one in there)
    if places < _FEWEST_PLACES or not squares:
        return None
    noise = _MARGIN * 1.5 * median(abs(one) for one in rounded)
    uncertain = 3 * noise / sqrt(squares * places / len(there))
    left = sum(abs(a - b) for a, b in zip(off, there, strict=True))
    return Leaning(_share(off, there), uncertain, left < _NEARER * sum(map(abs, off)))


def _share(off: Sequence[float], there: Sequence[float]) -> float:
    ratios = sorted((a / b, abs(b)) for a, b in zip(off, there, strict=True) if b)
    half, passed = sum(weight for _, weight in ratios) / 2, 0.0
    for ratio, weight in ratios:
        passed += weight
        if passed >= half:
            return ratio
    return 0.0


def _most_others(flips: int) -> int:
    """Twice as many as rounding made, and three standard deviations of so rare a count."""
    expected = _MARGIN * flips + 1
    return int(expected + 3 * sqrt(expected))


def _others(measured: Sequence[Measured], stream: str) -> Iterator[JudgedToken]:
    for number, one in enumerate(measured):
        for place, told in enumerate(one.places):
            choice, token = told.choices[stream], one.text.answer[place]
            if choice.token != token:
                yield JudgedToken(number, place, token, choice.token, choice.logit - choice.wanted[0])


def _differences(measured: Sequence[Measured], stream: str, *, by: str = "") -> Iterator[float]:
    """How far log likelihoods are off: the service's, or those of another stream.

    That of the answer's token itself; of another token its distance from that, which a service that tells
    likelihoods of a part of the vocabulary has right too.
    """
    for told, numbers in _numbered(measured):
        mine, theirs = _numbers(told.choices[stream]), _numbers(told.choices[by]) if by else numbers
        yield theirs[0] - mine[0]
        yield from map(sub, _apart(theirs), _apart(mine))


def _numbered(measured: Sequence[Measured]) -> Iterator[tuple[PlaceTold, list[float]]]:
    """Each place of which the service tells likelihoods, with them: that of the answer's token first."""
    for one in measured:
        for told, numbers, asked in zip(one.places, one.text.numbers, asked_tokens(one.text), strict=False):
            yield told, [numbers[token] for token in asked]


def _apart(numbers: Sequence[float]) -> list[float]:
    """How far all others are from the first."""
    return [number - numbers[0] for number in numbers[1:]]


def _numbers(choice: ChoiceTold) -> list[float]:
    return [logit - choice.log_sum for logit in choice.wanted]
