"""Checkpoints with a few bytes changed: read, or refused with our own error, in little memory."""

from __future__ import annotations

import argparse
import collections
import io
import random
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import torch

from lingctl.node.checkpoint.stream import TensorReader
from lingctl.node.checkpoint.torch_file import read_torch_file
from lingctl.node.trouble import Trouble
from tests.fuzz.reader import Reader
from tests.node.test_old_formats import in_tar

# Opcodes that build, recall and call; the other bytes come from a mutant's own file.
_OPCODES = b"(.012FIJKLMNPQRSTUVXabcdeghijlopqrstu})]" + bytes(range(0x80, 0x98))
_MOST_WRITTEN = 64 << 20


def originals() -> list[bytes]:
    """Honest files of all formats."""
    shared = torch.arange(24.0).reshape(4, 6)
    state = collections.OrderedDict(w=shared, t=shared.t(), half=torch.ones(3).to(torch.bfloat16))
    state["p"] = torch.nn.Parameter(torch.ones(2))
    state["p"].partition_dim = 1
    settings = argparse.Namespace(a=[1, (2, "x")], big=2**80)
    content = {"model": state, "epoch": 3, "set": {1, 2}, "args": settings}
    plain = {name: tensor.detach() for name, tensor in state.items() if name != "half"}
    made = [in_tar(collections.OrderedDict(plain))]
    for protocol in (2, 4):
        for legacy in (False, True):
            out = io.BytesIO()
            options = {"pickle_protocol": protocol, "_use_new_zipfile_serialization": not legacy}
            torch.save(content, out, **options)
            made.append(out.getvalue())
    return made


def mutant(file: bytes, chance: random.Random) -> bytes:
    """One file changed. Of a zip mostly its pickle, whose checksum then fits, or anything."""
    if file.startswith(b"PK") and chance.random() < 0.8:
        try:
            return _repacked(file, chance)
        except (
            zipfile.BadZipFile,
            ValueError,
            OSError,
            RuntimeError,
            NotImplementedError,
            zlib.error,
            EOFError,
        ):
            pass  # it is no zip any more
    return _changed(file, chance)


def mutants(seed: int, count: int) -> Iterator[tuple[int, bytes]]:
    """Files with their seeds."""
    files = originals()
    for number in range(seed, seed + count):
        chance = random.Random(number)
        yield number, mutant(chance.choice(files), chance)


def _changed(data: bytes, chance: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(chance.choice([1, 1, 1, 2, 3, 8])):
        at, length = chance.randrange(len(out)), chance.choice([1, 1, 2, 4, 16])
        kind = chance.randrange(6)
        if kind == 0:
            out[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            out[at:at] = bytes(chance.choice(_OPCODES) for _ in range(length))
        elif kind == 2:
            del out[at : at + length]
        elif kind == 3:
            other = chance.randrange(len(out))
            out[at:at] = out[other : other + 4 * length]
        elif kind == 4:
            out[at : at + length] = bytes(chance.choice([0, 1, 0x7F, 0x80, 0xFF]) for _ in range(length))
        else:
            out[at] = chance.choice(_OPCODES)
        out = out or bytearray(b".")
    return bytes(out)


def _repacked(data: bytes, chance: random.Random) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename.endswith("data.pkl"):
                content = _changed(content, chance)
            new.writestr(entry.filename, content, chance.choice([0, 8]) if chance.random() < 0.1 else 0)
    return out.getvalue()


def take(path: Path) -> list[str]:
    """Read every tensor of a file; their names.

    Raises:
        Trouble: it is refused.
        AssertionError: a tensor is not as long as it says, or an error says nothing, or without end.
    """
    try:
        file = read_torch_file(str(path))
        reader = TensorReader()
        try:
            for view in file.tensors.values():
                if not view.record.packed and view.size <= _MOST_WRITTEN:
                    assert sum(len(piece) for _, piece in reader.tensor(view, file.swapped)) == view.size
        finally:
            reader.close()
        return list(file.tensors)
    except Trouble as trouble:
        assert trouble.what, "an error without words"
        assert len(f"{trouble.what}{trouble.where}{trouble.evidence}") < 8_000
        raise


def _read(data: bytes, folder: Path) -> object:
    path = folder / "pytorch_model.bin"
    path.write_bytes(data)
    return take(path)


READER = Reader("pickles", originals, _read, changed=mutant)
