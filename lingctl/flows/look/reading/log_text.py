"""A log as text, of any length and encoding, packed or not.

Nothing is kept of a log but what may tell and its end, so that its length costs time and no memory.
"""

from __future__ import annotations

import codecs
import io
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from lingctl.errors import UsageError
from lingctl.flows.look.reading.blocks import BlockReader, DamagedError, Readable

# What of a long log is worth reading: see ``first_of_each``.
FirstOfEach = Callable[[Iterable[str]], str]
# A log up to this is given to the reader whole; of a longer one the first lines of each kind, and the end.
_WHOLE = 1_000_000
_END = 40_000
_LONGEST_LINE = 20_000
_SAMPLE = 20_000
_NO_LETTERS = re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")
_UTF16 = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class NotTextError(UsageError):
    """A file is no log; in a folder it is passed over."""


@dataclass(frozen=True, slots=True)
class ReadLog:
    """What was read as one log, of one node."""

    name: str  # of the file or node
    text: str
    encoding: str  # of its first file: utf-8, gb18030, utf-16
    bytes: int  # as it lies there, unpacked
    status: str = ""  # exit status of the daemon, where the evidence names it
    runs: bool = False  # whether the evidence shows that the daemon runs


def read_stream(stream: Readable, name: str, first_of_each: FirstOfEach) -> ReadLog:
    """Read one log to its end. Raises UsageError: it cannot be unpacked, is too long, or is no text."""
    return read_blocks(BlockReader(stream), name, first_of_each)


def read_blocks(blocks: BlockReader, name: str, first_of_each: FirstOfEach) -> ReadLog:
    """As ``read_stream``."""
    lines = _Lines(blocks)
    try:
        chosen = first_of_each(iter(lines))
        for _ in lines:
            pass
    except (DamagedError, OSError) as error:
        raise UsageError(f"{name} cannot be read to its end: {error}", code="log-damaged") from error
    text = "\n".join(lines.whole) if lines.size <= _WHOLE else f"{chosen}\n" + "\n".join(lines.end)
    if _is_no_text(text):
        raise NotTextError(f"{name} is no text", code="log-not-text")
    return ReadLog(name, text, lines.encoding, blocks.tell())


def _is_no_text(text: str) -> bool:
    """Whether most of it is of no alphabet. A console has holes of zero bytes, which count for nothing."""
    start = text[:_SAMPLE].replace("\0", "")
    return len(_NO_LETTERS.findall(start)) * 10 > len(start)


def shortened(text: str, first_of_each: FirstOfEach, *, whole: int = _WHOLE) -> str:
    """Of a log longer than ``whole``, or of several with a form feed between them, what may tell of each and
    its end."""
    return "\f".join(
        log if len(log) <= whole else f"{first_of_each(iter(log.splitlines()))}\n{log[-_END:]}"
        for log in text.split("\f")
    )


def decoded(content: bytes) -> str:
    """A log's text: UTF-8, but for lines that are only Chinese of the older encoding."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return "".join(_line_of(line)[0] for line in content.splitlines(keepends=True))


def _line_of(line: bytes) -> tuple[str, str]:
    """A line's text and encoding."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return line.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return line.decode("utf-8", "replace"), "utf-8"


class _Lines:
    """The lines of a log, once; knows what went by."""

    def __init__(self, blocks: BlockReader) -> None:
        self._blocks = blocks
        self.encoding = "utf-8"
        self.size = 0
        self.whole: list[str] = []
        self.end: deque[str] = deque()
        self._end_size = 0
        self._lines = self._read()

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def _read(self) -> Iterator[str]:
        first = self._blocks.peek(4)
        sixteen = next((name for mark, name in _UTF16 if first.startswith(mark)), "")
        if not sixteen and len(first) == 4 and first[1] == first[3] == 0 and first[0] and first[2]:
            sixteen = "utf-16-le"  # as Windows' shells write it without a mark
        lines = _utf16_lines(self._blocks, sixteen) if sixteen else self._byte_lines()
        if sixteen:
            self.encoding = "utf-16"
        for line in lines:
            text = line.rstrip("\r\n").lstrip("\ufeff")
            self.size += len(text) + 1
            if self.size <= _WHOLE:
                self.whole.append(text)
            elif self.whole:
                self.whole = []
            self.end.append(text)
            self._end_size += len(text) + 1
            while self._end_size > _END and len(self.end) > 1:
                self._end_size -= len(self.end.popleft()) + 1
            # A progress bar's carriage returns end lines too; the reader of lines splits them again.
            yield from text.split("\r")

    def _byte_lines(self) -> Iterator[str]:
        while line := self._blocks.readline(_LONGEST_LINE):
            text, encoding = _line_of(line)
            if encoding != "utf-8":
                self.encoding = encoding
            yield text


def _utf16_lines(blocks: BlockReader, encoding: str) -> Iterator[str]:
    """A line feed is two bytes there, of which the reader of bytes sees one."""
    reader = io.TextIOWrapper(blocks, encoding, "replace", newline="\n")
    try:
        while line := reader.readline(_LONGEST_LINE):
            yield line
    finally:
        reader.detach()  # what it reads from is not closed with it
