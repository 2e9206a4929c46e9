"""One checkpoint file as torch.save writes it: its tensors by name, and where their bytes are."""

from __future__ import annotations

import hashlib
import os
from typing import Dict, NamedTuple, Optional, Tuple

from lingctl.node.checkpoint.formats.archive import read_archive
from lingctl.node.checkpoint.formats.pickle_row import begins_pickle_row, read_pickle_row
from lingctl.node.checkpoint.formats.tar import is_tar, read_tar
from lingctl.node.checkpoint.pickles.stand_ins import Tensor
from lingctl.node.checkpoint.pickles.state_dict import find_state_dict
from lingctl.node.checkpoint.record import Held, Record
from lingctl.node.checkpoint.refusals import damaged_file
from lingctl.node.checkpoint.views import View
from lingctl.node.files import file_state, opened
from lingctl.node.trouble import Trouble, shown

_HEAD = 512
# Views that are larger than their storage are written out: to this many bytes in all of a file.
_MOST_REPEATED = 1 << 28
# And a storage under many names: to this many times the bytes that are there.
_MOST_TIMES = 32


class TorchFile(NamedTuple):
    """What a checkpoint file holds.

    Attributes:
        path: the file.
        tensors: by name, in the order of the state dict.
        records: in which these lie.
        entry: where in it the state dict was found; empty if it is all of it.
        left_out: names of all other entries.
        beside: those of them that hold tensors, and how many.
        swapped: whether the bytes are big-endian.
        checked: whether the file carries checksums.
        fingerprint: digest of what describes the tensors: the directory of a zip file with names, sizes and
            CRCs of all members, and the pickle.
        state: size and time of change of the file when it was read.
    """

    path: str
    tensors: Dict[str, View]
    records: Tuple[Record, ...]
    entry: str
    left_out: Tuple[str, ...]
    beside: Tuple[str, ...]
    swapped: bool
    checked: bool
    fingerprint: str
    state: str

    @property
    def name(self) -> str:
        """The file's name in its folder."""
        return os.path.basename(self.path)

    def held(self) -> Dict[str, Held]:
        """The tensors as they are called and formed, by name."""
        return {
            name: Held(self.name, str(view.dtype.safetensors), view.header_shape)
            for name, view in self.tensors.items()
        }


def read_torch_file(path: str) -> TorchFile:
    """Read what describes the tensors of a checkpoint; no tensor is touched and nothing is executed.

    Raises:
        Trouble: damaged, malformed, or asking for more than a state dict of tensors.
    """
    where = os.path.basename(path)
    digest = hashlib.sha256()
    with opened(path) as descriptor:
        try:
            head = os.pread(descriptor, _HEAD, 0)
            # In the order of torch.load.
            read = read_tar if is_tar(head) else read_pickle_row if begins_pickle_row(head) else read_archive
            parsed = read(descriptor, path, digest.update)
            found = find_state_dict(parsed.root)
            keys = dict.fromkeys(tensor.storage.key for tensor in found.tensors.values())
            records = {key: parsed.locate(key) for key in keys}
            # Whether there are checksums, or nothing that they could be of.
            checked = any(one.crc for one in records.values()) or not any(
                one.size for one in records.values()
            )
            if not checked:
                records = {key: record._replace(crc=None) for key, record in records.items()}
            tensors = _views(found.tensors, records)
            _check_sizes(found.tensors, tensors, records)
        except Trouble as trouble:
            trouble.where = f"{where}: {trouble.where}" if trouble.where else where
            raise
        state = file_state(os.fstat(descriptor))
    # Without CRCs what describes the tensors says nothing about their contents: the file's state must do.
    digest.update((b"" if checked else state.encode()))
    return TorchFile(
        path=path,
        tensors=tensors,
        records=tuple(records.values()),
        entry=found.entry,
        left_out=found.left_out,
        beside=found.beside,
        swapped=parsed.swapped,
        checked=checked,
        fingerprint=digest.hexdigest(),
        state=state,
    )


def _views(tensors: Dict[str, Tensor], records: Dict[str, Record]) -> Dict[str, View]:
    """The tensors by what is needed to copy them; their stand-ins take twice the memory."""
    found: Dict[str, View] = {}
    # Many tensors have one shape.
    known: Dict[Tuple[int, ...], Tuple[int, ...]] = {}
    for name, tensor in tensors.items():
        record = records[tensor.storage.key]
        trouble = _odd_view(tensor, record)
        if trouble is not None:
            trouble.where = f"tensor {shown(name)!r}, member {record.member}"
            raise trouble
        shape = known.setdefault(tensor.shape, tensor.shape)
        strides = known.setdefault(tensor.strides, tensor.strides)
        found[name] = View(record, tensor.dtype, tensor.begin, shape, strides)
    return found


def _odd_view(tensor: Tensor, record: Record) -> Optional[Trouble]:
    storage = tensor.storage
    if record.size != storage.whole:
        what = f"the record is {'shorter' if record.size < storage.whole else 'longer'} than its storage"
        evidence = f"{record.size} bytes in the file, {storage.whole} wanted"
        return damaged_file(what, "record-size", evidence=evidence)
    if tensor.end > storage.size or storage.start % tensor.dtype.size:
        evidence = f"byte {tensor.end} of {storage.size}"
        return damaged_file("the tensor reaches outside its storage", "view-outside", evidence=evidence)
    if tensor.dtype.safetensors is None:
        return Trouble(
            f"element type {tensor.dtype.name} has no place in safetensors",
            remedy="save the tensor again with another element type",
            code="dtype-unknown",
        )
    return None


def _check_sizes(tensors: Dict[str, Tensor], views: Dict[str, View], records: Dict[str, Record]) -> None:
    """A few bytes can stand for terabytes: as a view with stride 0, or as one storage under many names."""
    repeated = 0
    total = 0
    for name, tensor in tensors.items():
        size = views[name].size
        total += size
        if tensor.overlaps:
            repeated += size
            if repeated > _MOST_REPEATED:
                raise Trouble(
                    "tensors that repeat the bytes of their storage are larger than what is written out",
                    where=f"tensor {shown(name)!r}",
                    evidence=f"{size} bytes from {tensor.storage.size}, {_MOST_REPEATED} in all",
                    remedy="save it again with tensor.contiguous(), or without this tensor",
                    code="view-expands",
                )
    held = sum(record.size for record in records.values())
    if total > _MOST_TIMES * held + _MOST_REPEATED:
        raise Trouble(
            "the tensors share their bytes so often that the output would be many times the input",
            evidence=f"{total} bytes of {held}",
            remedy="save it again with each tensor once",
            code="view-expands",
        )
