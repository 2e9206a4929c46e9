"""JSON read in blocks by the rules of the library that reads safetensors headers, in little memory.

Python's own reader makes an object of every value, thirty times the size of the text, and is kinder: it takes
NaN, lone surrogates and any depth. Here whoever reads asks for what it wants, and the rest is passed over.

Source of the rules: serde_json, as safetensors 0.5 to 0.8 use it, tried value by value.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from typing import Callable, Iterator, List, Optional, Pattern

_BLOCK = 1 << 16
# A name or a file name of a model is never longer; the format sets no limit.
LONGEST_NAME = 65_536
_LONGEST_NUMBER = 1_000
_DEEPEST = 127
_MOST_STEPS = 1_000_000
_LARGEST_COUNT = 2**64 - 1

_SPACE = re.compile(r"[ \t\n\r]*")
_HEX = "[0-9a-fA-F]"
# What may stand in a string; a surrogate only as half of a pair.
_BODY = re.compile(
    r'(?:[^"\\\x00-\x1f]+|\\(?:["\\/bfnrt]|u(?:'
    rf"[0-9a-ce-fA-CE-F]{_HEX}{{3}}|[dD][0-7]{_HEX}{{2}}|[dD][89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}})))*"
)
_PAIR_OF_ESCAPES = 12
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER_TEXT = re.compile(r"[-+.0-9eE]*")
_WORD = re.compile(r"true|false|null")
# Short numbers of a list, each with its comma: hundreds are passed over at once.
_NUMBERS = re.compile(r"(?:-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,16})?[ \t\n\r]{0,16},[ \t\n\r]{0,16}){1,200}")


class BeyondLimits(ValueError):
    """It may be right, and is more than is read here."""


class JsonText:
    """One JSON document; each call takes what stands next.

    Args:
        read: gives at most so many of its next bytes, and none at its end.

    Raises:
        ValueError: from every call, when the text is not what was asked for or no JSON.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._text = ""
        self._at = 0
        self._ended = False
        self._depth = 0
        self._steps = 0

    def peek(self) -> str:
        """The next character that is not white; empty at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill():
                return ""

    def match(self, pattern: Pattern[str]) -> Optional["re.Match[str]"]:
        """What stands next, if it is all of ``pattern`` and a block holds it; else nothing is taken."""
        self.peek()
        if len(self._text) - self._at < _BLOCK // 4:
            self._fill()
        found = pattern.match(self._text, self._at)
        if found:
            self._step()
            self._at = found.end()
        return found

    def members(self) -> Iterator[None]:
        """One turn for each member of an object, whose key and value have to be taken in it."""
        return self._items("{", "}")

    def key(self) -> str:
        """The key of a member."""
        name = self.string()
        self.colon()
        return name

    def colon(self) -> None:
        """What stands between key and value."""
        self._expect(":")

    def items(self) -> Iterator[None]:
        """One turn for each value of a list, which has to be taken in it."""
        return self._items("[", "]")

    def string(self) -> str:
        """A string of at most 65,536 characters."""
        pieces: List[str] = []
        length = 0
        for piece in self._pieces():
            length += len(piece)
            # An escape has up to six characters for one.
            if length > 6 * LONGEST_NAME:
                raise BeyondLimits(f"a name of more than {LONGEST_NAME} characters")
            pieces.append(piece)
        raw = "".join(pieces)
        text = str(json.loads(f'"{raw}"')) if "\\" in raw else raw
        if len(text) > LONGEST_NAME:
            raise BeyondLimits(f"a name of more than {LONGEST_NAME} characters")
        return text

    def pass_string(self) -> None:
        """A string of any length, which is not kept."""
        for _ in self._pieces():
            pass

    def count(self) -> int:
        """A whole number from 0 to 2**64 - 1, written as one."""
        text = self._number()
        if not text.isdigit() or len(text) > 20 or int(text) > _LARGEST_COUNT:
            raise ValueError(f"{text[:40]} where a count is wanted")
        return int(text)

    def whole(self) -> Optional[int]:
        """A number; None where it is not whole, or larger than any size."""
        value = float(self._number())
        return int(value) if value == int(value) and 0 <= value <= _LARGEST_COUNT else None

    def pass_value(self) -> None:
        """Any value, whatever is in it."""
        begin = self.peek()
        if begin == '"':
            self.pass_string()
        elif begin == "{":
            for _ in self.members():
                self.pass_string()
                self.colon()
                self.pass_value()
        elif begin == "[":
            for _ in self.items():
                self._pass_numbers()
                self.pass_value()
        elif begin and begin in "-0123456789":
            self._number()
        else:
            self._word()

    def _pass_numbers(self) -> None:
        found = _NUMBERS.match(self._text, self._at)
        if found:
            self._step(found.group().count(","))
            self._at = found.end()

    def end(self) -> None:
        """Nothing may follow."""
        if self.peek():
            raise ValueError(f"{self._next()} behind the end")

    def _items(self, begin: str, end: str) -> Iterator[None]:
        self._expect(begin)
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError(f"more than {_DEEPEST} levels")
        if self.peek() != end:
            while True:
                yield None
                if self.peek() != ",":
                    break
                self._at += 1
        self._expect(end)
        self._depth -= 1

    def _pieces(self) -> Iterator[str]:
        """The inside of a string as it is written, block by block."""
        self._expect('"')
        while True:
            found = _BODY.match(self._text, self._at)
            if found and found.end() > self._at:
                self._at = found.end()
                yield found.group()
            if self._text[self._at : self._at + 1] == '"':
                self._at += 1
                return
            whole = len(self._text) - self._at >= _PAIR_OF_ESCAPES
            if whole or not self._fill():
                raise ValueError(self._wrong_string())

    def _wrong_string(self) -> str:
        left = self._text[self._at : self._at + 2]
        if not left:
            return "a string without an end"
        if left[0] == "\\":
            surrogate = left == "\\u"
            return "an escape that names no character" if surrogate else f"the unknown escape {left!r}"
        return f"the control character {left[0]!r} in a string"

    def _number(self) -> str:
        self._step()
        self.peek()
        while True:
            found = _NUMBER_TEXT.match(self._text, self._at)
            text = found.group() if found else ""
            if len(text) > _LONGEST_NUMBER:
                raise BeyondLimits(f"a number of more than {_LONGEST_NUMBER} digits")
            if self._at + len(text) < len(self._text) or not self._fill():
                break
        if not _NUMBER.fullmatch(text):
            raise ValueError(f"{self._next()} where a number is wanted")
        if math.isinf(float(text)):
            raise ValueError(f"the number {text[:20]}... is out of range")
        self._at += len(text)
        return text

    def _word(self) -> None:
        self._step()
        self.peek()
        if len(self._text) - self._at < len("false"):
            self._fill()
        found = _WORD.match(self._text, self._at)
        if not found:
            raise ValueError(f"{self._next()} where a value is wanted")
        self._at = found.end()

    def _expect(self, character: str) -> None:
        self._step()
        if self.peek() != character:
            raise ValueError(f"{self._next()} where {character} is wanted")
        self._at += 1

    def _next(self) -> str:
        return repr(self._text[self._at : self._at + 20]) if self._at < len(self._text) else "the end"

    def _step(self, count: int = 1) -> None:
        self._steps += count
        if self._steps > _MOST_STEPS:
            raise BeyondLimits(f"more than {_MOST_STEPS} values, more than a model needs")

    def _fill(self) -> bool:
        """Read on; false at the end."""
        if self._ended:
            return False
        data = self._read(_BLOCK)
        self._ended = not data
        self._text = self._text[self._at :] + self._decoder.decode(data, self._ended)
        self._at = 0
        return True
