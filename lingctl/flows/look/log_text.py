"""Logs of this machine as text: files of any length and encoding, packed or not, folders and archives.

Nothing is kept of a log but what may tell and its end, so that its length costs time and no memory.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections import defaultdict, deque
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from lingctl.engine.logs import LogReader
from lingctl.errors import UsageError
from lingctl.release.evidence import GZIP

# A log up to this is given to the reader whole; of a longer one the first lines of each kind, and the end.
_WHOLE = 1_000_000
_END = 40_000
_LONGEST_LINE = 20_000
# A bound for what a packed log may unpack to.
_MOST_BYTES = 4_000_000_000
_MOST_FILES = 5_000
_SAMPLE = 20_000
_NO_LETTERS = re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")
_UTF16 = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# Where collect puts things in a node's folder.
_STATUS = PurePosixPath("lingctl/daemon.exit")
# The second is there, and the first is not, where the daemon was stopped on request: its end tells nothing.
_STARTED, _STARTED_BEFORE = PurePosixPath("lingctl/started"), PurePosixPath("lingctl/last-started")
_OTHER_LOGS = ("process_log", "mindie", "atb_log")


class _NotTextError(UsageError):
    """A file is no log; in a folder it is passed over."""


@dataclass(frozen=True, slots=True)
class ReadLog:
    """What was read as one log, of one node."""

    name: str  # of the file or node
    text: str
    encoding: str  # of its first file: utf-8, gb18030, utf-16
    bytes: int  # as it lies there, unpacked
    status: str = ""  # exit status of the daemon, where the evidence names it


def read_stream(stream: IO[bytes], name: str, reader: LogReader) -> ReadLog:
    """Read one log to its end. Raises UsageError: it cannot be unpacked, or is no text."""
    lines = _Lines(_opened(stream, name))
    try:
        chosen = reader.first_of_each(iter(lines))
        for _ in lines:
            pass
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UsageError(f"{name} cannot be read to its end: {error}", code="log-damaged") from error
    text = "\n".join(lines.whole) if lines.size <= _WHOLE else f"{chosen}\n" + "\n".join(lines.end)
    if _is_no_text(text):
        raise _NotTextError(
            f"{name} is no text", remedy="unpack it, or give the log itself", code="log-not-text"
        )
    return ReadLog(name, text, lines.encoding, lines.bytes)


def _is_no_text(text: str) -> bool:
    """Whether most of it is of no alphabet. A console has holes of zero bytes, which count for nothing."""
    start = text[:_SAMPLE].replace("\0", "")
    return len(_NO_LETTERS.findall(start)) * 10 > len(start)


def shortened(text: str, reader: LogReader) -> str:
    """Of a long log, or of several with a form feed between them, what may tell of each and its end."""
    return "\f".join(
        log if len(log) <= _WHOLE else f"{reader.first_of_each(iter(log.splitlines()))}\n{log[-_END:]}"
        for log in text.split("\f")
    )


def was_stopped(places: Collection[PurePosixPath]) -> bool:
    """Whether a node's folder, as collect packs it, is of a daemon that was stopped on request."""
    return _STARTED_BEFORE in places and _STARTED not in places


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


def read_path(path: Path, reader: LogReader) -> list[ReadLog]:
    """Read a log, a folder of logs, or what ``lingctl collect`` packed: one for each node that it tells of.

    Raises:
        UsageError: it is not there, or holds no log.
    """
    try:
        if path.is_dir():
            return _nodes(_files_of(path), path.name or str(path), reader)
        if not path.is_file():
            raise UsageError(f"{path} is neither a file nor a folder", remedy="give a log, a folder, or -")
        if _is_archive(path):
            return _nodes(_members_of(path), path.name, reader)
        with path.open("rb") as file:
            return [read_stream(file, path.name, reader)]
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}", code="log-unreadable"
        ) from error


class _Lines:
    """The lines of a stream, once; knows what went by."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.encoding = "utf-8"
        self.bytes = self.size = 0
        self.whole: list[str] = []
        self.end: deque[str] = deque()
        self._end_size = 0
        self._lines = self._read()

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def _read(self) -> Iterator[str]:
        first = self._stream.read(4)
        rest = _Joined(first, self._stream)
        sixteen = next((name for mark, name in _UTF16 if first.startswith(mark)), "")
        if not sixteen and len(first) == 4 and first[1] == first[3] == 0 and first[0] and first[2]:
            sixteen = "utf-16-le"  # as Windows' shells write it without a mark
        lines = _utf16_lines(rest, sixteen) if sixteen else self._byte_lines(rest)
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
            self._end_size += len(text)
            while self._end_size > _END and len(self.end) > 1:
                self._end_size -= len(self.end.popleft())
            # A progress bar's carriage returns end lines too; the reader of lines splits them again.
            yield from text.split("\r")
        self.bytes = rest.tell()

    def _byte_lines(self, stream: _Joined) -> Iterator[str]:
        while line := stream.readline(_LONGEST_LINE):
            if stream.tell() > _MOST_BYTES:
                return
            text, encoding = _line_of(line)
            if encoding != "utf-8":
                self.encoding = encoding
            yield text


class _Joined:
    """Bytes that were read already, and the stream that they came from."""

    def __init__(self, first: bytes, stream: IO[bytes]) -> None:
        self._first, self._stream, self._at = first, stream, 0

    def readline(self, size: int) -> bytes:
        """The next line, or as much of it."""
        part, self._first = self._first, b""
        if b"\n" in part:
            cut = part.index(b"\n") + 1
            part, self._first = part[:cut], part[cut:]
        else:
            part += self._stream.readline(size - len(part))
        self._at += len(part)
        return part

    def tell(self) -> int:
        """How many bytes were read."""
        return self._at


def _utf16_lines(stream: _Joined, encoding: str) -> Iterator[str]:
    """A line feed is two bytes there, of which readline sees one."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    held = ""
    while part := stream.readline(_LONGEST_LINE):
        if stream.tell() > _MOST_BYTES:
            break
        held += decoder.decode(part)
        *lines, held = held.split("\n")
        yield from lines
    if held:
        yield held


def _opened(stream: IO[bytes], name: str) -> IO[bytes]:
    """The stream, out of its gzip if it is in one."""
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[type-var]
    head = buffered.peek(6)[:6]
    try:
        if head.startswith(GZIP):
            return gzip.GzipFile(fileobj=buffered)  # type: ignore[return-value]
        if head.startswith(b"BZh"):
            return bz2.BZ2File(buffered)
        if head.startswith(b"\xfd7zXZ\x00"):
            return lzma.LZMAFile(buffered)
    except OSError as error:
        raise UsageError(f"{name} cannot be unpacked: {error}", code="log-damaged") from error
    return buffered


def _is_archive(path: Path) -> bool:
    if path.name.endswith((".tar", ".tar.gz", ".tgz")) or zipfile.is_zipfile(path):
        return True
    with path.open("rb") as file:
        return file.read(262)[257:] == b"ustar"


def _files_of(folder: Path) -> Iterator[tuple[PurePosixPath, IO[bytes]]]:
    for count, path in enumerate(sorted(folder.rglob("*"))):
        if count >= _MOST_FILES:
            return
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                yield PurePosixPath(path.relative_to(folder).as_posix()), file


def _members_of(path: Path) -> Iterator[tuple[PurePosixPath, IO[bytes]]]:
    try:
        if zipfile.is_zipfile(path):
            yield from _members_of_zip(path)
            return
        with tarfile.open(path, "r:*") as archive:
            for count, member in enumerate(archive):
                place = PurePosixPath(member.name)
                if count >= _MOST_FILES:
                    return
                if not member.isfile() or member.issparse() or ".." in place.parts:
                    continue
                content = archive.extractfile(member)
                if content is not None:
                    yield place, content
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        EOFError,
        zlib.error,
        ValueError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise UsageError(f"{path} is damaged: {error}", code="log-damaged") from error


def _members_of_zip(path: Path) -> Iterator[tuple[PurePosixPath, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist()[:_MOST_FILES]:
            place = PurePosixPath(member.filename)
            if not member.is_dir() and ".." not in place.parts:
                with archive.open(member) as content:
                    yield place, content


def _nodes(files: Iterator[tuple[PurePosixPath, IO[bytes]]], name: str, reader: LogReader) -> list[ReadLog]:
    """One log for each node: collect's folders, else all files together."""
    consoles: dict[str, ReadLog] = {}
    others: dict[str, list[ReadLog]] = {}
    statuses: dict[str, str] = {}
    places: defaultdict[str, set[PurePosixPath]] = defaultdict(set)
    for place, stream in files:
        node, inner = _node_of(place)
        places[node].add(inner)
        if inner == _STATUS:
            statuses[node] = stream.read(20).decode("utf-8", "replace").strip()
        elif inner.name.startswith("worker-") and inner.suffix == ".log" and len(inner.parts) == 1:
            consoles[node] = read_stream(stream, str(place), reader)
        elif not _is_apart(inner):
            with suppress(_NotTextError):
                others.setdefault(node, []).append(read_stream(stream, str(place), reader))
    if consoles:
        for node in places:
            if was_stopped(places[node]):
                statuses.pop(node, None)
        return [
            _joined(node or name, [log, *_of_this_node(others.get(node, ()))], statuses.get(node, ""))
            for node, log in sorted(consoles.items())
        ]
    logs = [log for each in others.values() for log in each if log.text.strip()]
    if not logs:
        raise UsageError(f"{name} holds no log", remedy="give a log, a folder of logs, or collect's archive")
    return [_joined(name, logs, "")]


def _node_of(place: PurePosixPath) -> tuple[str, PurePosixPath]:
    """The node's folder in what collect packed, and the place below it."""
    parts = place.parts
    for at, part in enumerate(parts):
        inner = PurePosixPath(*parts[at:])
        if part in ("lingctl", *_OTHER_LOGS) or (part.startswith("worker-") and at == len(parts) - 1):
            return (parts[at - 1] if at else ""), inner
    return "", place


def _is_apart(inner: PurePosixPath) -> bool:
    """Whether it is no log of this run: files of lingctl, the release, answers of tools."""
    return inner.parts[0] in (
        "lingctl",
        "environment_check",
        "device_log",
        "check-network",
    ) or inner.suffix in (
        ".json",
        ".yaml",
        ".sh",
        ".py",
    )


def _of_this_node(logs: list[ReadLog] | tuple[ReadLog, ...]) -> list[ReadLog]:
    return [log for log in logs if any(f"{part}/" in f"{log.name}/" for part in _OTHER_LOGS)]


def _joined(name: str, logs: list[ReadLog], status: str) -> ReadLog:
    text = "\n\f".join(log.text for log in logs)
    return ReadLog(name, text, logs[0].encoding, sum(log.bytes for log in logs), status)
