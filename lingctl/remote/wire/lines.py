"""A stream of bytes cut into lines, in time and memory that do not depend on who sends it."""

from __future__ import annotations

from collections.abc import Callable


class LineCutter:
    """Cuts what comes into lines; of one that is longer than it may be, the beginning is told."""

    def __init__(self, on_line: Callable[[bytes, int], None], longest: int) -> None:
        """Nothing came yet.

        Args:
            on_line: gets each line, without its end, and how many of its bytes were left out.
            longest: bytes of a line that are kept.
        """
        self._on_line = on_line
        self._longest = longest
        self._line = bytearray()
        self._left_out = 0

    def __call__(self, part: bytes) -> None:
        """The next bytes."""
        first, *others = part.split(b"\n")
        self._add(first)
        for piece in others:
            line, left_out = bytes(self._line), self._left_out
            self._line, self._left_out = bytearray(), 0
            self._on_line(line, left_out)
            self._add(piece)

    def _add(self, piece: bytes) -> None:
        kept = piece[: self._longest - len(self._line)]
        self._line += kept
        self._left_out += len(piece) - len(kept)
