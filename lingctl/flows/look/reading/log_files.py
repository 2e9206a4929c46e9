"""Logs on this machine: files, folders and archives, and which of them are of one node."""

from __future__ import annotations

import lzma
import os
import struct
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from lingctl.errors import UsageError
from lingctl.flows.look.reading.blocks import BlockReader, DamagedError, Readable
from lingctl.flows.look.reading.log_text import (
    FirstOfEach,
    NotTextError,
    ReadLog,
    read_blocks,
    read_stream,
    shortened,
)
from lingctl.flows.look.reading.node_folder import (
    LOG_FOLDERS,
    LONGEST_TRACE,
    OURS,
    DaemonTraces,
    is_console,
)
from lingctl.flows.look.reading.tar_reader import begins_a_tar, tar_members
from lingctl.paths import is_file, is_folder

_TAR_NAMES = (".tar", ".tar.gz", ".tgz")
_MOST_FILES = 200_000
# Of the text of all logs: as much is given to the reader whole, and as much more is held at all.
_MOST_WHOLE, _MOST_HELD = 64 << 20, 256 << 20
# Of a zip's list of members, which Python takes into memory before anything else.
_LONGEST_LIST = 16 << 20
# zipfile raises RuntimeError for a password, and NotImplementedError for a compression that it lacks.
_DAMAGED_ZIP = (
    zipfile.BadZipFile,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    ValueError,
    RuntimeError,
    NotImplementedError,
)
_ZIP_END, _ZIP_LONG_END = struct.Struct("<4s8xI6x"), struct.Struct("<4s36xQ8x")
_IN_LONG_END = 0xFFFFFFFF
_ZIP_LOCATOR_BYTES, _ZIP_LONGEST_COMMENT = 20, 65_535


def read_path(path: Path, first_of_each: FirstOfEach) -> list[ReadLog]:
    """Read a log, a folder of logs, or what ``lingctl collect`` packed: one for each node that it tells of.

    Raises:
        UsageError: it is not there, or holds no log.
    """
    try:
        if is_folder(path):
            return _nodes(_files_of(path), path.name or str(path), first_of_each)
        if not is_file(path):
            raise UsageError(f"{path} is neither a file nor a folder", remedy="give a log, a folder, or -")
        if path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
            return _nodes(_members_of_zip(path), path.name, first_of_each)
        with path.open("rb") as file:
            blocks = BlockReader(file)
            if path.name.endswith(_TAR_NAMES) or begins_a_tar(blocks.peek(512)):
                return _nodes(_members_of_tar(blocks), path.name, first_of_each)
            return [read_blocks(blocks, path.name, first_of_each)]
    except DamagedError as error:
        raise UsageError(f"{path} cannot be read to its end: {error}", code="log-damaged") from error
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}", code="log-unreadable"
        ) from error


def _files_of(folder: Path) -> Iterator[tuple[PurePosixPath, Readable]]:
    count = 0
    for at, folders, names in os.walk(folder):
        folders.sort()
        count += len(folders) + len(names)
        if count > _MOST_FILES:
            raise DamagedError(f"it holds more than {_MOST_FILES:,} files")
        for path in sorted(Path(at, name) for name in names):
            if not path.is_symlink() and is_file(path):
                with path.open("rb") as file:
                    yield PurePosixPath(path.relative_to(folder).as_posix()), file


def _members_of_tar(blocks: BlockReader) -> Iterator[tuple[PurePosixPath, Readable]]:
    for member in tar_members(blocks, _MOST_FILES):
        if not member.refused:
            yield member.path, member.content


def _members_of_zip(path: Path) -> Iterator[tuple[PurePosixPath, Readable]]:
    if _zip_list_bytes(path) > _LONGEST_LIST:
        raise DamagedError(f"its list of members is longer than {_LONGEST_LIST >> 20} MB")
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                place = PurePosixPath(member.filename)
                if not member.is_dir() and ".." not in place.parts:
                    with archive.open(member) as content:
                        yield place, _MemberOfZip(content)
    except _DAMAGED_ZIP as error:
        raise DamagedError(str(error)) from error


class _MemberOfZip:
    """What is in a member; its damage shows only where it is read, which others do."""

    def __init__(self, content: Readable) -> None:
        self._content = content

    def read(self, size: int, /) -> bytes:
        """So many bytes, or fewer. Raises DamagedError: they are not what was packed."""
        try:
            return self._content.read(size)
        except _DAMAGED_ZIP as error:
            raise DamagedError(str(error)) from error


def _zip_list_bytes(path: Path) -> int:
    """How long a zip says that its list of members is."""
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        head = _ZIP_LONG_END.size + _ZIP_LOCATOR_BYTES
        file.seek(max(0, length - _ZIP_LONGEST_COMMENT - _ZIP_END.size - head))
        end = file.read()
    said = [0]
    for mark, form in ((b"PK\x05\x06", _ZIP_END), (b"PK\x06\x06", _ZIP_LONG_END)):
        at = end.find(mark)
        while at >= 0:
            if at + form.size <= len(end):
                said += form.unpack_from(end, at)[1:]
            at = end.find(mark, at + 1)
    return max(one for one in said if one != _IN_LONG_END)


def _nodes(
    files: Iterator[tuple[PurePosixPath, Readable]], name: str, first_of_each: FirstOfEach
) -> list[ReadLog]:
    """One log for each node: collect's folders, else all files together."""
    consoles: dict[str, ReadLog] = {}
    others: defaultdict[str, list[ReadLog]] = defaultdict(list)
    traces: defaultdict[str, DaemonTraces] = defaultdict(DaemonTraces)
    held = _Held(first_of_each)
    for place, stream in files:
        node, inner = _node_of(place)
        if is_console(inner):
            consoles[node] = held.read(stream, place)
        elif not _is_apart(inner):
            with suppress(NotTextError):
                others[node].append(held.read(stream, place))
        elif inner.parts[0] == OURS:
            traces[node].take(inner, stream.read(LONGEST_TRACE))
    if consoles:
        return [
            _joined(node or name, [log, *(one for one in others[node] if _is_of_the_run(one))], traces[node])
            for node, log in sorted(consoles.items())
        ]
    logs = [log for each in others.values() for log in each if log.text.strip()]
    if not logs:
        raise UsageError(f"{name} holds no log", remedy="give a log, a folder of logs, or collect's archive")
    return [_joined(name, logs, DaemonTraces())]


class _Held:
    """Reads logs that are held together, as much of each as there is room for."""

    def __init__(self, first_of_each: FirstOfEach) -> None:
        self._first_of_each = first_of_each
        self._size = 0

    def read(self, stream: Readable, place: PurePosixPath) -> ReadLog:
        """One more."""
        log = read_stream(stream, str(place), self._first_of_each)
        if self._size + len(log.text) > _MOST_WHOLE:
            log = replace(log, text=shortened(log.text, self._first_of_each, whole=0))
        self._size += len(log.text)
        if self._size > _MOST_HELD:
            raise DamagedError("its logs say too much to be judged at once")
        return log


def _node_of(place: PurePosixPath) -> tuple[str, PurePosixPath]:
    """The node's folder in what collect packed, and the place below it."""
    parts = place.parts
    for at, part in enumerate(parts):
        inner = PurePosixPath(*parts[at:])
        if part in (OURS, *LOG_FOLDERS) or is_console(inner):
            return (parts[at - 1] if at else ""), inner
    return "", place


def _is_apart(inner: PurePosixPath) -> bool:
    """Whether it is no log of this run: files of lingctl, the release, answers of tools."""
    folders = (OURS, "environment_check", "device_log", "check-network")
    return inner.parts[0] in folders or inner.suffix in (".json", ".yaml", ".sh", ".py")


def _is_of_the_run(log: ReadLog) -> bool:
    return any(f"{part}/" in f"{log.name}/" for part in LOG_FOLDERS)


def _joined(name: str, logs: list[ReadLog], traces: DaemonTraces) -> ReadLog:
    text, size = "\n\f".join(log.text for log in logs), sum(log.bytes for log in logs)
    return ReadLog(name, text, logs[0].encoding, size, traces.status, traces.runs)
