"""The files of one checkpoint that torch saved, read together and held against their index."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from lingctl.node.checkpoint.identify import HEAD, other_than_weights
from lingctl.node.checkpoint.index import TORCH_INDEX
from lingctl.node.files import opened
from lingctl.node.trouble import Trouble, some

if TYPE_CHECKING:
    from lingctl.node.checkpoint.torch_file import TorchFile

# Ling-plus has 17,603 tensors, whose names take 1.2 MB.
_MOST_TENSORS = 25_000
_LONGEST_NAMES = 3_000_000


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
    other = other_than_weights(head, size, os.path.basename(path))
    if other:
        raise other


def read_checkpoint(layout: CheckpointFiles) -> Checkpoint:
    """Read directories and pickles of all files.

    Raises:
        Trouble: damaged, or not what the index says.
    """
    # Only here: the readers of pickles take a quarter of the time in which a node's Python starts to look at
    # a folder, and most folders hold none.
    from lingctl.node.checkpoint.torch_file import read_torch_file

    files: List[TorchFile] = []
    unlisted: List[Unlisted] = []
    room = _Room()
    for name in layout.names:
        path = os.path.join(layout.folder, name)
        refuse_other(path)
        file = read_torch_file(path)
        room.take(file)
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


class _Room:
    """Bounds what is kept of all files, so that many of them take no more memory than one."""

    def __init__(self) -> None:
        self._tensors = 0
        self._names = 0

    def take(self, file: TorchFile) -> None:
        """Count the tensors of one file.

        Raises:
            Trouble: there are too many, or their names are too long.
        """
        self._tensors += len(file.tensors)
        self._names += sum(len(json.dumps(name, ensure_ascii=False).encode()) for name in file.tensors)
        if self._tensors > _MOST_TENSORS or self._names > _LONGEST_NAMES:
            raise Trouble(
                "more tensors than can be converted at once",
                where=os.path.basename(file.path),
                evidence=f"more than {_MOST_TENSORS} tensors, or {_LONGEST_NAMES} bytes of names",
                remedy="convert the files one by one, each into a folder of its own",
                code="too-many-tensors",
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
