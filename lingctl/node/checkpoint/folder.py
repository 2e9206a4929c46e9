"""The files of one checkpoint that torch saved, read together and held against their index."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from lingctl.node.checkpoint.identify import HEAD, other_than_weights
from lingctl.node.checkpoint.index import TORCH_INDEX
from lingctl.node.checkpoint.record import Held
from lingctl.node.files import opened
from lingctl.node.trouble import Trouble, some

if TYPE_CHECKING:
    from lingctl.node.checkpoint.torch_file import TorchFile

# Ling-plus has 17,603 tensors, whose names take 1.2 MB.
_MOST_TENSORS = 25_000
_LONGEST_NAMES = 3_000_000


class Checkpoint(NamedTuple):
    """Checkpoint files to convert.

    Attributes:
        folder: where they and their companions are.
        files: what each holds.
        fingerprint: digest over all of them.
        left_out: entries beside the state dicts, as ``file: name``.
        beside: those of them that hold tensors, and how many.
        unlisted: tensors that the index does not list for their file, by name.
    """

    folder: str
    files: Tuple[TorchFile, ...]
    fingerprint: str
    left_out: Tuple[str, ...]
    beside: Tuple[str, ...] = ()
    unlisted: Mapping[str, Held] = {}


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


def read_checkpoint(folder: str, names: Sequence[str], weight_map: Mapping[str, str]) -> Checkpoint:
    """Read directories and pickles of files.

    Args:
        folder: that they are in.
        names: of them.
        weight_map: what their index says; empty without one.

    Raises:
        Trouble: damaged, or not what the index says.
    """
    # Only here: the readers of pickles take a quarter of the time in which a node's Python starts to look at
    # a folder, and most folders hold none.
    from lingctl.node.checkpoint.torch_file import read_torch_file

    files: List[TorchFile] = []
    unlisted: Dict[str, Held] = {}
    tensors = letters = 0
    for name in names:
        path = os.path.join(folder, name)
        refuse_other(path)
        file = read_torch_file(path)
        # Many files must take no more memory than one.
        tensors += len(file.tensors)
        letters += sum(len(json.dumps(tensor, ensure_ascii=False).encode()) for tensor in file.tensors)
        if tensors > _MOST_TENSORS or letters > _LONGEST_NAMES:
            raise Trouble(
                "more tensors than can be converted at once",
                where=name,
                evidence=f"more than {_MOST_TENSORS} tensors, or {_LONGEST_NAMES} bytes of names",
                remedy="convert the files one by one, each into a folder of its own",
                code="too-many-tensors",
            )
        if weight_map:
            others = {key: it for key, it in file.held().items() if weight_map.get(key) != name}
            unlisted.update(others)
            file = file._replace(tensors={key: it for key, it in file.tensors.items() if key not in others})
        files.append(file)
    _compare_with_index(files, weight_map, unlisted)
    digest = hashlib.sha256("\n".join(file.fingerprint for file in files).encode())
    return Checkpoint(
        folder=folder,
        files=tuple(files),
        fingerprint=digest.hexdigest(),
        left_out=tuple(f"{file.name}: {name}" for file in files for name in file.left_out),
        beside=tuple(f"{file.name}: {name}" for file in files for name in file.beside),
        unlisted=unlisted,
    )


def _compare_with_index(
    files: Sequence[TorchFile], weight_map: Mapping[str, str], unlisted: Mapping[str, Held]
) -> None:
    there = {name for file in files for name in file.tensors}
    missing = [f"{name} ({file})" for name, file in weight_map.items() if name not in there]
    if not missing:
        return
    elsewhere = [f"{name} (in {held.file})" for name, held in unlisted.items() if name in weight_map]
    raise Trouble(
        f"{len(missing)} tensors of the index are not in the file that it names",
        where=TORCH_INDEX,
        evidence=some(missing) + (f"; there is {some(elsewhere)}" if elsewhere else ""),
        remedy="index and files are not of one model: get both again",
        code="index-differs",
    )
