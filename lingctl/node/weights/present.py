"""The files of a folder as far as judging it needs them: kind, size, first bytes. Decides nothing."""

from __future__ import annotations

import os
from typing import List, NamedTuple, Tuple

from lingctl.node.checkpoint.identify import HEAD
from lingctl.node.files import kind_of, opened

# Names of weights, whoever wrote them.
WEIGHTS = (
    ".safetensors",
    ".bin",
    ".pt",
    ".pth",
    ".ckpt",
    ".pkl",
    ".h5",
    ".msgpack",
    ".gguf",
    ".onnx",
    ".npz",
)
# What goes along with them: text, or a tokenizer.
TEXTS = (".json", ".py", ".model", ".txt", ".jinja")
_MOST = 20_000


class Present(NamedTuple):
    """One name of a folder."""

    name: str  # in the folder
    kind: str  # ``folder``, ``file``, ``other`` (FIFO, device) or ``absent`` (a link that leads nowhere)
    size: int = 0  # bytes of a file, else 0
    head: bytes = b""  # its first bytes; empty for what is no file, and for files of other names


def look_at(folder: str) -> Tuple[Present, ...]:
    """What is in ``folder``, by name; nothing where there is no such folder.

    Raises:
        OSError: it, or a file of weights in it, cannot be read: that is no absence.
    """
    if kind_of(folder) != "folder":
        return ()
    found: List[Present] = []
    for name in sorted(os.listdir(folder))[:_MOST]:
        path = os.path.join(folder, name)
        kind = kind_of(path) if name.endswith((*WEIGHTS, *TEXTS)) or name.startswith(".") else "file"
        if kind == "file" and name.endswith((*WEIGHTS, *TEXTS)):
            found.append(Present(name, kind, os.path.getsize(path), first_bytes(path)))
        else:
            found.append(Present(name, kind))
    return tuple(found)


def first_bytes(path: str) -> bytes:
    """The first bytes of a file. Raises Trouble: no regular file; OSError: it cannot be read."""
    with opened(path) as descriptor:
        return os.read(descriptor, HEAD)
