"""What an error of a service means: by its words, and only where they are not known by its status. Pure.

A status alone does not tell: MindIE 3.0.0 answers 422 to a wrong field and also where none of its tokenizer
processes is free, 424 to a prompt that is too long and also where it cannot build a request, 500 at a
time-out, while it stops, and for the first five seconds of its health.

Sources: seen on the real 3.0.0 on a CPU (422 of the tokenizers, 424, 500 while stopping, 503 without a body,
500 of health after the start); the other words are read in its source, src/server/endpoint and
src/server/tokenizer. The words of a lost node, of ``no contact`` and of a stopped service with a full stop
are those of MindIE's documents; 1.0.0 and 2.x were not seen.
"""

from __future__ import annotations

import re
from typing import Literal

from lingctl.serving.trouble import ExchangeTrouble, http_trouble

Fault = Literal[
    "model",
    "length",
    "key",
    "quota",
    "path",
    "redirect",
    "request",
    "tokenizers",
    "busy",
    "loading",
    "stopping",
    "timeout",
    "abnormal",
    "lost-node",
    "engine",
    "proxy",
    "service",
    "connection",
]
"""``model`` (name not served), ``length`` (prompt too long), ``key``, ``quota`` (nothing is left on its
account), ``path`` (not there), ``redirect`` (it is elsewhere) and ``request`` (a field is refused) are the
request's own; ``tokenizers`` (none is free), ``busy``, ``loading`` (its model is not there yet),
``stopping``, ``timeout`` (the engine brought no token in time), ``abnormal`` (what health says of itself),
``lost-node``, ``engine`` (it failed), ``proxy`` and ``service`` (any other 5xx) are not; ``connection`` is no
answer at all."""

_OF_THE_REQUEST = frozenset({"model", "length", "key", "quota", "path", "redirect", "request"})

_WORDS: tuple[tuple[str, Fault], ...] = (
    (r"callback timeout", "timeout"),
    (r"find available tokenizer|tokenizer \w+ wait sub process timeout", "tokenizers"),
    (r"share memory|pid memory index|memset_s failed|cast buffer to", "tokenizers"),
    (r"has been stopped|has been finalized", "stopping"),
    (r"alive but busy|too many requests|overloaded", "busy"),
    # Documents only: in 3.0.0's source the list of nodes that this is made from is never filled.
    (r"abnormal node|no.contact", "lost-node"),
    (r"service is abnormal|get node status", "abnormal"),
    (r"invalid input ids|maximum (input ids|context) length|token length must be", "length"),
    (r"model \S* ?not found|not found given model|not found in server|model .*does not exist", "model"),
    (r"failed to (get engine response|generate infer request|enqueue)|null ?ptr", "engine"),
    # Of other engines and of gateways: llama.cpp, SGLang, TGI, vLLM, LiteLLM, LM Studio, Azure, one-api and
    # its like, Envoy, APISIX, Kong, nginx (their sources and documents, reports of users).
    (r"loading model|model .*\bis (currently |still )?(loading|being loaded)\b", "loading"),
    (r"context (size|length|window)|longer than the model's|greater than max_model_len", "length"),
    (r"`?max_new_tokens`? must be|prompt is too long|contextwindowexceeded|上下文.{0,8}(超|过长)", "length"),
    (r"current quota|insufficient.{0,12}(quota|balance|credit|fund)|余额不足|额度不足|欠费", "quota"),
    (r"rate.?limit|queue is full|too many (concurrent )?requests|请求.{0,4}频繁|限流", "busy"),
    (r"invalid model|no available channel|无可用渠道|deployment .*does not exist", "model"),
    (r"no models loaded|模型.{0,8}不存在", "model"),
    (r"(invalid|incorrect|missing|no) ?api.?key|authentication error|login fail|无效的令牌", "key"),
    (r"unexpected endpoint|route not found|match any routes|no route matched", "path"),
    (r"upstream (connect|request)|healthy upstream|from the upstream server|bad gateway", "proxy"),
    (r"gateway time-?out|service temporarily unavailable", "proxy"),
)
_STATUSES: dict[int, Fault] = {
    401: "key",
    402: "quota",
    403: "key",
    404: "path",
    405: "path",
    408: "timeout",
    413: "length",
    414: "length",
    424: "length",
    429: "busy",
    502: "proxy",
    504: "proxy",
    529: "busy",
    **dict.fromkeys(range(520, 528), "proxy"),  # Cloudflare's own
}


def fault_of(trouble: ExchangeTrouble) -> Fault:
    """What a trouble means."""
    spoken = _by_words(trouble.text)
    if trouble.kind == "timeout":
        return "timeout"
    if trouble.kind != "http":
        return "connection"
    if spoken:
        return spoken
    # The flag behind it is off between a SIGTERM, or a worker's death, and the end (3.0.0, seen).
    if trouble.status == 503 and trouble.empty:
        return "stopping"
    # Some tell in a body what others tell by the status.
    told = trouble.error_type if trouble.status in (0, 200) else ""
    status = int(told) if re.fullmatch("[45][0-9]{2}", told) else trouble.status
    if status in _STATUSES:
        return _STATUSES[status]
    if 300 <= status < 400:
        return "redirect"
    return "request" if 400 <= status < 500 else "service"


def of_the_request(trouble: ExchangeTrouble) -> bool:
    """Whether the same request will be refused again, however long one waits."""
    return fault_of(trouble) in _OF_THE_REQUEST


def words_in_stream(words: str) -> ExchangeTrouble:
    """Plain text in the place of a stream's event.

    3.0.0 ends a stream so at a time-out, ``Engine callback timeout: …``, and where the engine gives nothing,
    ``Failed to get engine response``: without ``data:`` and without an empty line (its source,
    single_llm_pnd_req_handler.cpp; not seen).
    """
    told = http_trouble(0, words.encode())  # words, or an error as JSON
    fault = _by_words(told.text)
    if fault == "timeout":
        return ExchangeTrouble("timeout", told.text)
    said = words.strip()
    if fault or not said.startswith(("<", told.text)):
        return told
    return ExchangeTrouble("malformed", f"text in the place of an event: {said[:120]!r}")


def _by_words(text: str) -> Fault | None:
    return next((fault for pattern, fault in _WORDS if re.search(pattern, text, re.IGNORECASE)), None)
