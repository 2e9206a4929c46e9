"""What can go wrong in one exchange with a service, as data: a caller judges it, nothing is raised."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lingctl.node.foreign_json import foreign_json

TroubleKind = Literal["name", "refused", "unreachable", "timeout", "closed", "tls", "http", "malformed"]

_EVIDENCE_CHARS = 400
_EMPTY_BODY = "(empty body)"


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
        return self.text == _EMPTY_BODY

    @property
    def no_service(self) -> bool:
        """Whether nothing answered at all at that address."""
        return self.kind in ("name", "refused", "unreachable")


def http_trouble(status: int, body: bytes, location: str = "") -> ExchangeTrouble:
    """The error that a body describes, in any dialect, or where a redirection leads.

    MindIE writes ``{"error": text, "error_type": name}`` (some versions ``type`` or ``message``; source:
    MindIE-LLM v3.0.0 src/server/endpoint and MindIE-Motor's documents), OpenAI-compatible servers
    ``{"error": {"message", "type"}}``, vLLM also ``{"message", "type"}``, FastAPI ``{"detail"}``.
    """
    text, error_type = _error_of(body)
    if location and 300 <= status < 400:
        text = f"it redirects to {location[:_EVIDENCE_CHARS]}"
    return ExchangeTrouble("http", text or _EMPTY_BODY, status, error_type)


def _error_of(body: bytes) -> tuple[str, str]:
    plain = body.decode("utf-8", "replace").strip()[:_EVIDENCE_CHARS]
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
        text = inner or data.get("message") or data.get("detail")
        kind = data.get("error_type") or data.get("type")
    if not text:
        return None
    written = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
    return written[:_EVIDENCE_CHARS], str(kind or "")[:_EVIDENCE_CHARS]
