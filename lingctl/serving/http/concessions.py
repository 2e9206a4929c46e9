"""Fields of a request that a service may refuse, and how it is asked without them.

A load test wants answers of one length (``ignore_eos``, vLLM's and MindIE's) and tokens counted in streams
(``stream_options``, OpenAI's); some services refuse fields that they do not know. Newer models of OpenAI
take ``max_completion_tokens`` for ``max_tokens`` and no ``temperature`` but their own (its API reference).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from lingctl.serving.faults import fault_of
from lingctl.serving.http.client import Client
from lingctl.serving.trouble import ExchangeTrouble

# What it costs to leave a field out, in words.
COSTS: Mapping[str, str] = {
    "stream_options": "it refuses stream_options: tokens of streams are counted by the service only if it "
    "counts them unasked",
    "ignore_eos": "it refuses ignore_eos: answers end where the model ends",
    "max_tokens": "it takes max_completion_tokens for max_tokens",
    "temperature": "it refuses temperature 0: answers are not greedy and may differ",
}
# What no service has to know: left out also where a refusal names no field.
_EXTRAS = ("stream_options", "ignore_eos")


def agreed(client: Client, ask: Callable[[Client], ExchangeTrouble | None]) -> Client:
    """The client with those fields left out that the service refuses; as it was where that does not help.

    Args:
        ask: one request of the kind that is to be made; None if it was answered.
    """
    first = ask(client)
    if first is None:
        return client
    now, trouble = client, first
    while (name := _named(trouble, now.left_out)) is not None:
        now = replace(now, left_out=now.left_out | {name})
        after = ask(now)
        if after is None:
            return now
        trouble = after
    if fault_of(trouble) != "request":
        return client
    for names in (_EXTRAS[:1], _EXTRAS[1:], _EXTRAS):
        attempt = replace(now, left_out=now.left_out | set(names))
        if attempt.left_out != now.left_out and ask(attempt) is None:
            return attempt
    return client


def costs(left_out: Iterable[str]) -> list[str]:
    """What a reader must know of the fields that were left out."""
    return [COSTS[name] for name in COSTS if name in left_out]


def _named(trouble: ExchangeTrouble, left_out: frozenset[str]) -> str | None:
    """The field that a refusal names."""
    if trouble.kind != "http" or not 400 <= trouble.status < 500:
        return None
    return next((name for name in COSTS if name not in left_out and name in trouble.text), None)
