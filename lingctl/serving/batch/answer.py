"""What came of one request of a batch, and its line in OpenAI's form. Pure.

Source: the OpenAI API reference, "The request output object": what the service answered, of any status,
stands in ``response``; what brought no answer at all in ``error``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lingctl.serving.faults import of_the_request
from lingctl.serving.http.answers import Usage, parse_object, read_usage
from lingctl.serving.http.exchange import HttpResponse
from lingctl.serving.trouble import ExchangeTrouble, error_fields, http_trouble, refusal_in

BatchOutcome = Literal["answered", "refused", "failed"]
"""``answered``; ``refused``, which would be refused again; ``failed``, for the service's own reasons."""

ToldAnswer = Mapping[str, object] | None
_LONGEST_ID = 200
_MOST_DEPTH = 200


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What came of a request."""

    number: int  # of the request
    custom_id: str
    answer_id: str
    response: ToldAnswer  # status_code, request_id and body, where something answered
    trouble: ExchangeTrouble | None  # why it is no answer
    usage: Usage | None = None

    @property
    def outcome(self) -> BatchOutcome:
        """What it counts as."""
        if self.trouble is None:
            return "answered"
        return "refused" if of_the_request(self.trouble) else "failed"

    def line(self) -> bytes:
        """The line of the output or error file, with its end."""
        error = None
        if self.trouble and self.response is None:
            error = {"code": self.trouble.kind, "message": self.trouble.text}
        return json_line(
            {"id": self.answer_id, "custom_id": self.custom_id, "response": self.response, "error": error}
        )


def judged(
    answer: HttpResponse | ExchangeTrouble,
) -> tuple[Mapping[str, object] | None, ExchangeTrouble | None]:
    """The ``response`` of an answer, and why it is none that was asked for."""
    if isinstance(answer, ExchangeTrouble):
        return None, answer
    body = parse_object(answer.body)
    data: Mapping[str, object] = {} if isinstance(body, ExchangeTrouble) else body
    named = answer.headers.get("x-request-id") or data.get("id") or ""
    response = {"status_code": answer.status, "request_id": str(named)[:_LONGEST_ID], "body": data}
    if answer.status != 200:
        trouble = http_trouble(answer.status, answer.body, answer.headers)
        if isinstance(body, ExchangeTrouble):
            response["body"] = {"error": {"message": trouble.text, "type": trouble.error_type}}
        return response, trouble
    if isinstance(body, ExchangeTrouble):
        return None, body
    if not isinstance(data.get("choices"), list):
        text, kind = error_fields(data) or ("no choices in the answer", "")
        return response, refusal_in(data, 200) or ExchangeTrouble("malformed", text, 200, kind)
    return response, None


def usage_of(response: ToldAnswer) -> Usage | None:
    """The tokens of an answer, where the service counted them."""
    body = response.get("body") if response else None
    return read_usage(body.get("usage")) if isinstance(body, dict) else None


def json_line(data: Mapping[str, object]) -> bytes:
    """One line of JSON that every reader takes: half a character is escaped, what is no number is null."""
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(data, 0), ensure_ascii=False)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(json.loads(text)).encode() + b"\n"


def _finite(value: object, depth: int) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth > _MOST_DEPTH:
        return None
    if isinstance(value, dict):
        return {name: _finite(inner, depth + 1) for name, inner in value.items()}
    return [_finite(inner, depth + 1) for inner in value] if isinstance(value, list) else value
