"""Which tokens a prompt and its answer are made of, as far as that can be known. Pure.

A text does not tell its tokens: it can be cut in more than one way. So what the service tells counts first;
what the tokenizer of the weights makes of the texts counts only where the service's own counts, and each
token that it shows, say the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lingctl.node.prove.answers import Encoding
from lingctl.serving.proof.asking import Answered, Likely

_HALF = "\ufffd"
# OpenAI's word for an answer that ended by itself, and that of /infer.
_BY_ITSELF = ("stop", "eos_token")


@dataclass(frozen=True, slots=True)
class KnownText:
    """A prompt and its answer as tokens.

    Numbers are the service's log likelihoods of each answer token, and of other tokens at its place.
    """

    answered: Answered
    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    numbers: tuple[Mapping[int, float], ...]  # by token; empty where none are told
    own_prompt: tuple[int, ...] | None  # what the tokenizer of the weights makes of the prompt
    end_tokens: tuple[int, ...] = ()  # that end a text of this model


@dataclass(frozen=True, slots=True)
class UnknownText:
    """An answer whose tokens are not known."""

    answered: Answered
    why: str
    prompt: tuple[int, ...] = ()  # the prompt's tokens, where it is the answer's that are not known
    remedy: str = ""


def known_text(
    answered: Answered,
    prompt: Encoding | None,
    answer: Encoding | None,
    singles: Mapping[str, int],
    end_tokens: Sequence[int],
    why_not: str = "",
) -> KnownText | UnknownText:
    """The tokens of an answer.

    Args:
        prompt: what the tokenizer of the weights makes of the prompt; None where there is none.
        answer: the same of the answer's text.
        singles: texts that are one token each.
        end_tokens: that end a text.
        why_not: why there is no tokenizer, if there is none.
    """
    asked = _prompt(answered, prompt)
    none = f": {why_not}" if why_not else ""
    remedy = "install the library tokenizers where the reference runs" if why_not else ""
    if isinstance(asked, str):
        return UnknownText(answered, f"{asked}{none}", remedy=remedy)
    said = _answer(answered, answer, end_tokens)
    if isinstance(said, str):
        return UnknownText(answered, f"{said}{none}", asked, remedy)
    said = _ended(answered, said, end_tokens)
    own = prompt.ids if prompt else None
    return KnownText(answered, asked, said, _aligned(answered, said, singles), own, tuple(end_tokens))


def _ended(answered: Answered, said: tuple[int, ...], end_tokens: Sequence[int]) -> tuple[int, ...]:
    """With the end token that a service took, where it ended by itself and does not show it.

    One that ends at another token is then judged by the reference as one that took the end token there. Of
    several end tokens it is not known which one it was.
    """
    by_itself = answered.finish in _BY_ITSELF and len(said) < answered.question.max_tokens
    if not by_itself or len(end_tokens) != 1 or said[-1] in end_tokens:
        return said
    return (*said, end_tokens[0])


def _prompt(answered: Answered, own: Encoding | None) -> tuple[int, ...] | str:
    if answered.prompt_tokens is not None:
        return answered.prompt_tokens
    if own is None:
        return "the service does not tell the prompt's tokens, and there is no tokenizer"
    if answered.prompt_count is not None and answered.prompt_count != len(own.ids):
        return (
            f"the service counts {answered.prompt_count} tokens of the prompt, "
            f"the tokenizer of the weights {len(own.ids)}"
        )
    return own.ids


def _answer(answered: Answered, own: Encoding | None, end_tokens: Sequence[int]) -> tuple[int, ...] | str:
    """The tokens; or why they are not known."""
    if answered.answer_tokens is not None:
        return answered.answer_tokens
    named = tuple(one.chosen.token for one in answered.numbers if one.chosen.token is not None)
    if named and len(named) == len(answered.numbers):
        return named
    if own is None:
        return "the service does not tell the answer's tokens, and there is no tokenizer"
    count = answered.answer_count if answered.answer_count is not None else len(answered.numbers)
    if not count:
        return "the service tells neither the answer's tokens nor how many there are"
    ids, pieces = own.ids, own.pieces
    if count == len(ids) + 1 and answered.finish in (*_BY_ITSELF, "") and end_tokens:
        ids, pieces = (*ids, end_tokens[0]), (*pieces, "")
    if count != len(ids):
        return f"the service counts {count} tokens of the answer, the tokenizer of the weights {len(ids)}"
    for shown, piece in zip(answered.numbers, pieces, strict=False):
        text = shown.chosen.text
        if text and piece and _HALF not in text and text != piece:
            return f"the service shows the token {text!r} where the tokenizer has {piece!r}"
    return ids


def _aligned(
    answered: Answered, answer: tuple[int, ...], singles: Mapping[str, int]
) -> tuple[Mapping[int, float], ...]:
    """Numbers by token for each place of the answer; none where they are not as many.

    MindIE shows no text of a token that is half a character, so its own number is known and others' are not.
    """
    if len(answered.numbers) not in (len(answer), len(answer) - 1):
        return ()
    found: list[Mapping[int, float]] = []
    for token, numbers in zip(answer, answered.numbers, strict=False):
        told = {}
        for other in numbers.others:
            known = _id_of(other, singles)
            if known is not None:
                told[known] = other.logprob
        found.append({**told, token: numbers.chosen.logprob})
    return tuple(found)


def _id_of(likely: Likely, singles: Mapping[str, int]) -> int | None:
    return likely.token if likely.token is not None else singles.get(likely.text)


def shown_texts(answered: Sequence[Answered]) -> list[str]:
    """Every text of a token that a service shows without its id."""
    found = {
        one.text
        for answer in answered
        for numbers in answer.numbers
        for one in numbers.others
        if one.token is None and one.text and _HALF not in one.text
    }
    return sorted(found)
