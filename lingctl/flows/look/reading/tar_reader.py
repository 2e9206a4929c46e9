"""A tar, read as what anybody may have sent: bounded, and regular files alone.

Python's own reader takes a member's name, its extended headers and the map of a sparse file into memory, as
long as they say they are. Ours knows what GNU tar and busybox write of regular files (POSIX.1-2017, pax and
``ustar``; GNU's long names), and passes over the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from lingctl.flows.look.reading.blocks import MOST_UNPACKED, BlockReader, DamagedError

_LONGEST_HEADER = 64 << 10
_BLOCK = 512
_READ = 64 << 10
_REGULAR = (b"0", b"\0", b"7")
_UNNAMED = PurePosixPath("unnamed")
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL, _SPARSE = b"L", b"K", b"x", b"g", b"S"
_PAX_RECORD = re.compile(rb"([0-9]{1,6}) ([^=\n]{1,200})=")


class TarContent:
    """The bytes of a member, until the next one is asked for."""

    def __init__(self, reader: BlockReader, size: int) -> None:
        self._reader, self._left = reader, size

    def read(self, size: int, /) -> bytes:
        """So many bytes, fewer at the member's end. Raises DamagedError: the archive ends in it."""
        wanted = min(size, self._left)
        found = _read(self._reader, wanted)
        self._left -= wanted
        return found

    def pass_over(self) -> None:
        """Read the rest of it."""
        while self._left:
            self.read(_READ)


@dataclass(frozen=True, slots=True)
class TarMember:
    """A regular file."""

    path: PurePosixPath  # below the folder that the archive is of: nothing points out of it
    size: int  # bytes
    content: TarContent
    refused: str = ""  # why its content is not to be had; empty if it is


def begins_a_tar(head: bytes) -> bool:
    """Whether the first 512 bytes of something are the header of a member, by its mark or its sum."""
    if len(head) < _BLOCK:
        return False
    if head[257:262] == b"ustar":
        return True
    try:
        _kind_and_size(head[:_BLOCK])
    except DamagedError:
        return False
    return True


def tar_members(reader: BlockReader, most: int) -> Iterator[TarMember]:
    """The regular files of a tar, one after the other.

    Args:
        reader: stands at its beginning.
        most: how many members it may have.

    Raises:
        DamagedError: it is damaged, or has more members or longer headers; what came before was given.
    """
    said, is_sparse = b"", False
    for _ in range(most):
        header = _read(reader, _BLOCK)
        if not header.strip(b"\0"):
            return
        kind, size = _kind_and_size(header)
        if kind in (_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL):
            extension = _extension(reader, size)
            if kind == _LONG_NAME:
                said = extension.partition(b"\0")[0]
            elif kind == _PAX:
                records = _pax(extension)
                said = records.get(b"path", said)
                is_sparse = any(name.startswith(b"GNU.sparse") for name in records)
                if b"size" in records:
                    raise DamagedError("a member says its size twice")
            continue
        name, is_sparse = said or _name(header), is_sparse or kind == _SPARSE
        if kind == _SPARSE:
            _pass_over_sparse_map(reader, header)
        path, refused = _path(name), "a sparse file, which lingctl does not ask for" if is_sparse else ""
        if path is None:
            path, refused = _UNNAMED, f"its name is none below the folder: {ascii(name)[:200]}"
        content = TarContent(reader, size)
        if is_sparse or kind in _REGULAR:
            yield TarMember(path, size, content, refused)
        content.pass_over()
        _read(reader, -size % _BLOCK)
        said, is_sparse = b"", False
    raise DamagedError(f"it has more than {most:,} members")


def _extension(reader: BlockReader, size: int) -> bytes:
    """A header that says more of the next member; only its name counts."""
    if size > _LONGEST_HEADER:
        raise DamagedError(f"an extended header has {size:,} bytes")
    content = _read(reader, size)
    _read(reader, -size % _BLOCK)
    return content


def _pass_over_sparse_map(reader: BlockReader, header: bytes) -> None:
    more = header[482]
    while more:
        more = _read(reader, _BLOCK)[504]


def _read(reader: BlockReader, size: int) -> bytes:
    found = reader.read(size)
    if len(found) < size:
        raise DamagedError("it ends early")
    return found


def _kind_and_size(header: bytes) -> tuple[bytes, int]:
    told = _number(header[148:156])
    if told != sum(header[:148]) + sum(header[156:]) + 8 * 32:
        raise DamagedError("the sum of a member's header is wrong")
    size = _number(header[124:136])
    if size > MOST_UNPACKED:
        raise DamagedError(f"a member says that it has {size:,} bytes")
    return header[156:157], size


def _number(field: bytes) -> int:
    if field[0] == 0x80:  # GNU: binary, where octal digits do not suffice
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not re.fullmatch(rb"[0-7]*", digits):
        raise DamagedError("a number in a member's header is none")
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
            raise DamagedError("an extended header makes no sense")
        records[found[2]] = content[found.end() : at + length - 1]
        at += length
    return records
