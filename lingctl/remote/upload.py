"""What is sent to a node: its length and digest are known before its first byte is sent."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lingctl.errors import NodeError

_BLOCK = 1 << 20
HERE = "this machine"


@dataclass(frozen=True, slots=True)
class Upload:
    """Content that is being sent.

    Attributes:
        size: bytes.
        digest: SHA-256 in hexadecimal.
    """

    size: int
    digest: str
    _file: io.BufferedIOBase

    def blocks(self) -> Iterator[bytes]:
        """All of it, in pieces.

        Raises:
            NodeError: it became shorter meanwhile, so that its end would be waited for in vain.
        """
        left = self.size
        while left:
            block = self._file.read(min(left, _BLOCK))
            if not block:
                raise NodeError("a file changed while it was being sent", where=HERE, code="read-failed")
            left -= len(block)
            yield block


@contextmanager
def opened(content: bytes | Path) -> Iterator[Upload]:
    """Look at what is to be sent, and keep it open meanwhile.

    Raises:
        NodeError: a file cannot be read here.
    """
    with contextlib.ExitStack() as held:
        try:
            file: io.BytesIO | io.BufferedReader = (
                io.BytesIO(content) if isinstance(content, bytes) else held.enter_context(content.open("rb"))
            )
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
        except OSError as error:
            what = f"cannot read {content!s}: {error.strerror}"
            raise NodeError(what, where=HERE, code="read-failed") from error
        yield Upload(size, digest, file)
