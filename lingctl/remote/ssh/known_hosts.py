"""Host keys: a node is who known_hosts says it is, or nothing is sent to it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

import paramiko
from paramiko.hostkeys import HostKeyEntry, HostKeys

from lingctl.errors import ConnectError


class KnownHosts:
    """The host keys of one known_hosts file.

    Lines that are not plain keys (``@cert-authority``, comments, key types we cannot read) are passed
    over; keys marked ``@revoked`` are never accepted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._trusted = HostKeys()
        self._revoked: set[bytes] = set()
        for line in _lines(path):
            revoked = line.startswith("@revoked")
            if line.startswith("@") and not revoked:
                continue
            entry = _entry(line.removeprefix("@revoked"))
            if entry is None or entry.key is None:
                continue
            if revoked:
                self._revoked.add(entry.key.asbytes())
            else:
                self._trusted._entries.append(entry)  # type: ignore[attr-defined]  # add() drops hashed names

    def key_types(self, host: str, port: int) -> list[str]:
        """Types of the keys known for a host, to ask it for one of these."""
        known = self._trusted.lookup(_name(host, port))
        return list(known) if known else []

    def check(self, host: str, port: int, key: paramiko.PKey, node: str) -> None:
        """Accept a host's key.

        Raises:
            ConnectError: the key is unknown (``host-key-unknown``) or another one (``host-key-changed``).
        """
        name = _name(host, port)
        shown = f"{key.get_name()} {key.fingerprint}"
        known = self._trusted.lookup(name)
        if key.asbytes() in self._revoked:
            raise ConnectError(
                "its host key is marked @revoked",
                where=node,
                evidence=shown,
                remedy=f"do not log in there; who revoked the key in {self.path} knows why",
                code="host-key-revoked",
            )
        if not known:
            raise ConnectError(
                f"host key of {name} is not known",
                where=node,
                evidence=f"it offers {shown}",
                remedy=f"compare that fingerprint with the machine's own, then: {self._scan(host, port)}",
                code="host-key-unknown",
            )
        trusted = known.get(key.get_name())
        if trusted is None or trusted.asbytes() != key.asbytes():
            raise ConnectError(
                f"host key of {name} is not the one in {self.path}",
                where=node,
                evidence=f"it offers {shown}",
                remedy="find out why before going on: another machine may have answered. If the machine was "
                f"reinstalled: {shlex.join(['ssh-keygen', '-R', name, '-f', str(self.path)])}, then "
                f"{self._scan(host, port)}",
                code="host-key-changed",
            )

    def _scan(self, host: str, port: int) -> str:
        return f"ssh-keyscan -p {port} {host} >> {shlex.quote(str(self.path))}"


def _name(host: str, port: int) -> str:
    return host if port == 22 else f"[{host}]:{port}"


def _lines(path: Path) -> Iterable[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConnectError(
            f"cannot read {path}: {error.strerror}",
            remedy="correct ssh.known_hosts in hosts.yaml, or the file's mode",
            code="known-hosts-unreadable",
        ) from error
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _entry(line: str) -> HostKeyEntry | None:
    try:
        return HostKeyEntry.from_line(" ".join(line.split()))  # OpenSSH takes tabs, paramiko does not
    except (paramiko.SSHException, paramiko.hostkeys.InvalidHostKey, ValueError):
        return None
