"""The files of a folder as far as judging it needs them: kind, size, first bytes. Decides nothing."""

from __future__ import annotations

import os
from typing import List, NamedTuple, Tuple

from lingctl.node.checkpoint.identify import HEAD
from lingctl.node.checkpoint.safetensors import RECEIPT
from lingctl.node.files import kind_of, opened
from lingctl.node.trouble import Trouble
from lingctl.node.weights.names import TEXTS, WEIGHTS, reason_aside

# Names that are told of are looked at; of others a few are, to say what is there instead.
_MOST = 20_000
_OTHERS = 20


class Present(NamedTuple):
    """One name of a folder."""

    name: str  # in the folder
    kind: str  # ``folder``, ``file``, ``other`` (FIFO, device) or ``absent`` (a link that leads nowhere)
    size: int = 0  # bytes of a file, else 0
    head: bytes = b""  # its first bytes; empty for what is no file, and for files of other names


def look_at(folder: str) -> Tuple[Present, ...]:
    """What is in ``folder``, by name; nothing where there is no such folder.

    Raises:
        Trouble: names without end.
        OSError: it, or a file of weights in it, cannot be read: that is no absence.
    """
    if kind_of(folder) != "folder":
        return ()
    found: List[Present] = []
    others = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name.endswith((*WEIGHTS, *TEXTS)):
                found.append(_file(name, entry.path))
                continue
            told = name == RECEIPT or bool(reason_aside(name))
            others += not told
            if told or others <= _OTHERS:
                found.append(Present(name, "folder" if entry.is_dir() else "file"))
            if len(found) > _MOST:
                what = f"more than {_MOST} files of weights or beside them"
                raise Trouble(what, where=folder, remedy="give the folder of one model", code="beyond-limits")
    return tuple(sorted(found))


def _file(name: str, path: str) -> Present:
    kind = kind_of(path)
    if kind != "file":
        return Present(name, kind)
    with opened(path) as descriptor:
        return Present(name, kind, os.fstat(descriptor).st_size, os.read(descriptor, HEAD))
