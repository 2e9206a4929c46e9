"""The archive that a node sends, read as what anybody may have sent: bounded, and regular files alone.

Python's own reader takes a member's name, its extended headers and the map of a sparse file into memory, as
long as they say they are. Ours knows what GNU tar and busybox write of regular files (POSIX.1-2017, pax and
``ustar``; GNU's long names), and passes over the rest.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from lingctl.errors import NodeError

# What the node's script takes of one file (``evidence.gather_command``), and a bound for what one node sends.
MOST_OF_A_MEMBER = 20_480 * 1024
MOST_UNPACKED = 4_000_000_000
_MOST_MEMBERS = 20_000
_LONGEST_HEADER = 64 << 10
_BLOCK = 512
_READ = 64 << 10
_REGULAR = (b"0", b"\0", b"7")
_UNNAMED = PurePosixPath("unnamed")
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL, _SPARSE = b"L", b"K", b"x", b"g", b"S"
_PAX_RECORD = re.compile(rb"([0-9]{1,6}) ([^=\n]{1,200})=")


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """A regular file."""

    path: PurePosixPath  # below the node's folder
    content: bytes  # its bytes, at most ``MOST_OF_A_MEMBER``
    left_out: str = ""  # why not all of it is here; empty if it is


def archive_members(node: str, file: BinaryIO) -> Iterator[ArchiveMember]:
    """Regular files by their place below the node's folder: nothing may point out of it.

    Raises:
        NodeError: the archive is damaged, or longer than a node's may be; what came before was given.
    """
    try:
        yield from _Reader(file).members()
    except (ValueError, zlib.error, EOFError, OSError) as error:
        raise NodeError(
            "what the node sent is not whole", where=node, evidence=str(error), code="evidence-damaged"
        ) from error


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._blocks = _unpacked(file)
        self._ready, self._at = b"", 0
        self._name = b""
        self._is_sparse = False

    def members(self) -> Iterator[ArchiveMember]:
        """See ``archive_members``."""
        for _ in range(_MOST_MEMBERS):
            header = self._read(_BLOCK)
            if not header.strip(b"\0"):
                return
            kind, size = _kind_and_size(header)
            if kind in (_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL):
                self._extend(kind, size)
                continue
            name = self._name or _name(header)
            is_sparse, self._name, self._is_sparse = self._is_sparse or kind == _SPARSE, b"", False
            if kind == _SPARSE:
                self._skip_sparse_map(header)
            path, refused = _path(name), "a sparse file, which lingctl does not ask for" if is_sparse else ""
            if path is None:
                path, refused = (
                    PurePosixPath("unnamed"),
                    f"its name is none below the folder: {ascii(name)[:200]}",
                )
            wanted = kind in _REGULAR and not refused
            content = self._read(min(size, MOST_OF_A_MEMBER)) if wanted else b""
            self._skip(size - len(content) + -size % _BLOCK)
            if wanted and len(content) < size:
                refused = f"{size - len(content):,} bytes behind the first {len(content):,}"
            if wanted or is_sparse or kind in _REGULAR:
                yield ArchiveMember(path, content, refused)
        raise ValueError(f"it has more than {_MOST_MEMBERS:,} members")

    def _extend(self, kind: bytes, size: int) -> None:
        """A header that says more of the next member; only its name counts."""
        if size > _LONGEST_HEADER:
            raise ValueError(f"an extended header has {size:,} bytes")
        content = self._read(size)
        self._skip(-size % _BLOCK)
        if kind == _LONG_NAME:
            self._name = content.partition(b"\0")[0]
        elif kind == _PAX:
            records = _pax(content)
            self._name = records.get(b"path", self._name)
            self._is_sparse = any(name.startswith(b"GNU.sparse") for name in records)
            if b"size" in records:
                raise ValueError("a member says its size twice")

    def _skip_sparse_map(self, header: bytes) -> None:
        more = header[482]
        while more:
            more = self._read(_BLOCK)[504]

    def _read(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            if self._at >= len(self._ready):
                self._ready, self._at = next(self._blocks, b""), 0
                if not self._ready:
                    raise EOFError("it ends early")
            piece = self._ready[self._at : self._at + size - len(parts)]
            parts += piece
            self._at += len(piece)
        return bytes(parts)

    def _skip(self, size: int) -> None:
        while size > 0:
            size -= len(self._read(min(size, _READ)))


def _unpacked(file: BinaryIO) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(wbits=31)
    total = 0
    while not unpacker.eof:
        packed = unpacker.unconsumed_tail or file.read(_READ)
        if not packed:
            rest = unpacker.flush()
            if rest:
                yield rest
            return
        block = unpacker.decompress(packed, _READ)
        total += len(block)
        if total > MOST_UNPACKED:
            raise ValueError(f"it is longer than {MOST_UNPACKED // 10**9} GB when unpacked")
        if block:
            yield block


def _kind_and_size(header: bytes) -> tuple[bytes, int]:
    told = _number(header[148:156])
    if told != sum(header[:148]) + sum(header[156:]) + 8 * 32:
        raise ValueError("the sum of a member's header is wrong")
    size = _number(header[124:136])
    if size > MOST_UNPACKED:
        raise ValueError(f"a member says that it has {size:,} bytes")
    return header[156:157], size


def _number(field: bytes) -> int:
    if field[0] == 0x80:  # GNU: binary, where octal digits do not suffice
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not re.fullmatch(rb"[0-7]*", digits):
        raise ValueError("a number in a member's header is none")
    return int(digits or b"0", 8)


def _name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _path(name: bytes) -> PurePosixPath | None:
    """Where a member goes below its folder; None where it has no name, or would leave it.

    What cannot be printed in a name is written out: bundles are unpacked and listed on terminals.
    """
    text = name.decode("utf-8", "backslashreplace")
    path = PurePosixPath("".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text))
    return None if not path.parts or path.is_absolute() or ".." in path.parts else path


def _pax(content: bytes) -> dict[bytes, bytes]:
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(content):
        found = _PAX_RECORD.match(content, at)
        length = int(found[1]) if found else 0
        if found is None or length < found.end() - at or at + length > len(content):
            raise ValueError("an extended header makes no sense")
        records[found[2]] = content[found.end() : at + length - 1]
        at += length
    return records
