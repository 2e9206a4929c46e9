"""The ssh-agent: which keys it holds, and signatures by them (draft-miller-ssh-agent)."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from lingctl.remote.ssh.login.wire import split_string, string

_LIST, _LISTED, _SIGN, _SIGNED = 11, 12, 13, 14
_RSA_FLAGS = {"rsa-sha2-256": 2, "rsa-sha2-512": 4}
_MOST_BYTES = 1 << 22
_LIST_SECONDS = 10.0
# Somebody may have to touch a security key, or to confirm.
_SIGN_SECONDS = 60.0


class AgentError(Exception):
    """The agent refuses, or answers what makes no sense."""


class AgentSilentError(AgentError):
    """The agent does not answer in time."""


@dataclass(frozen=True, slots=True)
class AgentKey:
    """A key of the agent."""

    blob: bytes  # the public key or certificate
    comment: str  # its name in the agent


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent by its socket; each question is a connection of its own, so any thread may ask."""

    path: str  # the socket

    def keys(self) -> list[AgentKey]:
        """Its keys in its order; none where no agent is there.

        Raises:
            AgentError: it does not answer, or makes no sense.
        """
        try:
            answer = self._ask(bytes([_LIST]), _LIST_SECONDS, _LISTED)
        except OSError:
            return []
        told = _strings(answer[4:], 2 * int.from_bytes(answer[:4], "big"))
        return [
            AgentKey(blob, comment.decode("utf-8", "replace"))
            for blob, comment in zip(told[::2], told[1::2], strict=True)
        ]

    def sign(self, blob: bytes, data: bytes, algorithm: str) -> bytes:
        """A signature of ``data`` by one of its keys.

        Raises:
            AgentError: it has no such key any more, or was told not to sign.
        """
        flags = _RSA_FLAGS.get(algorithm.partition("-cert-")[0], 0)
        request = bytes([_SIGN]) + string(blob) + string(data) + flags.to_bytes(4, "big")
        try:
            return _strings(self._ask(request, _SIGN_SECONDS, _SIGNED), 1)[0]
        except OSError as error:
            raise AgentError(f"the agent is gone: {error}") from error

    def _ask(self, request: bytes, seconds: float, expected: int) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(seconds)
            try:
                client.connect(self.path)
                client.sendall(string(request))
                with client.makefile("rb") as stream:
                    head = stream.read(4)
                    length = int.from_bytes(head, "big")
                    if len(head) == 4 and not 0 < length < _MOST_BYTES:
                        raise AgentError("it answers what makes no sense")
                    answer = stream.read(length)
            except TimeoutError as error:
                raise AgentSilentError(f"no answer within {seconds:g} s") from error
        if len(head) < 4 or len(answer) < length:
            raise AgentError("the agent ends the connection")
        if answer[0] != expected:
            raise AgentError("the agent refuses")
        return answer[1:]


def _strings(data: bytes, count: int) -> list[bytes]:
    """The strings that data begins with."""
    found = []
    try:
        for _ in range(count):
            one, data = split_string(data)
            found.append(one)
    except ValueError:
        raise AgentError("its answer is cut short") from None
    return found
