"""What there is to convert: one checkpoint file, many with an index, or nothing because it is safetensors."""

from __future__ import annotations

import hashlib
import os
from typing import Dict, List, NamedTuple, Tuple

from lingctl.node.checkpoint.safetensors import read_weight_map
from lingctl.node.checkpoint.torch_file import TorchFile, read_torch_file
from lingctl.node.trouble import Trouble

SINGLE = "pytorch_model.bin"
TORCH_INDEX = "pytorch_model.bin.index.json"


class Checkpoint(NamedTuple):
    """Checkpoint files to convert.

    Attributes:
        folder: where they and their companions are.
        files: what each holds.
        fingerprint: digest over all of them.
        left_out: entries beside the state dicts, as ``file: name``.
        beside: those of them that hold tensors, and how many.
    """

    folder: str
    files: Tuple[TorchFile, ...]
    fingerprint: str
    left_out: Tuple[str, ...]
    beside: Tuple[str, ...]


class CheckpointFiles(NamedTuple):
    """Which files make up the checkpoint, before any is read; no ``names`` means safetensors."""

    folder: str
    names: Tuple[str, ...]
    weight_map: Dict[str, str]


def checkpoint_files(path: str) -> CheckpointFiles:
    """Find the checkpoint at ``path``, a folder or a single file.

    Raises:
        Trouble: nothing there that can be converted.
    """
    if os.path.isfile(path):
        folder, name = os.path.split(os.path.abspath(path))
        return CheckpointFiles(folder, () if name.endswith(".safetensors") else (name,), {})
    if not os.path.isdir(path):
        raise Trouble(
            "no such folder",
            where=path,
            remedy="give the folder of the weights",
            code="no-source",
            exit_status=2,
        )
    present = sorted(os.listdir(path))
    if any(name.endswith(".safetensors") for name in present):
        return CheckpointFiles(path, (), {})
    if TORCH_INDEX in present:
        weight_map = read_weight_map(os.path.join(path, TORCH_INDEX))
        return CheckpointFiles(path, _indexed(path, weight_map, present), weight_map)
    if SINGLE in present:
        return CheckpointFiles(path, (SINGLE,), {})
    raise _nothing(path, present)


def read_checkpoint(layout: CheckpointFiles) -> Checkpoint:
    """Read directories and pickles of all files.

    Raises:
        Trouble: damaged, or not what the index says.
    """
    files = tuple(read_torch_file(os.path.join(layout.folder, name)) for name in layout.names)
    for file in files:
        _compare_with_index(file, layout.weight_map)
    _compare_with_files(layout.weight_map, files)
    digest = hashlib.sha256("\n".join(file.fingerprint for file in files).encode())
    left_out = [f"{os.path.basename(file.path)}: {name}" for file in files for name in file.left_out]
    beside = [f"{os.path.basename(file.path)}: {name}" for file in files for name in file.beside]
    return Checkpoint(layout.folder, files, digest.hexdigest(), tuple(left_out), tuple(beside))


def _indexed(folder: str, weight_map: Dict[str, str], present: List[str]) -> Tuple[str, ...]:
    names = tuple(sorted(set(weight_map.values())))
    missing = [name for name in names if name not in present]
    if missing:
        raise Trouble(
            f"the index names {len(missing)} files that are missing",
            where=os.path.join(folder, TORCH_INDEX),
            evidence=", ".join(missing[:10]),
            remedy="finish the download",
            code="file-missing",
        )
    return names


def _compare_with_index(file: TorchFile, weight_map: Dict[str, str]) -> None:
    name = os.path.basename(file.path)
    unknown = [tensor for tensor in file.tensors if weight_map and weight_map.get(tensor) != name]
    if unknown:
        raise Trouble(
            f"{len(unknown)} tensors in it that the index does not list for it",
            where=name,
            evidence=", ".join(unknown[:5]),
            remedy="index and files are not of one model: download both again",
            code="index-differs",
        )


def _compare_with_files(weight_map: Dict[str, str], files: Tuple[TorchFile, ...]) -> None:
    held = {tensor for file in files for tensor in file.tensors}
    missing = [f"{tensor} ({name})" for tensor, name in weight_map.items() if tensor not in held]
    if missing:
        raise Trouble(
            f"{len(missing)} tensors of the index are in no file",
            where=TORCH_INDEX,
            evidence=", ".join(missing[:5]),
            remedy="index and files are not of one model: download both again",
            code="index-differs",
        )


def _nothing(path: str, present: List[str]) -> Trouble:
    numbered = [name for name in present if name.startswith("pytorch_model-") and name.endswith(".bin")]
    if numbered:
        return Trouble(
            f"{len(numbered)} files of weights but no {TORCH_INDEX}",
            where=path,
            remedy=f"download {TORCH_INDEX}: without it nobody can tell whether a file is missing",
            code="index-missing",
        )
    return Trouble(
        f"neither {SINGLE} nor {TORCH_INDEX} nor safetensors in it",
        where=path,
        evidence=", ".join(present[:12]),
        remedy="give the folder of the weights, or the checkpoint file itself",
        code="no-source",
        exit_status=2,
    )
