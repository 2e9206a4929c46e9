"""What a proof found, as findings. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from lingctl.findings import Finding, Subject
from lingctl.serving.proof.asking import Answered
from lingctl.serving.proof.known_tokens import UnknownText
from lingctl.serving.proof.measured import (
    JudgedToken,
    Leaning,
    Measured,
    Noise,
    ProofJudgement,
    judged,
    leaning,
    noise_of,
    repeated,
    stretch,
)

CONTROLS: Mapping[str, str] = {
    "experts-exchanged": "the two most used experts of every layer exchanged",
    "heads-dealt-wrongly": "each query head with the key and value head of its neighbour",
    "router-likelihoods": "the chosen experts' weights divided by their sum where they must not be, or not",
    "head-normalisation": "the head normalised where it must not be, or not where it must",
}
_LOOK = "lingctl verify-weights --full on every node; lingctl patch status; lingctl status"
_MORE = "more and longer answers (--max-tokens, --prompts), or a service that tells likelihoods (logprobs)"


class Proof:
    """What the reference's numbers make of answers.

    Args:
        controls: streams with a deliberate error.
        pieces: texts of tokens, for people, by their ids as text.
    """

    def __init__(
        self, measured: Sequence[Measured], controls: Sequence[str], pieces: Mapping[str, str]
    ) -> None:
        self._measured, self._names, self._pieces = measured, controls, pieces

    @cached_property
    def _noise(self) -> Noise:
        return noise_of(self._measured)

    @cached_property
    def _right(self) -> ProofJudgement:
        return judged(self._measured, self._noise)

    @cached_property
    def _controls(self) -> Mapping[str, tuple[ProofJudgement, Leaning | None]]:
        measured = self._measured
        return {name: (judged(measured, self._noise, name), leaning(measured, name)) for name in self._names}

    def findings(self, unknown: Sequence[UnknownText], not_made: Mapping[str, str]) -> list[Finding]:
        """Everything that was found: prompts, answers, likelihoods, and whether the controls were noticed."""
        found = [*_prompts(self._measured), *_unknown(unknown)]
        if not self._measured:
            return [*found, Subject("answers").unknown("no answer could be judged", remedy=_MORE)]
        found += [self._greedy(), self._answers(), *self._ends(), *self._likelihoods()]
        for name, (control, lean) in self._controls.items():
            if lean is not None and lean.is_wrong:
                found.append(_made(name, lean))
            elif self._right.is_wrong:
                # It would be noticed in any answer that is wrong.
                found.append(Subject(f"control-{name}").note("says nothing: the answers are wrong"))
            else:
                found.append(_control(name, control, self._noise, lean))
        found += [Subject(f"control-{name}").note(f"not made: {why}") for name, why in not_made.items()]
        return found

    def _greedy(self) -> Finding:
        """By the service's own numbers alone: at temperature 0 it says what it finds likeliest."""
        of = Subject("greedy")
        if not any(one.text.numbers for one in self._measured):
            return of.note(
                "the service tells no likelihoods: whether it says what it finds likeliest is not known"
            )
        for one in self._measured:
            for token, numbers in zip(one.text.answer, one.text.numbers, strict=False):
                better = max(numbers, key=lambda other: numbers[other])
                # Likelihoods that are told with few digits may be equal.
                if numbers[better] > numbers[token] + 0.02:
                    return of.failure(
                        "the service does not say what it finds likeliest itself: the answer is not greedy",
                        evidence=f"{one.text.answered.question.name}: it says {self._token(token)} and gives "
                        f"{self._token(better)} {numbers[better] - numbers[token]:.2f} more",
                        remedy="is temperature 0 obeyed? nothing on the way may sample or change answers",
                    )
        return of.passes("every token is the one that the service itself finds likeliest")

    def _answers(self) -> Finding:
        right, noise = self._right, self._noise
        of = Subject("answers")
        same = right.places - len(right.others)
        agree = f"{same} of {right.places} tokens are the reference's own first choice"
        if right.wrong:
            first = right.wrong[0]
            return of.failure(
                f"{len(right.wrong)} of {right.places} tokens are wrong; {agree}",
                evidence=self._wrong(first),
                remedy=_LOOK,
            )
        if right.too_many:
            return of.failure(
                f"{agree}: more others than rounding explains, which makes {noise.flips}",
                evidence=self._wrong(max(right.others, key=lambda one: one.gap)),
                remedy=_LOOK,
            )
        if right.others:
            largest = max(one.gap for one in right.others)
            rest = f"the other {len(right.others)} at most {largest:.3g} below"
            return of.passes(f"{agree}, {rest}; rounding explains {noise.gap:.3g}")
        return of.passes(
            f"{agree}; rounding would explain {noise.others} others, up to {noise.gap:.3g} below it"
        )

    def _wrong(self, one: JudgedToken) -> str:
        text = self._measured[one.text].text
        before = "".join(
            self._pieces.get(str(token), "") for token in text.answer[max(0, one.place - 12) : one.place]
        )
        return (
            f"{text.answered.question.name}, token {one.place + 1}, after {before!r}:\n"
            f"the service says {self._token(one.token)}, the reference {self._token(one.first)}, "
            f"{one.gap:.3g} logits above it; rounding explains {self._noise.gap:.3g}"
        )

    def _numbers(self) -> Finding:
        right, noise = self._right, self._noise
        of = Subject("likelihoods")
        if right.number is None or noise.number is None or right.furthest is None:
            return of.note("the service tells no likelihoods: tokens alone were compared")
        text = (
            f"{right.numbers} log likelihoods: median difference {right.number:.2g} "
            f"(rounding explains {noise.number:.2g}), largest {right.furthest:.2g}"
        )
        if right.numbers_wrong:
            return of.failure(text, remedy=_LOOK)
        if right.numbers_odd:
            return of.warning(f"{text}; no right engine was seen to be so far off", remedy=_LOOK)
        return of.passes(text)

    def _likelihoods(self) -> Iterator[Finding]:
        yield self._numbers()
        # What moves all numbers a little, or few of them far, and no first choice.
        lean = stretch(self._measured)
        if lean is not None:
            yield Subject("likelihoods").failure(
                f"all distances between likelihoods are {1 + lean.share:.3g} times the reference's "
                f"(rounding makes up to {lean.uncertain:.2g} of that)",
                remedy="does the service tell them at another temperature? lingctl verify-weights --full",
            )
        off = repeated(self._measured, self._noise)
        if off is not None:
            yield Subject("likelihoods").failure(
                f"tokens that stood before have other likelihoods, by {off:.2g} in the median: said words "
                "count otherwise than the model has it",
                remedy="is a penalty of repetition set in generation_config.json or by the service?",
            )

    def _ends(self) -> Iterator[Finding]:
        """Where answers end."""
        of = Subject("ends")
        for one in self._measured:
            text, asked = one.text, one.text.answered.question
            inside = next((token for token in text.answer[:-1] if token in text.end_tokens), None)
            if inside is not None:
                yield of.failure(
                    f"{asked.name} goes on after {self._token(inside)}, which ends a text of this model",
                    remedy="is the end token of generation_config.json and config.json the published one?",
                )
                return
        texts = [one.text for one in self._measured if one.text.answered.finish == "length"]
        cut = [
            text.answered.question for text in texts if len(text.answer) < text.answered.question.max_tokens
        ]
        if cut:
            yield of.warning(
                f"answers end before the length that was asked for: {', '.join(one.name for one in cut[:4])}",
                remedy="does the service limit answers, or the context? what comes later was not proved",
            )

    def figures(self) -> dict[str, object]:
        """What the verdicts rest on, in numbers; logits and natural logarithms."""
        if not self._measured:
            return {}
        right, noise = self._right, self._noise
        first = right.wrong[0] if right.wrong else None
        return {
            "tokens": right.places,
            "first_choices": right.places - len(right.others),
            "wrong": len(right.wrong),
            "largest_gap": max((one.gap for one in right.others), default=0.0),
            "explained_gap": noise.gap,
            "changed_by_rounding": noise.flips,
            "likelihoods": right.numbers,
            "median_difference": right.number,
            "explained_difference": noise.number,
            "largest_difference": right.furthest,
            "first_wrong": first
            and {
                "question": self._measured[first.text].text.answered.question.name,
                "place": first.place + 1,
                "token": first.token,
                "text": self._pieces.get(str(first.token)),
                "reference": first.first,
                "reference_text": self._pieces.get(str(first.first)),
                "gap": first.gap,
            },
            "controls": {name: _figures_of(*control) for name, control in self._controls.items()},
        }

    def _token(self, token: int) -> str:
        """A token in words; its id where there is no text."""
        piece = self._pieces.get(str(token))
        return f"token {token}" if piece is None else f"{piece!r} ({token})"


def _prompts(measured: Sequence[Measured]) -> Iterator[Finding]:
    """Whether the service makes the tokens of a prompt that the weights' own tokenizer makes."""
    compared = [one.text for one in measured if one.text.own_prompt is not None]
    for text in compared:
        if text.own_prompt != text.prompt:
            yield Subject("prompt-tokens").failure(
                "the service makes other tokens of a prompt than the tokenizer of the weights "
                f"({text.answered.question.name})",
                evidence=f"service   {_some(text.prompt)}\ntokenizer {_some(text.own_prompt or ())}",
                remedy="tokenizer.json, tokenizer_config.json and chat template: are they as published?",
            )
    if compared and all(text.own_prompt == text.prompt for text in compared):
        yield Subject("prompt-tokens").passes(
            "every prompt has the tokens that the weights' tokenizer makes of it"
        )


def _some(tokens: Sequence[int]) -> str:
    return " ".join(map(str, tokens[:24])) + (" ..." if len(tokens) > 24 else "")


def _unknown(unknown: Sequence[UnknownText]) -> Iterator[Finding]:
    for one in unknown:
        yield Subject("tokens").unknown(
            f"not judged: the tokens of {one.answered.question.name} are not known: {one.why}",
            remedy=one.remedy,
        )


def _made(name: str, lean: Leaning) -> Finding:
    text = f"the service's likelihoods are those of a model with this error: {CONTROLS.get(name, name)}"
    return Subject(f"control-{name}").failure(text, evidence=_shares(lean), remedy=_LOOK)


def _shares(lean: Leaning) -> str:
    share, uncertain = 100 * lean.share, 100 * lean.uncertain
    return f"{share:.0f} % of it is in the likelihoods, rounding makes up to {uncertain:.0f} %"


def _control(name: str, control: ProofJudgement, noise: Noise, lean: Leaning | None) -> Finding:
    of, what = Subject(f"control-{name}"), CONTROLS.get(name, name)
    if not control.is_wrong and lean is not None and lean.is_sure:
        return of.passes(f"is noticed: {what}: {_shares(lean)}")
    if not control.is_wrong:
        return of.unknown(f"would not be noticed: {what}", remedy=_MORE)
    said = f"{len(control.others)} of {control.places} tokens differ, {len(control.wrong)} of them wrong"
    if control.number is not None and noise.number is not None:
        said += f"; likelihoods off by {control.number:.2g}"
    return of.passes(f"is noticed: {what}: {said}")


def _figures_of(control: ProofJudgement, lean: Leaning | None) -> dict[str, object]:
    return {
        "rejected": control.is_wrong,
        "others": len(control.others),
        "wrong": len(control.wrong),
        "median_difference": control.number,
        "share": lean and lean.share,
        "uncertain": lean and lean.uncertain,
    }


def questions_of(answered: Sequence[Answered]) -> list[dict[str, object]]:
    """What was asked and answered, as plain data."""
    return [
        {
            "name": one.question.name,
            "prompt": one.question.text,
            "answer": one.text,
            "finish_reason": one.finish,
            "prompt_tokens": one.prompt_count,
            "output_tokens": one.answer_count,
        }
        for one in answered
    ]
