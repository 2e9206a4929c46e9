"""The index of a checkpoint of many files: which tensor is in which. The same for safetensors and .bin."""

from __future__ import annotations

import os
import re
from typing import Dict, NamedTuple, Optional

from lingctl.node.checkpoint.identify import HEAD, other_than_text
from lingctl.node.checkpoint.json_text import BeyondLimits, JsonText
from lingctl.node.files import opened
from lingctl.node.trouble import Trouble, shown

INDEX = "model.safetensors.index.json"
TORCH_INDEX = "pytorch_model.bin.index.json"
_MOST_HELD = 16_000_000
_EACH_HELD = 200
_LARGEST = 100_000_000
_USUAL = re.compile(r'"([^"\\\x00-\x1f]{1,1000})"[ \t\n\r]*:[ \t\n\r]*"([^"\\\x00-\x1f]{1,255})"')


class IndexFile(NamedTuple):
    """What an index says."""

    weight_map: Dict[str, str]  # tensor name to file name
    total_size: Optional[int]  # bytes of all tensors; None where it does not say. Loaders ignore it.


def read_index(path: str) -> IndexFile:
    """Read an index; its file names are plain, so that they cannot leave the folder.

    Raises:
        Trouble: no regular file, no JSON, no map, or a file name that leaves the folder.
        OSError: it cannot be read.
    """
    where = os.path.basename(path)
    with opened(path) as descriptor:
        head = os.pread(descriptor, HEAD, 0)
        other = other_than_text(head, os.fstat(descriptor).st_size, where)
        if other:
            raise other
        try:
            if os.fstat(descriptor).st_size > _LARGEST:
                raise BeyondLimits(f"more than {_LARGEST} bytes")
            found = _parse(JsonText(lambda most: os.read(descriptor, most)))
        except BeyondLimits as error:
            raise Trouble(f"it is not looked into: {error}", where=where, code="beyond-limits") from None
        except ValueError as error:
            raise _malformed(where, f"not valid JSON: {error}") from None
    if not found.weight_map:
        raise _malformed(where, "no weight_map in it")
    for file_name in set(found.weight_map.values()):
        if file_name in ("", ".", "..") or "/" in file_name or "\0" in file_name:
            tensor = next(name for name, its in found.weight_map.items() if its == file_name)
            raise _malformed(where, f"tensor '{shown(tensor)}' is said to be in '{shown(file_name)}'")
    return found


def _parse(text: JsonText) -> IndexFile:
    weight_map: Dict[str, str] = {}
    total: Optional[int] = None
    mapped = False
    if text.peek() != "{":
        raise ValueError("no object")
    for _ in text.members():
        key = text.key()
        if key == "weight_map" and text.peek() == "{":
            if mapped:
                raise ValueError("weight_map is there twice")
            mapped = True
            _read_map(text, weight_map)
        elif key == "metadata" and text.peek() == "{":
            total = _total_size(text)
        else:
            text.pass_value()
    text.end()
    return IndexFile(weight_map, total)


def _read_map(text: JsonText, weight_map: Dict[str, str]) -> None:
    files: Dict[str, str] = {}
    held = 0
    for _ in text.members():
        usual = text.match(_USUAL)
        name, file = usual.groups() if usual else (text.key(), text.string())
        if name in weight_map:
            raise ValueError(f"the key '{shown(name)}' is there twice")
        weight_map[name] = files.setdefault(file, file)
        held += _EACH_HELD + 4 * len(name) + (4 * len(file) if files[file] is file else 0)
        if held > _MOST_HELD:
            raise BeyondLimits(f"more than {len(weight_map)} tensors, more than a model has")


def _total_size(text: JsonText) -> Optional[int]:
    total: Optional[int] = None
    for _ in text.members():
        if text.key() == "total_size" and text.peek().isdigit():
            total = text.whole()
        else:
            text.pass_value()
    return total


def _malformed(where: str, what: str) -> Trouble:
    return Trouble(what, where=where, remedy="download it again", code="index-malformed")
