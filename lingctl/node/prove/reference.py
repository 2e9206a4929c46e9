"""One pass over the weights: what reference, rounded twin and controls say of every answer token."""

from __future__ import annotations

import math
import os
import resource
import time
from itertools import islice
from typing import Any, Dict, NamedTuple, Sequence, Tuple

from lingctl.node.prove.answers import Pass, PlaceTold
from lingctl.node.prove.architecture import BailingShape, expected_tensors
from lingctl.node.prove.decoder import Decoder, Operations
from lingctl.node.prove.head import HeldHead
from lingctl.node.prove.stored import StoredTensors
from lingctl.node.prove.streams import EXACT, EXPERTS, HEAD, HEADS, ROUTER, lanes
from lingctl.node.trouble import Trouble

# Of all texts together: a state of each token in each stream is held.
MOST_TOKENS = 32768
_MOST_ROWS = 1 << 17


class Sequenced(NamedTuple):
    """A prompt with its answer."""

    tokens: Tuple[int, ...]
    prompt: int  # how many of the tokens are the prompt's
    asked: Tuple[Tuple[int, ...], ...]  # for each token of the answer whose logits are told, its own first


def run_reference(
    arrays: Any,  # noqa: ANN401  (either kind of arrays)
    shape: BailingShape,
    stored: StoredTensors,
    texts: Sequence[Sequenced],
) -> Pass:
    """Go through the model once.

    Raises:
        Trouble: the weights are not this model's, a token is none of the vocabulary, or there are too many.
        OSError: a file cannot be read.
    """
    started, used = time.monotonic(), _processor_seconds()
    stored.check(expected_tensors(shape))
    _check_texts(shape, texts)
    not_made = _not_made(shape)
    made = [name for name in (EXPERTS, HEADS, ROUTER) if name not in not_made]
    # The last token of an answer is judged and goes in no more.
    rows = [token for text in texts for token in text.tokens[:-1]]
    lengths = [len(text.tokens) - 1 for text in texts]
    through = lanes(made, len(rows))
    if through.all_rows > _MOST_ROWS:
        raise _too_many(len(rows))
    x = Decoder(arrays, shape, stored, through, lengths).run(rows)
    stored.part("head")
    places, first = [], 0
    for text, length in zip(texts, lengths):
        places += list(range(first + text.prompt - 1, first + length))
        first += length
    judged = lanes(made, len(places))
    states = arrays.joined([x[through.rows(name)][places] for name in through.names])
    del x
    out = Operations(arrays, stored, judged).normed(states, "model.norm.weight", shape.epsilon)
    hidden = {name: out[judged.rows(name)] for name in judged.names}
    head = _head(arrays, shape, stored)
    if head.uneven:
        hidden[HEAD] = hidden[EXACT]
        made.append(HEAD)
    else:
        not_made[HEAD] = "the head's columns have length 1 already: normalising them changes nothing"
    told = head.sweep(hidden, [one for text in texts for one in text.asked])
    _check_numbers(told)
    in_order = iter(told)
    return Pass(
        tuple(tuple(islice(in_order, len(text.asked))) for text in texts),
        tuple(made),
        not_made,
        arrays.name,
        round(time.monotonic() - started, 1),
        round(_processor_seconds() - used, 1),
        stored.read_bytes,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


def _head(arrays: Any, shape: BailingShape, stored: StoredTensors) -> HeldHead:  # noqa: ANN401  (as above)
    name = "model.word_embeddings.weight" if shape.tied else "lm_head.weight"
    place = stored.places[name]
    data = stored.read(name)
    return HeldHead(arrays, data, place.dtype, shape.vocabulary, shape.hidden, normalise=shape.norm_head)


def _not_made(shape: BailingShape) -> Dict[str, str]:
    found = {}
    if shape.dense_layers >= shape.layers or shape.experts < 2:
        found[EXPERTS] = "the model has no experts to exchange"
    if EXPERTS in found or shape.experts_per_token < 2:
        found[ROUTER] = "one expert a token has the likelihood 1, divided or not"
    if shape.heads < 2:
        found[HEADS] = "the model has one head"
    return found


def _check_texts(shape: BailingShape, texts: Sequence[Sequenced]) -> None:
    total = sum(len(text.tokens) for text in texts)
    if total > MOST_TOKENS:
        raise _too_many(total)
    for text in texts:
        asked = [token for one in text.asked for token in one]
        strange = [token for token in (*text.tokens, *asked) if not 0 <= token < shape.vocabulary]
        if strange:
            raise Trouble(
                f"token {strange[0]} is none of the model's vocabulary of {shape.vocabulary}",
                remedy="the service and these weights are not of one model",
                code="prove-tokens",
            )
        if shape.rope.scaling == "dynamic" and len(text.tokens) > shape.rope.positions:
            raise Trouble(
                "dynamic rope_scaling beyond max_position_embeddings is not computed",
                remedy="use shorter prompts",
                code="prove-model",
            )


def _check_numbers(told: Sequence[PlaceTold]) -> None:
    for one in told:
        choice = one.choices[EXACT]
        if not all(map(math.isfinite, (choice.logit, choice.log_sum, *choice.wanted, *one.rounded))):
            raise Trouble(
                "the model gives no numbers: its weights hold infinities, or what is none",
                remedy="lingctl verify-weights --full",
                code="prove-weights",
            )


def _too_many(count: int) -> Trouble:
    return Trouble(
        f"{count} tokens are too many to hold at once ({MOST_TOKENS} at most)",
        remedy="use fewer or shorter prompts, or a smaller --max-tokens",
        code="prove-tokens",
        exit_status=2,
    )


def _processor_seconds() -> float:
    times = os.times()
    return times.user + times.system
