"""Where the bytes of a storage lie, and what a file of any format is found to say."""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional


class Record(NamedTuple):
    """The bytes of one storage.

    Attributes:
        path: file they are in.
        member: its name in the file, for messages.
        offset: where they begin in the file.
        size: how many they are, uncompressed.
        packed: how many they are in the file, if deflated, else 0.
        crc: CRC-32 of them; None where the file was written without checksums.
    """

    path: str
    member: str
    offset: int
    size: int
    packed: int
    crc: Optional[int]


class Parsed(NamedTuple):
    """What a file says.

    Attributes:
        root: the object that was saved, of stand-ins.
        locate: gives the record of a storage by its key, or raises Trouble; while the file is open.
        swapped: whether the bytes are big-endian.
    """

    root: object
    locate: Callable[[str], Record]
    swapped: bool
