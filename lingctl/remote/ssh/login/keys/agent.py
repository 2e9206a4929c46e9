"""The ssh-agent: which keys it holds, and signatures by them (draft-miller-ssh-agent)."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from lingctl.remote.ssh.login.wire import string

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
            answer = _Reader(self._ask(bytes([_LIST]), _LIST_SECONDS, _LISTED))
        except OSError:
            return []
        return [
            AgentKey(answer.string(), answer.string().decode("utf-8", "replace"))
            for _ in range(answer.number())
        ]

    def sign(self, blob: bytes, data: bytes, algorithm: str) -> bytes:
        """A signature of ``data`` by one of its keys.

        Raises:
            AgentError: it has no such key any more, or was told not to sign.
        """
        flags = _RSA_FLAGS.get(algorithm.partition("-cert-")[0], 0)
        request = bytes([_SIGN]) + string(blob) + string(data) + flags.to_bytes(4, "big")
        try:
            return _Reader(self._ask(request, _SIGN_SECONDS, _SIGNED)).string()
        except OSError as error:
            raise AgentError(f"the agent is gone: {error}") from error

    def _ask(self, request: bytes, seconds: float, expected: int) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(seconds)
            try:
                client.connect(self.path)
                client.sendall(string(request))
                length = int.from_bytes(_exactly(client, 4), "big")
                if not 0 < length < _MOST_BYTES:
                    raise AgentError("it answers what makes no sense")
                answer = _exactly(client, length)
            except TimeoutError as error:
                raise AgentSilentError(f"no answer within {seconds:g} s") from error
        if answer[0] != expected:
            raise AgentError("the agent refuses")
        return answer[1:]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def number(self) -> int:
        return int.from_bytes(self._take(4), "big")

    def string(self) -> bytes:
        return self._take(self.number())

    def _take(self, count: int) -> bytes:
        taken, self._data = self._data[:count], self._data[count:]
        if len(taken) < count:
            raise AgentError("its answer is cut short")
        return taken


def _exactly(client: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        part = client.recv(count - len(data))
        if not part:
            raise AgentError("the agent ends the connection")
        data += part
    return bytes(data)
