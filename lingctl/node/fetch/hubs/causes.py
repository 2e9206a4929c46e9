"""Why a hub's client failed, from its exception and from what was answered to it: a code and one sentence."""

from __future__ import annotations

import contextlib
import email.utils
import errno
import re
import socket
import ssl
import time
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Set, Tuple
from urllib.parse import urlsplit

from lingctl.node.fetch.hubs.answers_seen import SeenAnswer, SeenAnswers, host_of
from lingctl.node.fetch.hubs.certificate import issuer_shown, proxy_for
from lingctl.node.trouble import Trouble

# Said in the first line; the rest of what a library says is evidence.
_MOST_SAID = 800
_LOGIN = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,15}://)[^/\s'\"@]{1,400}@")
# Names of the libraries' own exceptions, first match wins: (name, code, whether another try may help).
_KNOWN = (
    ("FileSizeMismatchError", "wrong-bytes", True),
    ("FileIntegrityError", "wrong-bytes", True),
    ("AuthenticationError", "hub-refused", False),
    ("PermissionDeniedError", "hub-refused", False),
    ("GatedRepoError", "hub-refused", False),
    ("OfflineModeIsEnabled", "hub-offline", False),
    ("LocalEntryNotFoundError", "hub-unreachable", True),
    ("NotExistError", "hub-not-found", False),
    ("RepositoryNotFoundError", "hub-not-found", False),
    ("RevisionNotFoundError", "hub-not-found", False),
    ("EntryNotFoundError", "hub-not-found", False),
    ("RateLimitError", "hub-busy", True),
    ("ServerError", "hub-server-error", True),
    ("_DownloadTooSlowError", "hub-too-slow", True),
    ("NetworkError", "hub-unreachable", True),
    ("RequestTimeoutError", "hub-unreachable", True),
    ("ImportError", "client-missing", False),
    ("MemoryError", "hub-list-endless", False),
    ("JSONDecodeError", "hub-no-json", False),
)
_UNREACHABLE = frozenset({"ConnectionError", "TransportError", "Timeout", "TimeoutError"})
_BY_STATUS = {
    401: ("hub-refused", "asks who is there (401)"),
    403: ("hub-refused", "refuses access (403)"),
    404: ("hub-not-found", "has no such repository, revision or file (404)"),
    407: ("proxy-login", ""),
    429: ("hub-busy", "asks for patience (429)"),
    451: ("hub-refused", "refuses access (451)"),
}


class Cause(NamedTuple):
    """Why something did not come."""

    code: str  # stable name; ``words.REMEDIES`` has what to do
    what: str = ""  # one sentence; empty for what the code says already
    again: bool = False  # whether another try may help
    after: float = 0.0  # seconds that the hub asks to wait before it


def event_of(
    error: BaseException, seen: SeenAnswers, request: Mapping[str, Any], path: str = ""
) -> Dict[str, object]:
    """An exception of a hub library as an event for the parent, without any login or token in it."""
    if isinstance(error, Trouble):
        cause = Cause(error.code, str(error))
    else:
        cause = cause_of(error, seen, str(request.get("home", "")), path)
    said = str(error) or type(error).__name__
    secrets = [str(request.get("token") or "")]
    words = {"what": cause.what, "evidence": said}
    return {
        "event": "failed",
        "path": path,
        **cause._asdict(),
        **{name: without_logins(text, secrets)[:_MOST_SAID] for name, text in words.items()},
    }


def without_logins(text: str, secrets: List[str]) -> str:
    """A text without logins in addresses, and without the secrets that are known."""
    text = _LOGIN.sub(r"\1***@", text[: 4 * _MOST_SAID])
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text


def cause_of(error: BaseException, seen: SeenAnswers, endpoint: str, path: str) -> Cause:
    """The cause of a failure of the list of files, or of one at ``path``."""
    chain = list(_chain(error))
    asked = _asked(chain) or endpoint
    for judge in (_disk, _certificate, _tls, _proxy):
        cause = judge(chain, asked)
        if cause:
            return cause
    answer = seen.about(path)
    page = None if path.endswith((".html", ".htm")) else _page(answer)
    cause = page or _status(chain) or _name(chain)
    if cause.code == "hub-unreachable":
        cause = cause._replace(what=_unreachable(chain, asked))
    return _sent_on(cause, answer, endpoint, asked)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that caused it, also where libraries hand one on as an argument."""
    todo: List[BaseException] = [error]
    known: Set[int] = set()
    while todo and len(known) < 24:
        one = todo.pop(0)
        if id(one) in known:
            continue
        known.add(id(one))
        yield one
        inner = (one.__cause__, getattr(one, "reason", None), *one.args, one.__context__)
        todo += [other for other in inner if isinstance(other, BaseException)]


def _asked(chain: List[BaseException]) -> str:
    """The address that was asked when it failed, as far as the exceptions tell."""
    for one in chain:
        try:
            url = str(getattr(getattr(one, "request", None), "url", "") or "")
        except RuntimeError:  # httpx: it was raised before there was a request
            continue
        if url:
            return url
    return ""


def _disk(chain: List[BaseException], asked: str) -> Optional[Cause]:
    numbers = (errno.ENOSPC, errno.EDQUOT)
    full = any(isinstance(one, OSError) and one.errno in numbers for one in chain)
    return Cause("disk-full") if full else None


def _certificate(chain: List[BaseException], asked: str) -> Optional[Cause]:
    unproved = next((one for one in chain if isinstance(one, ssl.SSLCertVerificationError)), None)
    if unproved is None:
        return None
    reason = unproved.verify_message or str(unproved)
    parts = urlsplit(asked)
    host = parts.hostname or ""
    shown = issuer_shown(host, parts.port or 443) if host else ""
    by = f', issued by "{shown}"' if shown else ""
    words = f"the certificate that {host_of(asked) or 'the hub'} shows{by}, is not trusted here: {reason}"
    late = "expired" in reason or "not yet valid" in reason
    return Cause("hub-certificate-time" if late else "hub-certificate", words.replace(", is", " is", not by))


def _tls(chain: List[BaseException], asked: str) -> Optional[Cause]:
    failed = next((one for one in chain if isinstance(one, ssl.SSLError)), None)
    if failed is None or isinstance(failed, ssl.SSLEOFError):
        return None
    return Cause("hub-tls", f"TLS with {host_of(asked) or 'the hub'} fails: {failed.reason or failed}")


def _proxy(chain: List[BaseException], asked: str) -> Optional[Cause]:
    failed = next((one for one in chain if type(one).__name__ == "ProxyError"), None)
    wants_login = any("407" in str(one) for one in chain) if failed else _first_status(chain) == 407
    if failed is None and not wants_login:
        return None
    parts = urlsplit(asked)
    named = f"the proxy {proxy_for(parts.scheme, parts.hostname or '') or ''}".strip()
    if wants_login:
        return Cause("proxy-login", f"{named} wants another login (407)")
    reason = _reason(chain, named) or f"{named} does not let us through to {host_of(asked)}"
    return Cause("proxy-unreachable", reason, again=True)


def _page(answer: Optional[SeenAnswer]) -> Optional[Cause]:
    if answer is None or not answer.is_page or answer.status == 404 or answer.status >= 500:
        return None
    if answer.status < 300:
        what = f"{host_of(answer.url)} answers with a web page (HTTP {answer.status}) instead of data"
        return Cause("hub-portal", what)
    if answer.status in (401, 403):
        what = (
            f"{host_of(answer.url)} refuses access with a web page (HTTP {answer.status}), not as a hub does"
        )
        return Cause("hub-portal", what)
    return None


def _first_status(chain: List[BaseException]) -> int:
    for one in chain:
        status = getattr(one, "status_code", None) or getattr(
            getattr(one, "response", None), "status_code", None
        )
        if isinstance(status, int):
            return status
    return 0


def _status(chain: List[BaseException]) -> Optional[Cause]:
    status = _first_status(chain)
    if status >= 500:
        return Cause("hub-server-error", f"the hub has an error of its own ({status})", again=True)
    if status not in _BY_STATUS:
        return None
    code, words = _BY_STATUS[status]
    after = _retry_after(chain) if status == 429 else 0.0
    wait = f": it may be asked again in {after:.0f} s" if after else ""
    return Cause(code, f"the hub {words}{wait}", status == 429, after)


def _retry_after(chain: List[BaseException]) -> float:
    """Seconds that the hub asks to wait; 0 where it does not say."""
    for one in chain:
        headers = getattr(getattr(one, "response", None), "headers", None) or {}
        told = str(getattr(one, "retry_after", None) or headers.get("Retry-After") or "").strip()
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", told):
            return float(told)
        date = email.utils.parsedate_tz(told) if told else None
        if date:
            with contextlib.suppress(ValueError, OverflowError):  # a date that no calendar has
                return max(0.0, email.utils.mktime_tz(date) - time.time())
    return 0.0


def _name(chain: List[BaseException]) -> Cause:
    for one in chain:
        names = {base.__name__ for base in type(one).__mro__}
        if "JSONDecodeError" in names:
            return _no_json(one)
    for one in chain:
        names = {base.__name__ for base in type(one).__mro__}
        for name, code, again in _KNOWN:
            if name in names:
                return Cause(code, again=again)
        if names & _UNREACHABLE:
            return Cause("hub-unreachable", again=True)
        if str(one).startswith("Consistency check failed"):  # Hugging Face: another size than listed
            return Cause("wrong-bytes", again=True)
    return Cause("hub-error")


def _no_json(error: BaseException) -> Cause:
    """A list of files that is no JSON; the decoder hands on the text that it was given."""
    text = str(getattr(error, "doc", ""))[:400].strip()
    if text[:1] == "<":
        return Cause("hub-portal", "a web page was answered instead of the list of files")
    return Cause("hub-no-json", "an empty answer came instead of the list of files" if not text else "")


def _unreachable(chain: List[BaseException], asked: str) -> str:
    reason = _reason(chain, host_of(asked) or "it")
    return f"the hub cannot be reached: {reason}" if reason else ""


def _reason(chain: List[BaseException], named: str) -> str:
    """Why a host cannot be reached, in words; empty where the exceptions do not tell."""
    judges: Tuple[Tuple[Callable[[BaseException, str], bool], str], ...] = (
        (
            lambda e, n: isinstance(e, socket.gaierror) or n == "NameResolutionError",
            "the name {} is not known",
        ),
        (lambda e, n: isinstance(e, ConnectionRefusedError), "{} refuses connections"),
        (lambda e, n: isinstance(e, ConnectionResetError), "{} ends the connection"),
        (lambda e, n: "Timeout" in n or isinstance(e, (TimeoutError, socket.timeout)), "{} does not answer"),
        (lambda e, n: isinstance(e, OSError) and e.errno == errno.ENETUNREACH, "there is no way to {}"),
        (lambda e, n: isinstance(e, OSError) and e.errno == errno.EHOSTUNREACH, "there is no way to {}"),
    )
    for one in chain:
        for is_it, words in judges:
            if is_it(one, type(one).__name__):
                return words.format(named)
    texts = " ".join(str(one) for one in chain)
    known = (("Connection refused", "{} refuses connections"), ("timed out", "{} does not answer"))
    return next((words.format(named) for sign, words in known if sign in texts), "")


def _sent_on(cause: Cause, answer: Optional[SeenAnswer], endpoint: str, asked: str) -> Cause:
    """The same, with the host that the hub or its mirror sent us on to, where that is what failed."""
    home, there = host_of(endpoint), host_of(answer.sent_to or answer.url) if answer else ""
    if there in ("", home) or host_of(asked) not in ("", home, there):
        return cause
    if cause.code not in ("hub-unreachable", "hub-error", "hub-too-slow", "wrong-bytes", "hub-not-found"):
        return cause
    what = cause.what or "what was asked for did not come"
    return cause._replace(what=f"{home} sends on to {there}, and {what}")
