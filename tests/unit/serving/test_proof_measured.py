"""What is made of the reference's numbers: right, within rounding, wrong; and of the controls."""

import math
from dataclasses import replace
from random import Random

import pytest

from lingctl.findings import Verdict, proof_status
from lingctl.node.prove.answers import ChoiceTold, PlaceTold
from lingctl.serving.proof.asking import Answered
from lingctl.serving.proof.known_tokens import KnownText, UnknownText
from lingctl.serving.proof.measured import (
    Measured,
    asked_tokens,
    judged,
    leaning,
    noise_of,
    repeated,
    stretch,
)
from lingctl.serving.proof.questions import ProofQuestion
from lingctl.serving.proof.verdicts import Proof

SHOWN = {"1": "one", "2": "two", "3": "three"}
WORDS = ("experts-exchanged",)


def stream(logits, asked):
    first = max(logits, key=lambda token: logits[token])
    log_sum = math.log(sum(map(math.exp, logits.values())))
    return ChoiceTold(first, logits[first], log_sum, tuple(logits[token] for token in asked))


def place(exact, rounded, asked, control=None):
    best = sorted(exact, key=lambda token: -exact[token])
    choices = {"exact": stream(exact, asked), "rounded": stream(rounded, asked)}
    if control:
        choices["experts-exchanged"] = stream(control, asked)
    return PlaceTold(choices, tuple(best), tuple(exact[t] for t in best), tuple(rounded[t] for t in best))


def likelihoods(logits):
    log_sum = math.log(sum(map(math.exp, logits.values())))
    return {token: logit - log_sum for token, logit in logits.items()}


RIGHT = {1: 5.0, 2: 4.9, 3: 1.0}
ROUNDED = {1: 5.0, 2: 4.95, 3: 1.0}  # moves a first choice by 0.05: 0.1 is what rounding explains
OTHER = {1: 1.0, 2: 5.0, 3: 4.0}


def measured(answer=(1,) * 20, numbers=RIGHT, exact=RIGHT, rounded=ROUNDED, control=OTHER):
    told = tuple(likelihoods(numbers) for _ in answer) if numbers else ()
    answered = Answered(ProofQuestion("english", "Hi", 20), "text", "length")
    text = KnownText(answered, (7, 8), tuple(answer), told, None)
    asked = asked_tokens(text)
    return Measured(text, tuple(place(exact, rounded, asked[n], control) for n in range(len(answer))))


def found(*texts, controls=WORDS, unknown=()):
    findings = Proof(texts, controls, SHOWN).findings(unknown, {})
    return {finding.check: finding for finding in findings}, proof_status(findings)


def test_first_choices_with_their_likelihoods_are_proved():
    told, status = found(measured())
    assert status == 0
    assert {check: finding.verdict for check, finding in told.items()} == {
        "greedy": Verdict.PASS,
        "answers": Verdict.PASS,
        "likelihoods": Verdict.PASS,
        "control-experts-exchanged": Verdict.PASS,
    }
    assert "20 of 20" in told["answers"].message


def test_what_rounding_explains_is_no_mistake():
    told, status = found(measured(answer=(1,) * 19 + (2,), numbers=None))
    assert told["answers"].verdict is Verdict.PASS
    assert "19 of 20" in told["answers"].message
    assert status == 0


def test_a_token_further_below_is_wrong_and_shown():
    told, status = found(measured(answer=(1,) * 10 + (3,) + (1,) * 9, numbers=None))
    assert status == 1
    assert "1 of 20 tokens are wrong" in told["answers"].message
    assert "token 11" in told["answers"].evidence
    assert "'three' (3)" in told["answers"].evidence
    assert "'one' (1)" in told["answers"].evidence
    assert told["control-experts-exchanged"].verdict is Verdict.NOTE


def test_too_many_others_are_wrong_although_each_is_near():
    told, status = found(measured(answer=(2,) * 20, numbers=None))
    assert status == 1
    assert "more others than rounding explains" in told["answers"].message


def test_likelihoods_tell_what_tokens_do_not():
    """A head that is not normalised gives the same first choices, with other likelihoods."""
    steep = {token: 3 * logit for token, logit in RIGHT.items()}
    told, status = found(measured(numbers=steep))
    assert told["answers"].verdict is Verdict.PASS
    assert told["likelihoods"].verdict is Verdict.FAILURE
    assert status == 1


def test_a_service_without_likelihoods_is_told_so():
    told, status = found(measured(numbers=None))
    assert (told["likelihoods"].verdict, told["greedy"].verdict) == (Verdict.NOTE, Verdict.NOTE)
    assert status == 0


def test_a_control_that_would_not_be_noticed_is_no_proof():
    told, status = found(measured(control=RIGHT))
    assert told["control-experts-exchanged"].verdict is Verdict.UNKNOWN
    assert told["control-experts-exchanged"].remedy
    assert status == 3


def test_an_answer_that_is_not_greedy_by_its_own_numbers():
    told, status = found(measured(answer=(2,) + (1,) * 19))
    assert told["greedy"].verdict is Verdict.FAILURE
    assert status == 1


def test_unknown_tokens_are_neither_right_nor_wrong():
    lost = UnknownText(Answered(ProofQuestion("code", "x", 8), "y", "stop"), "nobody tells them")
    told, status = found(measured(), unknown=(lost,))
    assert told["tokens"].verdict is Verdict.UNKNOWN
    assert status == 3
    told, status = found(unknown=(lost,))
    assert told["answers"].verdict is Verdict.UNKNOWN
    assert status == 3


def test_other_tokens_of_a_prompt_than_the_tokenizer_makes():
    one = measured()
    other = replace(one, text=replace(one.text, own_prompt=(7, 9)))
    told, status = found(other)
    assert told["prompt-tokens"].verdict is Verdict.FAILURE
    assert status == 1
    same = replace(one, text=replace(one.text, own_prompt=(7, 8)))
    assert found(same)[0]["prompt-tokens"].verdict is Verdict.PASS


def test_what_is_no_number_is_no_agreement():
    """Only the reference's own numbers are known to be finite."""
    one = measured(answer=(2,) * 1, numbers=None)
    noise = noise_of([one])
    broken = replace(
        one.places[0],
        choices={**one.places[0].choices, "exact": ChoiceTold(1, math.nan, math.nan, (math.nan,))},
    )
    assert judged([replace(one, places=(broken,))], noise).is_wrong


@pytest.mark.parametrize(("flips", "most"), [(0, 4), (10, 34)])
def test_how_many_may_differ_follows_from_what_rounding_did(flips, most):
    flipped = {1: 4.8, 2: 4.9, 3: 1.0}
    texts = [measured(rounded=flipped) for _ in range(flips // 10)] or [measured()]
    texts = [replace(one, places=one.places[:flips] if flips else one.places) for one in texts]
    texts = [replace(one, text=replace(one.text, answer=one.text.answer[: len(one.places)])) for one in texts]
    assert noise_of(texts).others == most


def test_an_error_below_the_noise_of_single_numbers_is_told_by_all_of_them():
    """Half a hundredth in a hundred numbers, where rounding moves each by more than that."""
    random = Random(1)
    places, numbers = [], []
    for _ in range(200):
        exact = {token: random.uniform(0, 5) for token in range(6)}
        error = {token: logit + random.gauss(0, 0.01) for token, logit in exact.items()}
        rounded, served = (
            {token: logit + random.gauss(0, 0.01) for token, logit in one.items()} for one in (exact, error)
        )
        asked = sorted(exact, key=lambda token, logits=served: -logits[token])
        places.append(place(exact, rounded, asked, error))
        numbers.append({token: likelihoods(served)[token] for token in asked})
    answer = tuple(next(iter(told)) for told in numbers)
    text = KnownText(
        Answered(ProofQuestion("english", "Hi", 200), "", ""), (7,), answer, tuple(numbers), None
    )
    wrong = Measured(text, tuple(places))
    assert not judged([wrong], noise_of([wrong])).is_wrong
    told, status = found(wrong)
    assert told["control-experts-exchanged"].verdict is Verdict.FAILURE
    assert "likelihoods are those of a model with this error" in told["control-experts-exchanged"].message
    assert status == 1
    exchanged = {"experts-exchanged": "exact", "exact": "experts-exchanged", "rounded": "rounded"}
    right = replace(
        wrong,
        places=tuple(
            replace(one, choices={name: one.choices[other] for name, other in exchanged.items()})
            for one in places
        ),
    )
    lean = leaning([right], "experts-exchanged")
    assert lean is not None
    assert abs(lean.share) < 0.2
    assert not lean.is_wrong


def told_at_each_place(first, later):
    """An answer of one word, where the service tells other numbers once the word was said."""
    one = measured()
    numbers = (likelihoods(first), *(likelihoods(later) for _ in one.text.numbers[1:]))
    return [replace(one, text=replace(one.text, numbers=numbers))]


def test_a_word_that_counts_less_once_it_was_said_is_told_by_that_word_alone():
    punished = told_at_each_place(RIGHT, {**RIGHT, 1: 4.0})
    assert repeated(punished, noise_of(punished)) == pytest.approx(1.0)
    all_off = told_at_each_place(RIGHT, {**RIGHT, 1: 4.0, 3: 2.0})
    assert repeated(all_off, noise_of(all_off)) is None
    right = told_at_each_place(RIGHT, RIGHT)
    assert repeated(right, noise_of(right)) is None


@pytest.mark.parametrize(("factor", "seen"), [(1.1, 0.1), (0.9, -0.1), (1.0, None), (1.001, None)])
def test_distances_that_are_all_longer_or_shorter_are_told(factor: float, seen: float | None):
    lean = stretch([measured(numbers={token: factor * logit for token, logit in RIGHT.items()})])
    assert (
        (lean is None) if seen is None else (lean is not None and lean.share == pytest.approx(seen, abs=0.01))
    )
