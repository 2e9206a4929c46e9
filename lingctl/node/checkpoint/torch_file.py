"""One checkpoint file as torch.save writes it: its tensors by name, and where their bytes are."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from typing import Dict, Iterator, NamedTuple, Optional, Tuple

from lingctl.node.checkpoint.pickles.reader import read_pickle
from lingctl.node.checkpoint.pickles.stand_ins import Tensor
from lingctl.node.checkpoint.pickles.state_dict import tensors_of
from lingctl.node.checkpoint.zip_directory import DEFLATED, Directory, Member, data_offset, read_directory
from lingctl.node.files import file_state
from lingctl.node.trouble import Trouble

LARGEST_PICKLE = 16_000_000
LEGACY_MAGIC = bytes.fromhex("80028a0a6cfc9c46f920")


class Record(NamedTuple):
    """The bytes of one storage.

    Attributes:
        path: file they are in.
        member: name of the zip member, for messages.
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


class TorchFile(NamedTuple):
    """What a checkpoint file holds.

    Attributes:
        path: the file.
        tensors: by name, in the order of the state dict.
        records: by storage key.
        left_out: names of entries that are no tensors.
        swapped: whether the bytes are big-endian.
        checked: whether the file carries checksums.
        fingerprint: digest of the directory (names, sizes, CRCs of all members) and of the pickle.
        state: size and time of change of the file when it was read.
    """

    path: str
    tensors: Dict[str, Tensor]
    records: Dict[str, Record]
    left_out: Tuple[str, ...]
    swapped: bool
    checked: bool
    fingerprint: str
    state: str


def is_legacy(path: str) -> bool:
    """Whether the file has the format of torch before 1.6: a chain of pickles, not a zip file."""
    with open(path, "rb") as file:
        return file.read(len(LEGACY_MAGIC)) == LEGACY_MAGIC


def read_torch_file(path: str) -> TorchFile:
    """Read directory and pickle of a checkpoint; no tensor is touched.

    Raises:
        Trouble: damaged, malformed, or asking for more than a state dict of tensors.
    """
    where = os.path.basename(path)
    with _opened(path) as descriptor:
        directory = read_directory(descriptor, where)
        root = _root(directory, where)
        pickle = _small(descriptor, directory.members[f"{root}/data.pkl"], where)
        swapped = _swapped(descriptor, directory, root, where)
        try:
            tensors, left_out = tensors_of(read_pickle(pickle))
        except Trouble as trouble:
            trouble.where = f"{where}: {trouble.where}" if trouble.where else where
            raise
        keys = {tensor.storage.key: None for tensor in tensors.values()}
        records = {key: _record(path, descriptor, directory, f"{root}/data/{key}") for key in keys}
        _check_views(tensors, records, where)
        checked = any(record.crc for record in records.values()) or not any(r.size for r in records.values())
        if not checked:
            records = {key: record._replace(crc=None) for key, record in records.items()}
        state = file_state(os.fstat(descriptor))
        fingerprint = _fingerprint(directory.raw, pickle, "" if checked else state)
    return TorchFile(
        path=path,
        tensors=tensors,
        records=records,
        left_out=left_out,
        swapped=swapped,
        checked=checked,
        fingerprint=fingerprint,
        state=state,
    )


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _root(directory: Directory, where: str) -> str:
    roots = [name[: -len("/data.pkl")] for name in directory.members if name.endswith("/data.pkl")]
    if len(roots) != 1:
        what = "more than one data.pkl in it" if roots else "no data.pkl in it: a zip file, but no checkpoint"
        raise Trouble(
            what, where=where, evidence=", ".join(list(directory.members)[:5]), code="not-a-checkpoint"
        )
    if f"{roots[0]}/constants.pkl" in directory.members:
        raise Trouble(
            "a TorchScript program, not a checkpoint of tensors",
            where=where,
            remedy="use the file that was saved with torch.save(model.state_dict())",
            code="not-a-checkpoint",
        )
    return roots[0]


def _record(path: str, descriptor: int, directory: Directory, name: str) -> Record:
    where = os.path.basename(path)
    member = directory.members.get(name)
    if member is None:
        raise Trouble(
            f"the member {name!r} is missing",
            where=where,
            remedy="download the file again",
            code="record-missing",
        )
    offset = data_offset(descriptor, member, where)
    packed = member.packed if member.method == DEFLATED else 0
    return Record(path, name, offset, member.size, packed, member.crc)


def _small(descriptor: int, member: Member, where: str) -> bytes:
    """All bytes of a member that must be small; deflated ones within the same bound."""
    place = f"{where}: member {member.name}"
    if member.size > LARGEST_PICKLE or member.packed > LARGEST_PICKLE:
        raise Trouble(
            f"{member.size} bytes are more than a state dict needs here", where=place, code="pickle-too-large"
        )
    raw = os.pread(descriptor, member.packed, data_offset(descriptor, member, where))
    if member.method == DEFLATED:
        try:
            raw = zlib.decompressobj(-15).decompress(raw, member.size + 1)
        except zlib.error as error:
            raise Trouble(f"cannot be inflated: {error}", where=place, code="member-damaged") from None
    if len(raw) != member.size or (member.crc and zlib.crc32(raw) != member.crc):
        raise Trouble(
            "damaged: its bytes do not have the recorded size and CRC-32",
            where=place,
            evidence=f"{len(raw)} of {member.size} bytes, recorded CRC {member.crc:08x}",
            remedy="download the file again",
            code="member-damaged",
        )
    return raw


def _swapped(descriptor: int, directory: Directory, root: str, where: str) -> bool:
    """Files older than torch 2.1 have no such member; they are little-endian."""
    member = directory.members.get(f"{root}/byteorder")
    if member is None:
        return False
    order = _small(descriptor, member, where).strip()
    if order not in (b"little", b"big"):
        raise Trouble(f"unknown byte order {order[:20]!r}", where=where, code="zip-malformed")
    return order == b"big"


def _check_views(tensors: Dict[str, Tensor], records: Dict[str, Record], where: str) -> None:
    for name, tensor in tensors.items():
        record = records[tensor.storage.key]
        place = f"{where}: tensor {name!r}, member {record.member}"
        if record.size != tensor.storage.size:
            shorter = record.size < tensor.storage.size
            raise Trouble(
                f"the record is {'shorter' if shorter else 'longer'} than its storage",
                where=place,
                evidence=f"{record.size} bytes in the file, {tensor.storage.size} wanted",
                remedy="download the file again",
                code="record-size",
            )
        if tensor.end > tensor.storage.size:
            raise Trouble(
                "the tensor reaches outside its storage",
                where=place,
                evidence=f"byte {tensor.end} of {tensor.storage.size}",
                code="view-outside",
            )
        if tensor.dtype.safetensors is None:
            raise Trouble(
                f"element type {tensor.dtype.name} has no place in safetensors",
                where=place,
                remedy="save the tensor again with another element type",
                code="dtype-unknown",
            )


def _fingerprint(directory: bytes, pickle: bytes, state: str) -> str:
    """Without CRCs the directory says nothing about the contents: the file's ``state`` must do."""
    digest = hashlib.sha256(directory)
    digest.update(pickle)
    digest.update(state.encode())
    return digest.hexdigest()
