"""What is sent to a node: its length and digest are known before its first byte is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class WriteFile:
    """A file to put on a node: whole, with its mode, or not at all."""

    path: str  # on the node
    content: bytes = field(repr=False)  # all of it
    mode: int = 0o640  # permission bits; MindIE refuses a config.json or rank table above 0640

    @property
    def name(self) -> str:
        """Its own name."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def digest(self) -> str:
        """SHA-256 in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    def blocks(self) -> Iterator[bytes]:
        """The content in pieces."""
        for start in range(0, len(self.content), _BLOCK):
            yield self.content[start : start + _BLOCK]
