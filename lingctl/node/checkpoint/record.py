"""Where the bytes of a storage lie, what a tensor is, and what a file of any format is found to say."""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional, Tuple


class Record(NamedTuple):
    """The bytes of one storage."""

    path: str  # file they are in
    member: str  # its name in the file, for messages
    offset: int  # where they begin in the file
    size: int  # how many they are, uncompressed
    packed: int  # how many they are in the file, if deflated, else 0
    crc: Optional[int]  # CRC-32 of them; None where the file was written without checksums


class Held(NamedTuple):
    """One tensor: its file, and its element type and shape as safetensors writes them."""

    file: str
    dtype: str
    shape: Tuple[int, ...]


class Parsed(NamedTuple):
    """What a file says."""

    root: object  # the object that was saved, of stand-ins
    # gives the record of a storage by its key, or raises Trouble; while the file is open
    locate: Callable[[str], Record]
    swapped: bool  # whether the bytes are big-endian
