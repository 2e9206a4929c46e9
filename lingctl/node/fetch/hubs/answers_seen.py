"""What was answered to a client library, over whatever HTTP library it uses.

The clients tell that a file is not what it should be, and not that it was a web page from another host. So
each answer's address, status and kind are noted as it passes; bodies are not touched.
"""

from __future__ import annotations

import functools
import sys
from collections import deque
from typing import Any, Callable, Deque, NamedTuple, Optional
from urllib.parse import unquote_plus, urljoin, urlsplit

# What each answer passes, also one that only sends on to another place.
_LIBRARIES = (
    ("requests.adapters", "HTTPAdapter", "send"),
    ("httpx", "HTTPTransport", "handle_request"),
    ("httpx2", "HTTPTransport", "handle_request"),
)


class SeenAnswer(NamedTuple):
    """One HTTP answer."""

    url: str  # that was asked
    status: int  # of HTTP
    kind: str  # media type, without parameters
    sent_to: str  # where it sends on to; empty for nowhere

    @property
    def is_page(self) -> bool:
        """Whether it is a web page: hubs answer with data."""
        return self.kind in ("text/html", "application/xhtml+xml")


class SeenAnswers:
    """The last answers of this process."""

    def __init__(self) -> None:
        self._last: Deque[SeenAnswer] = deque(maxlen=256)

    def watch(self) -> None:
        """Note every answer that the HTTP libraries which are loaded here get from now on."""
        for module, kind, name in _LIBRARIES:
            transport = getattr(sys.modules.get(module), kind, None)
            if transport is not None:
                setattr(transport, name, self._noting(getattr(transport, name)))

    def about(self, path: str) -> Optional[SeenAnswer]:
        """The last answer on the way to a file, also where it was sent on; to anything for an empty path."""
        found: Optional[SeenAnswer] = None
        for answer in list(self._last):
            followed = found is not None and answer.url == found.sent_to
            if followed or not path or path in unquote_plus(answer.url):
                found = answer
        return found

    def add(self, url: str, response: object) -> None:
        """Note an answer of requests or httpx."""
        headers: Any = getattr(response, "headers", {})
        status = int(getattr(response, "status_code", 0))
        location = str(headers.get("location") or "") if 300 <= status < 400 else ""
        kind = str(headers.get("content-type") or "").partition(";")[0].strip().lower()
        self._last.append(SeenAnswer(url, status, kind, urljoin(url, location) if location else ""))

    def _noting(self, send: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(send)
        def noting(transport: object, request: Any, *more: object, **options: object) -> object:  # noqa: ANN401  (either client's request)
            response = send(transport, request, *more, **options)
            self.add(str(request.url), response)
            return response

        return noting


def host_of(url: str) -> str:
    """Host and port in an address, without a login; empty where there is none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""
