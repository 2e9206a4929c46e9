"""Plain values: numbers, texts, bytes. What is long is passed over."""

from __future__ import annotations

import codecs
import struct
from typing import Callable

from lingctl.node.checkpoint.pickles import budget as cost
from lingctl.node.checkpoint.pickles.stack import Stack, as_text
from lingctl.node.checkpoint.pickles.stand_ins import Opaque
from lingctl.node.checkpoint.refusals import malformed

LONGEST_NUMBER = 32
_LONGEST_TEXT = 65_536
_DOUBLE = struct.Struct(">d")


class Values(Stack):
    """A stack to which values can be written down."""

    def long(self, layout: struct.Struct) -> None:
        size = self.length(layout)
        if size > LONGEST_NUMBER:
            self._window.skip(size)
            self.push(Opaque(f"a number of {size} bytes"), cost.OPAQUE)
        else:
            self.push(int.from_bytes(self._take(size), "little", signed=True), cost.OBJECT)

    def decimal(self) -> None:
        """INT and LONG of protocols 0 and 1: digits, with an L behind them; 00 and 01 are truth values."""
        line = self._window.line(2 * LONGEST_NUMBER)
        if line is None:
            value: object = Opaque("a number of many digits")
        elif line in (b"00", b"01"):
            value = line == b"01"
        else:
            value = parsed(int, line[:-1] if line.endswith(b"L") else line)
        self.push(value, cost.OPAQUE)

    def real(self) -> None:
        self.push(_DOUBLE.unpack(self._take(8))[0], cost.NUMBER)

    def real_line(self) -> None:
        line = self._window.line(2 * LONGEST_NUMBER)
        self.push(Opaque("a number of many digits") if line is None else parsed(float, line), cost.OBJECT)

    def text(self, layout: struct.Struct) -> None:
        size = self.length(layout)
        if size > _LONGEST_TEXT:
            self._window.skip(size)
            self.push(Opaque(f"a text of {size} bytes"), cost.OPAQUE)
            return
        raw = self._take(size)
        self._budget.spend(cost.OBJECT + size * (1 if raw.isascii() else 4))
        self.push(as_text(raw))

    def string(self, layout: struct.Struct) -> None:
        """Strings of Python 2: texts as a rule, and bytes where they are none."""
        size = self.length(layout)
        if size > _LONGEST_TEXT:
            self.octets(size)
            return
        raw = self._take(size)
        self.push(_text_or_bytes(raw), cost.OPAQUE + 4 * size)

    def line_value(self, parse: Callable[[bytes], object]) -> None:
        line = self._window.line(_LONGEST_TEXT)
        if line is None:
            self.push(Opaque(f"a text of more than {_LONGEST_TEXT} bytes"), cost.OPAQUE)
            return
        try:
            self.push(parse(line), cost.OPAQUE + 4 * len(line))
        except ValueError as error:
            raise malformed(f"a text with a wrong escape: {error}") from None

    def octets(self, size: int) -> None:
        """Bytes are never part of a state dict's tensors: arrays of others lie in them."""
        self._window.skip(size)
        self.push(Opaque("bytes"), cost.OPAQUE)


def unquoted(line: bytes) -> object:
    """A string of Python 2 as it is written there. Raises Trouble: it has no quotes."""
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in b"'\"":
        raise malformed("a string without quotes")
    return _text_or_bytes(codecs.escape_decode(line[1:-1])[0])


def _text_or_bytes(raw: bytes) -> object:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return Opaque("bytes")


def parsed(kind: Callable[[bytes], object], line: bytes) -> object:
    """A number written as text. Raises Trouble: it is none."""
    try:
        return kind(line)
    except ValueError:
        raise malformed("a number that is none") from None
