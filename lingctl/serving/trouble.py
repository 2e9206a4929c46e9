"""What can go wrong in one exchange with a service, as data: a caller judges it, nothing is raised."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lingctl.node.foreign_json import foreign_json

TroubleKind = Literal["name", "refused", "unreachable", "timeout", "closed", "tls", "http", "malformed"]

_EVIDENCE_CHARS = 400
_EMPTY_BODY = "(empty body)"
_LONGEST_PAGE = 1 << 16
_MARKUP = re.compile(r"<(style|script)\b.*?</\1>|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE)
# Names by which errors are told, in the order in which they are believed.
_TEXTS = ("message", "error_msg", "msg", "errmsg", "errorMessage", "status_msg", "detail", "text")
_TYPES = ("error_type", "type", "code", "error_code", "errcode", "status_code")
_CODES = ("code", "error_code", "errcode", "errorCode", "status_code")
_GOOD_CODES = ("0", "200", "ok", "success")
NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class ExchangeTrouble:
    """An exchange that did not bring what was asked for."""

    # ``name`` (host unknown), ``refused``, ``unreachable``, ``timeout`` (silence, or the service's own word
    # that there was), ``closed`` (connection ended too early), ``tls``, ``http`` (a status other than 200, or
    # an error inside a stream) or ``malformed`` (not the documented form)
    kind: TroubleKind
    text: str  # what happened, in words; for ``http`` the service's own error text
    status: int = 0  # HTTP status, 0 where none was received or the error came inside a stream
    error_type: str = ""  # the service's own name of the error, e.g. ``Input Validation Error``.

    def __str__(self) -> str:
        if self.kind != "http":
            return f"{self.kind}: {self.text}"
        where = f"HTTP {self.status}" if self.status else "error in the stream"
        return f"{where} {self.error_type}: {self.text}" if self.error_type else f"{where}: {self.text}"

    @property
    def empty(self) -> bool:
        """Whether an error answer had no body."""
        return self.text.startswith(_EMPTY_BODY)

    @property
    def no_service(self) -> bool:
        """Whether nothing answered at all at that address."""
        return self.kind in ("name", "refused", "unreachable")


def http_trouble(status: int, body: bytes, headers: Mapping[str, str] = NO_HEADERS) -> ExchangeTrouble:
    """The error that a body describes, in any dialect, where a redirection leads, or how long to wait.

    MindIE writes ``{"error": text, "error_type": name}`` (some versions ``type`` or ``message``; source:
    MindIE-LLM v3.0.0 src/server/endpoint and MindIE-Motor's documents), OpenAI-compatible servers
    ``{"error": {"message", "type"}}``, vLLM and SGLang also ``{"message", "type"}``, FastAPI ``{"detail"}``,
    APISIX and Huawei's cloud ``{"error_msg"}``, Chinese gateways ``{"code", "msg"}``; nginx and its like a
    page.

    Args:
        headers: of the answer, with lower-case names.
    """
    text, error_type = _error_of(body)
    location, wait = headers.get("location", ""), headers.get("retry-after", "")
    if location and 300 <= status < 400:
        text = f"it redirects to {location[:_EVIDENCE_CHARS]}"
    text = text or _EMPTY_BODY
    if wait and status >= 400:
        text = f"{text} (Retry-After: {wait[:40]})"
    return ExchangeTrouble("http", text, status, error_type)


def refusal_in(data: Mapping[str, object], status: int = 0) -> ExchangeTrouble | None:
    """The error in an object that came with a status of success; None where it tells none.

    Some gateways answer 200 to everything and tell errors by a code of their own: ``{"code": 401, "msg"}``,
    Baidu's ``{"error_code", "error_msg"}``, MiniMax's ``{"base_resp": {"status_code", "status_msg"}}``,
    FastChat's ``{"text", "error_code"}`` inside a stream (source: their documents and reports of users).
    """
    nested = data.get("base_resp")
    told = nested if isinstance(nested, dict) else data
    codes = [code for name in _CODES if (code := told.get(name)) not in (None, "")]
    failed = bool(data.get("error")) or data.get("object") == "error" or data.get("success") is False
    if not failed and not any(str(code).lower() not in _GOOD_CODES for code in codes):
        return None
    text, error_type = error_fields(told) or ("an error without words", "")
    return ExchangeTrouble("http", text, status, error_type or str(codes[0] if codes else ""))


def _error_of(body: bytes) -> tuple[str, str]:
    plain = body[:_LONGEST_PAGE].decode("utf-8", "replace").strip()
    if plain.startswith("<"):
        plain = " ".join(_MARKUP.sub(" ", plain).split()) or plain
    plain = plain[:_EVIDENCE_CHARS]
    try:
        data = foreign_json(body)
    except ValueError:
        return plain, ""
    if not isinstance(data, dict):
        return plain, ""
    return error_fields(data) or (plain, "")


def error_fields(data: Mapping[str, object]) -> tuple[str, str] | None:
    """Error text and type in a JSON object, or None if it describes no error."""
    inner = data.get("error")
    if isinstance(inner, dict):
        text, kind = inner.get("message") or inner, inner.get("type") or inner.get("code")
    else:
        text = inner or next((told for name in _TEXTS if (told := data.get(name))), None)
        kind = next((told for name in _TYPES if (told := data.get(name))), None)
    if not text:
        return None
    written = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
    return written[:_EVIDENCE_CHARS], str(kind or "")[:_EVIDENCE_CHARS]
