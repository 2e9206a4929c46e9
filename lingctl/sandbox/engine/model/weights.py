"""Reads a checkpoint through the real safetensors library, with the loader's documented refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from lingctl.sandbox.engine.model.bfloat16 import Bits, Floats, from_bits

INDEX = "model.safetensors.index.json"

_deserialize: Callable[[bytes], list[tuple[str, dict[str, Any]]]] = safetensors.deserialize


class LoadError(Exception):
    """What a worker's Python log says when it cannot load; the message begins with the exception's class."""


class Checkpoint:
    """The tensors of a folder, by name.

    Args:
        folder: folder with ``*.safetensors`` and, for several files, the index.

    Raises:
        LoadError: no safetensors, a file that the index names is missing, damaged or ambiguous.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise LoadError(
                f"FileNotFoundError: No local weights found in {folder} with extension .safetensors"
            )
        self._tensors: dict[str, dict[str, Any]] = {}
        for file in files:
            self._add(file)
        self._check_index()

    def _add(self, file: Path) -> None:
        try:
            found: list[tuple[str, dict[str, Any]]] = _deserialize(file.read_bytes())
        except Exception as error:  # the library's own exception type is not importable by a stable name
            # The function that the worker calls says "header"; it names no file (seen).
            words = str(error).replace("deserializing:", "deserializing header:")
            raise LoadError(f"safetensors._safetensors_rust.SafetensorError: {words}") from error
        for name, tensor in found:
            if name in self._tensors:
                raise LoadError(f"RuntimeError: Key {name} was found in multiple files")
            self._tensors[name] = tensor

    def _check_index(self) -> None:
        path = self.folder / INDEX
        if not path.is_file():
            return
        for name in json.loads(path.read_text())["weight_map"]:
            self._entry(name)

    def _entry(self, name: str) -> dict[str, Any]:
        if name not in self._tensors:
            raise LoadError(f"AssertionError: weight {name} does not exist")
        return self._tensors[name]

    def tensor(self, name: str, shape: tuple[int, ...] | None = None) -> Floats:
        """A tensor as float32.

        Args:
            name: its name in the checkpoint.
            shape: what config.json makes the loader expect.

        Raises:
            LoadError: missing, another shape, or a dtype that is no float.
        """
        entry = self._entry(name)
        found = tuple(entry["shape"])
        if shape is not None and found != shape:
            raise LoadError(
                f"RuntimeError: The size of tensor {name} {list(found)} must match the expected {list(shape)}"
            )
        return _floats(name, str(entry["dtype"]), bytes(entry["data"])).reshape(found)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor.

        Raises:
            LoadError: missing.
        """
        return tuple(self._entry(name)["shape"])

    def names(self) -> list[str]:
        """All tensor names, sorted."""
        return sorted(self._tensors)


def _floats(name: str, dtype: str, data: bytes) -> Floats:
    if dtype == "BF16":
        bits: Bits = np.frombuffer(data, dtype="<u2")
        return from_bits(bits)
    if dtype in ("F16", "F32"):
        return np.frombuffer(data, dtype="<f2" if dtype == "F16" else "<f4").astype(np.float32)
    raise LoadError(f"ValueError: tensor {name} has dtype {dtype}, which the model cannot take")
