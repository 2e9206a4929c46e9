"""The talk about who we are (RFC 4252): what the server takes, what it took, what it also wants."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import paramiko
from paramiko.common import (
    MSG_SERVICE_ACCEPT,
    MSG_USERAUTH_BANNER,
    MSG_USERAUTH_FAILURE,
    MSG_USERAUTH_SUCCESS,
    cMSG_SERVICE_REQUEST,
    cMSG_USERAUTH_REQUEST,
)

from lingctl.remote.ssh.login.keys.agent import AgentError
from lingctl.remote.ssh.login.wire import CERTIFICATE, kind_of, string

if TYPE_CHECKING:
    from collections.abc import Callable

    from lingctl.remote.ssh.login.keys.login_keys import LoginKey
    from lingctl.remote.ssh.login.transport import Transport

_MSG_USERAUTH_PK_OK = 60
_ANSWER_SECONDS = 20.0
_PUBLICKEY = "publickey"


@dataclass(slots=True)
class Offered:
    """What was offered to a server, and what it said to that."""

    left: list[LoginKey]  # not offered any more
    tried: list[LoginKey] = field(default_factory=list)  # in order
    accepted: list[LoginKey] = field(default_factory=list)  # before it asked for more
    troubles: list[str] = field(default_factory=list)  # why a key could not prove itself
    # how it would go on, in its own names; nothing where it ended the connection
    methods: tuple[str, ...] = (_PUBLICKEY,)
    ended: bool = False  # whether it ended the connection


class RefusedError(Exception):
    """The server did not let us in."""

    def __init__(self, offered: Offered) -> None:
        super().__init__("refused")
        self.offered = offered


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came for a request: ``kind`` is the message's number, 0 when the connection ended."""

    kind: int
    methods: tuple[str, ...] = ()
    partly: bool = False


class Authentication:
    """In the place of paramiko's own, which signs unasked and does not tell what a server also wants.

    Attributes:
        banner: what the server said before the login.
    """

    def __init__(self, transport: Transport, user: str, algorithms: Sequence[str]) -> None:
        """Nothing is sent yet.

        Args:
            transport: whose host key was checked.
            user: login name.
            algorithms: with which keys may prove themselves, in order of preference.
        """
        self.banner: bytes | None = None
        self._transport = transport
        self._user = user
        self._algorithms = tuple(algorithms)
        self._answers = queue.SimpleQueue[_Answer]()
        self._serves = False  # whether the server has told that it takes logins
        self._authenticated = False
        transport.auth_handler = self  # type: ignore[assignment]  # in place of paramiko's own

    @property
    def notice(self) -> str:
        """What the server said before the login, as text; nothing where it said nothing."""
        return (self.banner or b"")[:2000].decode("utf-8", "replace").strip()

    def log_in(self, keys: Sequence[LoginKey]) -> None:
        """Offer one after the other until the server is content.

        Raises:
            RefusedError: it was not.
            EOFError: the connection ended, for no reason that has to do with keys.
        """
        request = paramiko.Message()
        request.add_byte(cMSG_SERVICE_REQUEST)
        request.add_string("ssh-userauth")
        # Its answer is heard before that to the first key, which follows at once: one round trip for both.
        self._send(request)
        seen = Offered(list(keys))
        if not seen.left:
            self._without_key(seen)
        while seen.left and not self._authenticated:
            one = seen.left.pop(0)
            answer = self._offer(one, seen)
            if answer.kind == 0:
                seen.ended, seen.methods = True, ()
                break
            if answer.kind == MSG_USERAUTH_FAILURE and answer.methods:
                seen.methods = answer.methods
                seen.accepted += [one] if answer.partly else []
                if _PUBLICKEY not in answer.methods:
                    break
        if not self._authenticated:
            raise RefusedError(seen)

    def _without_key(self, seen: Offered) -> None:
        """Hear what the server would take; a few take everybody."""
        answer = self._ask(self._request("none"))
        if answer.kind == 0:
            raise EOFError("the server ended the connection at the login")
        seen.methods = answer.methods or seen.methods

    def _offer(self, key: LoginKey, seen: Offered) -> _Answer:
        algorithm, why = self._algorithm(key.blob)
        if not algorithm:
            seen.troubles.append(f"{key}: {why}")
            return _Answer(MSG_USERAUTH_FAILURE)
        seen.tried.append(key)
        if key.by_agent:
            answer = self._ask(self._publickey(key, algorithm, proved=False))
            if answer.kind != _MSG_USERAUTH_PK_OK:
                return answer
        try:
            request = self._publickey(key, algorithm, proved=True)
        except AgentError as error:
            seen.troubles.append(f"{key}: the server would take it, but: {error}")
            return _Answer(MSG_USERAUTH_FAILURE)
        return self._ask(request)

    def _algorithm(self, blob: bytes) -> tuple[str, str]:
        """With which algorithm a key proves itself, else why there is none."""
        kind = kind_of(blob)
        if "rsa" not in kind:
            return (kind, "") if kind in self._algorithms else ("", "keys of that type are not offered")
        ending = CERTIFICATE if kind.endswith(CERTIFICATE) else ""
        # What it takes is told before its first answer.
        self._need_service()
        ours = [
            name for name in ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa") if name + ending in self._algorithms
        ]
        told = self._transport.server_extensions.get("server-sig-algs", b"")  # type: ignore[attr-defined]  # paramiko's own, its types do not tell it
        # One that does not tell is older than 2016, and knows SHA-1 alone.
        silent = ["ssh-rsa"] if "ssh-rsa" in ours else ours
        takes = told.decode("ascii", "replace").split(",") if told else silent
        for name in ours:
            if name in takes:
                return name + ending, ""
        return "", "the server takes RSA keys with SHA-1 only" if ours else "RSA keys are not offered"

    def _publickey(self, key: LoginKey, algorithm: str, *, proved: bool) -> paramiko.Message:
        request = self._request(_PUBLICKEY)
        request.add_boolean(proved)
        request.add_string(algorithm)
        request.add_string(key.blob)
        if proved:
            signed = string(self._transport.session_id or b"") + request.asbytes()
            request.add_string(key.sign(signed, algorithm))
        return request

    def _request(self, method: str) -> paramiko.Message:
        request = paramiko.Message()
        request.add_byte(cMSG_USERAUTH_REQUEST)
        for word in (self._user, "ssh-connection", method):
            request.add_string(word)
        return request

    def _ask(self, request: paramiko.Message) -> _Answer:
        there = self._send(request)
        self._need_service()
        return self._hear() if there else _Answer(0)

    def _send(self, request: paramiko.Message) -> bool:
        """Whether it could be sent: else the connection has ended."""
        try:
            self._transport._send_message(request)  # type: ignore[attr-defined]  # paramiko's own, its types do not tell it
        except (OSError, EOFError):
            return False
        return True

    def _need_service(self) -> None:
        """Hear, once, that the server has logins at all. Raises EOFError: it ended the connection instead."""
        if not self._serves and self._hear().kind == 0:
            raise EOFError("the server ended the connection before the login")
        self._serves = True

    def _hear(self) -> _Answer:
        try:
            return self._answers.get(timeout=_ANSWER_SECONDS)
        except queue.Empty:
            raise TimeoutError(f"no answer to the login within {_ANSWER_SECONDS:g} s") from None

    # -- called by paramiko, in the transport's thread

    @property
    def _handler_table(self) -> dict[int, Callable[[paramiko.Message], None]]:
        return {
            MSG_SERVICE_ACCEPT: lambda _: self._answers.put(_Answer(MSG_SERVICE_ACCEPT)),
            MSG_USERAUTH_SUCCESS: self._succeeded,
            MSG_USERAUTH_FAILURE: self._failed,
            MSG_USERAUTH_BANNER: self._heard_banner,
            _MSG_USERAUTH_PK_OK: lambda _: self._answers.put(_Answer(_MSG_USERAUTH_PK_OK)),
        }

    def _succeeded(self, _message: paramiko.Message) -> None:
        self._authenticated = True
        self._transport._auth_trigger()  # type: ignore[attr-defined]  # paramiko's own, its types do not tell it
        self._answers.put(_Answer(MSG_USERAUTH_SUCCESS))

    def _failed(self, message: paramiko.Message) -> None:
        methods = message.get_string().decode("utf-8", "replace").split(",")
        self._answers.put(_Answer(MSG_USERAUTH_FAILURE, tuple(filter(None, methods)), message.get_boolean()))

    def _heard_banner(self, message: paramiko.Message) -> None:
        self.banner = message.get_string()

    def is_authenticated(self) -> bool:
        """Whether the server let us in."""
        return self._authenticated

    def get_username(self) -> str:
        """The login name."""
        return self._user

    def abort(self) -> None:
        """The connection ended."""
        self._answers.put(_Answer(0))
