"""The directory of a zip file, read with bounds: where each member's bytes lie in the file.

An own reader, because the data must be copied by file offset, and because every count and offset of an
untrusted file is checked against its size before anything is allocated.
Source: PKWARE APPNOTE 6.3, sections 4.3 to 4.5; the layout torch.save writes.
"""

from __future__ import annotations

import os
import struct
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from lingctl.node.checkpoint.refusals import damaged_file
from lingctl.node.trouble import Trouble

STORED, DEFLATED = 0, 8

# About 100 bytes per tensor: room for 60,000, and little memory for a hostile file.
_LARGEST_DIRECTORY = 6_000_000
_MOST_MEMBERS = 40_000
_LONGEST_MEMBER_NAME = 1024
_LONGEST_COMMENT = 65_535
_UNKNOWN_32 = 0xFFFFFFFF

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")


class Member(NamedTuple):
    """One member of the archive."""

    name: str  # as in the directory
    method: int  # 0 stored, 8 deflated
    crc: int  # CRC-32 of the uncompressed bytes
    packed: int  # bytes in the file
    size: int  # bytes uncompressed
    header: int  # offset of the local header


Directory = Dict[str, Member]


def read_directory(descriptor: int, hear: Callable[[bytes], object]) -> Directory:
    """Members, by name, of the zip file open as ``descriptor``; ``hear`` is told the bytes that list them.

    Raises:
        Trouble: truncated, not a zip file, or a directory that contradicts itself.
    """
    size = os.fstat(descriptor).st_size
    start, length, count = _find_directory(descriptor, size)
    if length > _LARGEST_DIRECTORY or count > _MOST_MEMBERS:
        raise Trouble(
            f"its directory is not looked into: {length} bytes, {count} members; no checkpoint needs that",
            remedy="save the state dict alone, or in several files with an index",
            code="beyond-limits",
        )
    raw = os.pread(descriptor, length, start)
    hear(raw)
    members: Dict[str, Member] = {}
    for member in _entries(raw):
        if member.name in members:
            raise damaged_file(f"the member {member.name!r} is there twice", "zip-duplicate")
        members[member.name] = member
    if len(members) != count:
        raise _bad(f"{count} members announced, {len(members)} listed")
    _check_places(list(members.values()), start)
    return members


def data_offset(descriptor: int, member: Member) -> int:
    """Where the member's bytes begin: behind the local header, whose name and extra field may differ in
    length from the directory's.

    Raises:
        Trouble: the local header is not that of the member.
    """
    raw = os.pread(descriptor, _LOCAL.size, member.header)
    if len(raw) < _LOCAL.size:
        raise _bad(f"local header at offset {member.header} is cut off", member)
    fields = _LOCAL.unpack(raw)
    name_length, extra_length = fields[9], fields[10]
    name = os.pread(descriptor, name_length, member.header + _LOCAL.size)
    if fields[0] != b"PK\x03\x04" or _decode(name) != member.name or fields[3] != member.method:
        raise _bad(f"no local header of it at offset {member.header}", member)
    offset: int = member.header + _LOCAL.size + name_length + extra_length
    if offset + member.packed > os.fstat(descriptor).st_size:
        raise _bad(f"{member.packed} bytes at offset {offset} leave the file", member)
    return offset


def _find_directory(descriptor: int, size: int) -> Tuple[int, int, int]:
    """Offset, length and count of members."""
    tail_start = max(0, size - _END.size - _LONGEST_COMMENT)
    tail = os.pread(descriptor, size - tail_start, tail_start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise _no_end(descriptor, size)
    _, disk, first_disk, _, count, length, start, _ = _END.unpack_from(tail, at)
    end = tail_start + at
    locator = os.pread(descriptor, _END64_LOCATOR.size, max(0, end - _END64_LOCATOR.size))
    # torch writes the zip64 records even where the short ones would do.
    if locator.startswith(b"PK\x06\x07"):
        disk, first_disk, start, length, count, end = _find_directory64(descriptor, locator, end)
    if disk or first_disk:
        raise _bad("an archive split over several disks")
    if start + length != end:
        raise _bad(f"directory of {length} bytes at offset {start} does not end at {end}")
    return start, length, count


def _find_directory64(descriptor: int, locator: bytes, end: int) -> Tuple[int, int, int, int, int, int]:
    """Disk, first disk, offset, length, count, and where the directory must end."""
    place = _END64_LOCATOR.unpack(locator)[2]
    raw = os.pread(descriptor, _END64.size, place) if place < end else b""
    if len(raw) < _END64.size or not raw.startswith(b"PK\x06\x06"):
        raise _bad(f"no zip64 end record at offset {place}")
    fields = _END64.unpack(raw)
    return fields[4], fields[5], fields[9], fields[8], fields[7], place


def _entries(raw: bytes) -> Iterator[Member]:
    at = 0
    while at < len(raw):
        if len(raw) - at < _ENTRY.size or raw[at : at + 4] != b"PK\x01\x02":
            raise _bad(f"no directory entry {at} bytes into the directory")
        fields = _ENTRY.unpack_from(raw, at)
        flags, method, crc, packed, size = fields[3], fields[4], fields[7], fields[8], fields[9]
        name_end = at + _ENTRY.size + fields[10]
        if fields[10] > _LONGEST_MEMBER_NAME:
            raise _bad(f"a member with a name of {fields[10]} bytes")
        extra_end = name_end + fields[11]
        name = _decode(raw[at + _ENTRY.size : name_end])
        if flags & 1:
            raise _bad(f"member {name!r} is encrypted")
        if method not in (STORED, DEFLATED):
            raise _bad(f"member {name!r} is packed by method {method}; only stored and deflated are known")
        size, packed, header = _wide(raw[name_end:extra_end], size, packed, fields[16])
        if method == STORED and packed != size:
            raise _bad(f"stored member {name!r} has {packed} bytes in the file but {size} in all")
        yield Member(name, method, crc, packed, size, header)
        at = extra_end + fields[12]


def _wide(extra: bytes, size: int, packed: int, header: int) -> Tuple[int, int, int]:
    """Sizes and offset, from the zip64 extra field where 32 bits were too few."""
    values = [size, packed, header]
    if _UNKNOWN_32 not in values:
        return size, packed, header
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            field = extra[at + 4 : at + 4 + length]
            wide = list(struct.unpack(f"<{len(field) // 8}Q", field[: len(field) // 8 * 8]))
            for place, value in enumerate(values):
                if value == _UNKNOWN_32:
                    if not wide:
                        break
                    values[place] = wide.pop(0)
            return values[0], values[1], values[2]
        at += 4 + length
    # Without a zip64 field the value stands for itself: a size of exactly 4 GiB - 1 is legal.
    return size, packed, header


def _check_places(members: List[Member], limit: int) -> None:
    """Members lie before the directory and not over each other: an overlap multiplies bytes from nothing."""
    end = 0
    before = ""
    for member in sorted(members, key=lambda item: item.header):
        if member.header < end:
            raise _bad(f"members {before!r} and {member.name!r} overlap at offset {member.header}")
        end, before = member.header + _LOCAL.size + member.packed, member.name
        if end > limit:
            raise _bad(f"member {member.name!r} ends at {end}, behind the directory at {limit}")


def _decode(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def _no_end(descriptor: int, size: int) -> Trouble:
    begins = os.pread(descriptor, 4, 0)
    if begins == b"PK\x03\x04":
        what = "no zip end record: the file is cut off, most likely an unfinished download"
    else:
        what = "not a zip file, nor one of the older formats: no checkpoint of torch, or no whole download"
    return Trouble(
        what,
        evidence=f"{size} bytes, begins with {begins!r}",
        remedy="compare its size with the publisher's and download it again",
        code="zip-truncated",
    )


def _bad(what: str, member: Optional[Member] = None) -> Trouble:
    return Trouble(
        what,
        where=f"member {member.name}" if member else "",
        remedy="download the file again; if it is whole, it is not what torch.save writes",
        code="zip-malformed",
    )
