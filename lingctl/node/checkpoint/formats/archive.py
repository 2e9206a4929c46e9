"""The format of torch 1.6 and newer: a zip file with one pickle, and a member for each storage."""

from __future__ import annotations

from typing import Callable, Optional

from lingctl.node.checkpoint.formats.zip_directory import (
    DEFLATED,
    Directory,
    Member,
    data_offset,
    read_directory,
)
from lingctl.node.checkpoint.pickles.budget import Budget
from lingctl.node.checkpoint.pickles.builders import named_storage
from lingctl.node.checkpoint.pickles.reader import read_pickle
from lingctl.node.checkpoint.pickles.stand_ins import Opaque, Storage
from lingctl.node.checkpoint.record import Parsed, Record
from lingctl.node.checkpoint.refusals import damaged_file, malformed
from lingctl.node.checkpoint.window import Window
from lingctl.node.trouble import Trouble

# One of 17,603 tensors has 5 MB; arrays of others may lie in it, which are passed over.
_LARGEST_PICKLE = 256_000_000


def read_archive(descriptor: int, path: str, hear: Callable[[bytes], object]) -> Parsed:
    """Read the directory and the pickle.

    Args:
        descriptor: of the file.
        path: of it.
        hear: is told what describes the tensors: the directory, then the pickle.

    Raises:
        Trouble: damaged, or asking for something to be run.
    """
    directory = read_directory(descriptor, hear)
    root = _root(directory)
    window = _window(descriptor, directory[f"{root}/data.pkl"], hear)
    content = read_pickle(window, _storage, Budget())
    _check(window, directory[f"{root}/data.pkl"])
    swapped = _swapped(descriptor, directory.get(f"{root}/byteorder"))
    return Parsed(content, lambda key: _record(path, descriptor, directory, f"{root}/data/{key}"), swapped)


def _storage(identity: object) -> object:
    """The storage of a persistent id ``('storage', class, key, location, count)``."""
    if not isinstance(identity, tuple):
        raise malformed("a persistent id is not that of a storage (torch saves none with protocol 0)")
    if len(identity) != 5 or identity[0] != "storage":
        raise malformed("a persistent id is not that of a storage")
    _, kind, key, _location, count = identity
    text, dtype, name, size = named_storage(kind, key, count)
    return Storage(text, dtype, size, 0, size) if dtype else Opaque(f"in a {name}", tensor=True)


def _root(directory: Directory) -> str:
    roots = [name[: -len("/data.pkl")] for name in directory if name.endswith("/data.pkl")]
    if len(roots) != 1:
        what = "more than one data.pkl in it" if roots else "no data.pkl in it: a zip file, but no checkpoint"
        raise Trouble(what, evidence=", ".join(list(directory)[:5]), code="not-a-checkpoint")
    if f"{roots[0]}/constants.pkl" in directory:
        raise Trouble(
            "a TorchScript program, not a checkpoint of tensors",
            remedy="use the file that was saved with torch.save(model.state_dict())",
            code="not-a-checkpoint",
        )
    return roots[0]


def _record(path: str, descriptor: int, directory: Directory, name: str) -> Record:
    member = directory.get(name)
    if member is None:
        raise damaged_file(f"the member {name[:200]!r} is missing", "record-missing")
    return _record_of(path, descriptor, member)


def _record_of(path: str, descriptor: int, member: Member) -> Record:
    packed = member.packed if member.method == DEFLATED else 0
    return Record(path, member.name, data_offset(descriptor, member), member.size, packed, member.crc)


def _window(descriptor: int, member: Member, hear: Optional[Callable[[bytes], object]] = None) -> Window:
    place = f"member {member.name}"
    if member.size > _LARGEST_PICKLE or member.packed > _LARGEST_PICKLE:
        raise Trouble(
            f"{member.size} bytes are more than a state dict needs here", where=place, code="pickle-too-large"
        )
    record = _record_of("", descriptor, member)
    return Window(descriptor, record.offset, record.size, place, record.packed, hear)


def _check(window: Window, member: Member) -> None:
    window.drain()
    if member.crc and window.crc != member.crc:
        evidence = f"{member.size} bytes, CRC {window.crc:08x}, recorded {member.crc:08x}"
        raise window.damaged(evidence)


def _swapped(descriptor: int, member: Optional[Member]) -> bool:
    """What ``byteorder`` says. Files older than torch 2.1 have no such member; they are little-endian."""
    if member is None:
        return False
    window = _window(descriptor, member)
    order = window.take(min(member.size, 20))
    _check(window, member)
    if order.strip() not in (b"little", b"big"):
        raise Trouble(f"unknown byte order {order!r}", code="zip-malformed")
    return order.strip() == b"big"
