"""Host keys: a node is who known_hosts says it is, or nothing is sent to it. Judged as OpenSSH judges.

Facts: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT", and what OpenSSH 9.2 does with odd files: any line of a name
may match, ``@revoked`` counts before everything, and with another port than 22 a name without one counts too.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lingctl.errors import ConnectError
from lingctl.inventory.given_file import read_bounded, with_home
from lingctl.inventory.ssh.patterns import listed
from lingctl.remote.ssh.login.wire import is_whole, kind_of

_MOST_BYTES = 64 << 20
TRUSTED, AUTHORITY, REVOKED = "", "@cert-authority", "@revoked"


class KnownKey(NamedTuple):
    """One line of a known_hosts file."""

    mark: str  # ``@cert-authority``, ``@revoked`` or nothing
    names: str  # as written
    kind: str  # type of the key
    blob: bytes  # the key
    place: str  # file and line

    def is_of(self, name: str) -> bool:
        """Whether the line is about a host name; a name in lower case, with its port where that is not 22."""
        if not self.names.startswith("|"):
            return listed(name, self.names.lower().split(","))
        try:
            _, kind, salt, digest = self.names.split("|")
            own = hmac.digest(base64.b64decode(salt), name.encode(), hashlib.sha1)
            return kind == "1" and hmac.compare_digest(own, base64.b64decode(digest))
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class KnownHosts:
    """The lines of several files."""

    lines: tuple[KnownKey, ...]  # in order

    def of(self, name: str, mark: str = TRUSTED) -> list[KnownKey]:
        """The lines about a host with that mark."""
        return [line for line in self.lines if line.mark == mark and line.is_of(name)]

    def is_revoked(self, names: Iterable[str], *keys: bytes) -> KnownKey | None:
        """The line that takes one of the keys back for this host."""
        lines = (line for name in names for line in self.of(name, REVOKED))
        return next((line for line in lines if line.blob in keys), None)


def read_known_hosts(files: Iterable[str]) -> KnownHosts:
    """Read files; those that do not exist are empty. Raises ConnectError: one cannot be read."""
    lines: list[KnownKey] = []
    for file in files:
        path = with_home(file)
        try:
            seen = path.stat()
            lines += _read(path, seen.st_mtime_ns, seen.st_size, seen.st_ino)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise ConnectError(
                f"cannot read {path}: {error.strerror}", code="known-hosts-unreadable"
            ) from error
    return KnownHosts(tuple(lines))


def revoked_keys(path: Path) -> set[bytes]:
    """The public keys of a file, one a line.

    Raises:
        OSError: it cannot be read.
        ValueError: it is something else.
    """
    lines = [line.split() for line in read_bounded(path, _MOST_BYTES).decode("utf-8").split("\n")]
    keys = [words for words in lines if words and not words[0].startswith("#")]
    if any(len(words) < 2 for words in keys):
        raise ValueError("a line is no public key")
    return {base64.b64decode(words[1], validate=True) for words in keys}


@functools.lru_cache(maxsize=16)
def _read(path: Path, _changed: int, _size: int, _inode: int) -> tuple[KnownKey, ...]:
    """Once for all nodes of a run, as long as the file is the same."""
    return tuple(_parsed(read_bounded(path, _MOST_BYTES).decode("utf-8", errors="replace"), str(path)))


def _parsed(text: str, file: str) -> Iterator[KnownKey]:
    """What is no key (a comment, one that is cut short, one of protocol 1) is passed over, as in OpenSSH."""
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        mark = words.pop(0) if words and words[0].startswith("@") else TRUSTED
        if len(words) < 3 or words[0].startswith("#") or mark not in (TRUSTED, AUTHORITY, REVOKED):
            continue
        names, kind, key = words[:3]
        try:
            blob = base64.b64decode(key, validate=True)
        except ValueError:  # not base64, or not even ASCII
            continue
        if kind_of(blob) == kind and is_whole(blob):
            yield KnownKey(mark, names, kind, blob, f"{file}:{number}")
