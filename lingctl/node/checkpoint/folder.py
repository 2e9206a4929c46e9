"""The files of one checkpoint that torch saved, read together and held against their index."""

from __future__ import annotations

import hashlib
import os
from typing import Dict, List, Mapping, NamedTuple, Sequence, Tuple

from lingctl.node.checkpoint.identify import HEAD, other_than_weights
from lingctl.node.checkpoint.index import TORCH_INDEX
from lingctl.node.checkpoint.torch_file import TorchFile, read_torch_file
from lingctl.node.files import opened
from lingctl.node.trouble import Trouble, some


class Unlisted(NamedTuple):
    """A tensor that the index does not know: it is no part of the checkpoint."""

    file: str
    name: str
    dtype: str
    shape: Tuple[int, ...]


class Checkpoint(NamedTuple):
    """Checkpoint files to convert.

    Attributes:
        folder: where they and their companions are.
        files: what each holds.
        fingerprint: digest over all of them.
        left_out: entries beside the state dicts, as ``file: name``.
        beside: those of them that hold tensors, and how many.
        unlisted: tensors that the index does not list.
    """

    folder: str
    files: Tuple[TorchFile, ...]
    fingerprint: str
    left_out: Tuple[str, ...]
    beside: Tuple[str, ...] = ()
    unlisted: Tuple[Unlisted, ...] = ()


class CheckpointFiles(NamedTuple):
    """Which files make up the checkpoint, before any is read; the map is empty without an index."""

    folder: str
    names: Tuple[str, ...]
    weight_map: Dict[str, str]


def refuse_other(path: str) -> None:
    """Refuse a file that is plainly something else than its name says.

    Raises:
        Trouble: what it is, and what to do about it.
        OSError: it cannot be read.
    """
    with opened(path) as descriptor:
        head, size = os.read(descriptor, HEAD), os.fstat(descriptor).st_size
    other = other_than_weights(head, size, os.path.splitext(path)[1])
    if other:
        raise Trouble(
            other.what,
            where=os.path.basename(path),
            evidence=other.evidence,
            remedy=other.remedy,
            code=other.code,
        )


def read_checkpoint(layout: CheckpointFiles) -> Checkpoint:
    """Read directories and pickles of all files.

    Raises:
        Trouble: damaged, or not what the index says.
    """
    files: List[TorchFile] = []
    unlisted: List[Unlisted] = []
    for name in layout.names:
        path = os.path.join(layout.folder, name)
        refuse_other(path)
        file = read_torch_file(path)
        if layout.weight_map:
            unlisted += _unlisted(file, layout.weight_map)
            file = file._replace(
                tensors={key: it for key, it in file.tensors.items() if layout.weight_map.get(key) == name}
            )
        files.append(file)
    _compare_with_index(files, layout.weight_map, unlisted)
    digest = hashlib.sha256("\n".join(file.fingerprint for file in files).encode())
    left_out = [f"{os.path.basename(file.path)}: {name}" for file in files for name in file.left_out]
    beside = [f"{os.path.basename(file.path)}: {name}" for file in files for name in file.beside]
    return Checkpoint(
        folder=layout.folder,
        files=tuple(files),
        fingerprint=digest.hexdigest(),
        left_out=tuple(left_out),
        beside=tuple(beside),
        unlisted=tuple(unlisted),
    )


def _unlisted(file: TorchFile, weight_map: Mapping[str, str]) -> List[Unlisted]:
    """Tensors of a file that the index does not list for it."""
    own = os.path.basename(file.path)
    return [
        Unlisted(own, name, str(tensor.dtype.safetensors), tensor.header_shape)
        for name, tensor in file.tensors.items()
        if weight_map.get(name) != own
    ]


def _compare_with_index(
    files: Sequence[TorchFile], weight_map: Mapping[str, str], unlisted: Sequence[Unlisted]
) -> None:
    held = {name for file in files for name in file.tensors}
    missing = [f"{name} ({file})" for name, file in weight_map.items() if name not in held]
    if not missing:
        return
    elsewhere = [f"{one.name} (in {one.file})" for one in unlisted if one.name in weight_map]
    what = f"{len(missing)} tensors of the index are not in the file that it names"
    raise Trouble(
        what,
        where=TORCH_INDEX,
        evidence=some(missing) + (f"; there is {some(elsewhere)}" if elsewhere else ""),
        remedy="index and files are not of one model: get both again",
        code="index-differs",
    )
