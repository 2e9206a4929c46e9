"""The files that go with the weights: tokenizer, configuration, code. All that is not weights is copied."""

from __future__ import annotations

import filecmp
import os
from typing import List, NamedTuple, Sequence, Tuple

from lingctl.node.files import copy_file, kind_of
from lingctl.node.folders import inside, need_open, visible

_WEIGHTS = (
    ".bin",
    ".safetensors",
    ".pt",
    ".pth",
    ".ckpt",
    ".h5",
    ".msgpack",
    ".gguf",
    ".onnx",
    ".index.json",
    ".part",
    ".incomplete",
    ".lock",
)


class Companions(NamedTuple):
    """Paths relative to the folder, and bytes of all of them."""

    names: Tuple[str, ...]
    size: int


def find_companions(folder: str, weights: Sequence[str]) -> Companions:
    """Companions in ``folder`` and below, without hidden files (``.git``, caches) and ``weights``.

    Links to files are followed, as download caches use them; links to folders are not.

    Raises:
        OSError: a folder below cannot be read, or a link cannot be followed: what is there is not nothing.
    """
    paths = [os.path.join(here, name) for here, files in visible(folder) for name in files]
    found = [os.path.relpath(path, folder) for path in paths if kind_of(path) == "file"]
    names = [name for name in found if not name.endswith(_WEIGHTS) and name not in weights]
    return Companions(tuple(names), sum(os.path.getsize(os.path.join(folder, name)) for name in names))


def copy_companions(folder: str, target: str, names: Sequence[str], force: bool) -> List[str]:
    """Copy what is missing; returns the names of those that are there and differ, which stay as they are.

    An operator's edit of the copied config.json survives; ``force`` overwrites it.

    Raises:
        Trouble: a link is in the way in ``target``, or one in ``folder`` leads to what not all may read.
        OSError: the disk, or the rights.
    """
    kept: List[str] = []
    for name in names:
        source = os.path.join(folder, name)
        with inside(target, os.path.dirname(name)) as below:
            copy = os.path.join(below, os.path.basename(name))
            if os.path.lexists(copy) and same(source, copy):
                continue
            if os.path.lexists(copy) and not force:
                kept.append(name)
                continue
            need_open(folder, name)
            copy_file(source, copy)
    return kept


def same(first: str, second: str) -> bool:
    """Whether two files hold the same bytes."""
    return os.path.isfile(second) and filecmp.cmp(first, second, shallow=False)
