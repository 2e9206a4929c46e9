"""The tensors that a folder says it holds, from headers and pickles alone. Quick: no tensor is read."""

from __future__ import annotations

import os
import re
from typing import Dict, List, NamedTuple, Set, Tuple

from lingctl.node.checkpoint.folder import (
    SINGLE,
    TORCH_INDEX,
    checkpoint_files,
    read_checkpoint,
)
from lingctl.node.checkpoint.safetensors import INDEX, RECEIPT, read_header, read_json, read_weight_map
from lingctl.node.files import kind_of
from lingctl.node.trouble import Trouble

_OF_MANY = re.compile(r"-of-0*(\d+)\.safetensors$")


class Held(NamedTuple):
    """One tensor: its file, and its element type and shape as safetensors writes them."""

    file: str
    dtype: str
    shape: Tuple[int, ...]


class Contents(NamedTuple):
    """What is in a folder.

    Attributes:
        form: ``safetensors``, ``bin`` (PyTorch checkpoint) or ``none``.
        files: names of the files of weights.
        tensors: by name.
        size: bytes of all tensors.
        problems: why it is not whole; empty when it is.
        notes: what is odd but harmless.
    """

    form: str
    files: Tuple[str, ...]
    tensors: Dict[str, Held]
    size: int
    problems: Tuple[Trouble, ...]
    notes: Tuple[str, ...]


def contents_of(folder: str) -> Contents:
    """Look at ``folder``. Damage is told in ``problems``, not raised.

    Raises:
        OSError: a file or the folder cannot be read at all: that is no absence.
    """
    kind = kind_of(folder)
    present = sorted(os.listdir(folder)) if kind == "folder" else []
    if any(name.endswith(".safetensors") for name in present) or INDEX in present:
        return _Safetensors(folder, present).contents()
    if SINGLE in present or TORCH_INDEX in present or any(name.endswith(".bin") for name in present):
        return _torch(folder)
    what = "no weights in it" if kind == "folder" else "no such folder"
    return Contents("none", (), {}, 0, (Trouble(what, where=folder, code="no-weights"),), ())


class _Safetensors:
    """Reads a folder of safetensors: first what the index lists, then what is there beside it."""

    def __init__(self, folder: str, present: List[str]) -> None:
        self._folder = folder
        self._files = [name for name in present if name.endswith(".safetensors")]
        self._has_index = INDEX in present
        self._converting = RECEIPT in present
        self._tensors: Dict[str, Held] = {}
        self._size = 0
        self._problems: List[Trouble] = []
        self._notes: List[str] = []

    def contents(self) -> Contents:
        if self._has_index:
            self._indexed()
        else:
            self._without_index()
        return Contents(
            form="safetensors",
            files=tuple(self._files),
            tensors=self._tensors,
            size=self._size,
            problems=tuple(self._problems),
            notes=tuple(self._notes),
        )

    def _without_index(self) -> None:
        many = [name for name in self._files if int((_OF_MANY.findall(name) or ["1"])[0]) > 1]
        if self._converting:
            self._problem("the conversion into it was not finished", "", "convert again: it goes on", INDEX)
        elif many or len(self._files) > 1:
            what = f"{len(self._files)} files of safetensors but no {INDEX}"
            remedy = "download it: without it nobody can tell whether a file is missing"
            self._problem(what, "", remedy, self._folder, "index-missing")
        for name in self._files:
            self._take(name)

    def _indexed(self) -> None:
        try:
            weight_map = read_weight_map(os.path.join(self._folder, INDEX))
        except Trouble as trouble:
            self._problems.append(trouble)
            return
        listed = sorted(set(weight_map.values()))
        missing = [name for name in listed if name not in self._files]
        if missing:
            what = f"the index names {len(missing)} files that are missing"
            self._problem(what, _some(missing), "finish the download", INDEX, "file-missing")
        broken = set(missing)
        for name in listed:
            if name not in broken and not self._take(name):
                broken.add(name)
        self._compare(weight_map, broken)
        self._notes += self._total_note()
        for name in sorted(set(self._files) - set(listed)):
            if self._take(name):
                self._notes.append(f"{name} is not in the index")

    def _compare(self, weight_map: Dict[str, str], broken: Set[str]) -> None:
        lost = [name for name, file in weight_map.items() if file not in broken and name not in self._tensors]
        if lost:
            what = f"{len(lost)} tensors of the index are in no file"
            self._problem(what, _some(lost), "download index and files again", INDEX, "index-differs")
        astray = [f"{name} ({held.file})" for name, held in self._tensors.items() if name not in weight_map]
        astray += [
            f"{name} ({held.file}, not {weight_map[name]})"
            for name, held in self._tensors.items()
            if name in weight_map and weight_map[name] != held.file
        ]
        if astray:
            what = f"{len(astray)} tensors are not where the index says"
            self._problem(what, _some(astray), "download index and files again", INDEX, "index-differs")

    def _take(self, name: str) -> bool:
        """Add the tensors of one file; false when its header is damaged."""
        path = os.path.join(self._folder, name)
        if kind_of(path) != "file":
            self._problem("is no file", "", "download it again", name, "file-missing")
            return False
        try:
            entries = read_header(path)[0]
        except Trouble as trouble:
            self._problems.append(trouble)
            return False
        twice = [entry.name for entry in entries if entry.name in self._tensors]
        if twice:
            first = f"{twice[0]} is in {self._tensors[twice[0]].file} too"
            self._problem(
                f"{len(twice)} tensors are in two files", first, "remove the file", name, "tensor-twice"
            )
        for entry in entries:
            self._tensors.setdefault(entry.name, Held(name, entry.dtype, entry.shape))
            self._size += entry.end - entry.start
        return True

    def _total_note(self) -> List[str]:
        """Loaders ignore ``total_size``, and published files have it wrong at times: a note, no failure."""
        content = read_json(os.path.join(self._folder, INDEX))
        metadata = content.get("metadata") if isinstance(content, dict) else None
        said = metadata.get("total_size") if isinstance(metadata, dict) else None
        if said is None or said == self._size or self._problems:
            return []
        return [f"{INDEX} gives a total_size of {said}, the tensors have {self._size} bytes"]

    def _problem(
        self, what: str, evidence: str, remedy: str, where: str, code: str = "conversion-unfinished"
    ) -> None:
        self._problems.append(Trouble(what, where=where, evidence=evidence, remedy=remedy, code=code))


def _torch(folder: str) -> Contents:
    problems: List[Trouble] = []
    notes: List[str] = []
    tensors: Dict[str, Held] = {}
    names: Tuple[str, ...] = ()
    try:
        layout = checkpoint_files(folder)
        names = layout.names
        for file in read_checkpoint(layout).files:
            for key, tensor in file.tensors.items():
                held = Held(os.path.basename(file.path), str(tensor.dtype.safetensors), tensor.header_shape)
                tensors[key] = held
    except Trouble as trouble:
        problems.append(trouble)
    size = sum(os.path.getsize(os.path.join(folder, name)) for name in names)
    return Contents("bin", names, tensors, size, tuple(problems), tuple(notes))


def _some(names: List[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
