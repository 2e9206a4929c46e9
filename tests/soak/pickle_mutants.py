"""Checkpoints with a few bytes changed: read, or refused with our own error, in little time.

    .venv/bin/python -m tests.soak.pickle_mutants --minutes 5

Seeds are printed; one that failed is tried again with --seed.
"""

from __future__ import annotations

import argparse
import collections
import io
import random
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch

from lingctl.node.checkpoint.stream import TensorReader
from lingctl.node.checkpoint.torch_file import read_torch_file
from lingctl.node.trouble import Trouble
from tests.node.test_old_formats import in_tar

# Opcodes that build, recall and call; the other bytes come from a mutant's own file.
_OPCODES = b"(.012FIJKLMNPQRSTUVXabcdeghijlopqrstu})]" + bytes(range(0x80, 0x98))
_SLOWEST = 10.0
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


def mutants(seed: int, count: int) -> Iterator[tuple[int, bytes]]:
    """Files with their seeds."""
    files = originals()
    for number in range(seed, seed + count):
        chance = random.Random(number)
        file = chance.choice(files)
        # A zip file is changed in its pickle, whose checksum then fits, or anywhere.
        if file.startswith(b"PK") and chance.random() < 0.8:
            yield number, _repacked(file, chance)
        else:
            yield number, _changed(file, chance)


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


def judge(path: Path) -> str:
    """What reading the file came to: ``taken`` or ``refused``.

    Raises:
        AssertionError: it took too long.
        Exception: whatever is no error of ours.
    """
    begin = time.process_time()
    try:
        file = read_torch_file(str(path))
        reader = TensorReader()
        try:
            for view in file.tensors.values():
                if not view.record.packed and view.size <= _MOST_WRITTEN:
                    assert sum(len(piece) for _, piece in reader.tensor(view, file.swapped)) == view.size
        finally:
            reader.close()
        found = "taken"
    except Trouble as trouble:
        assert trouble.what, "an error without words"
        assert len(f"{trouble.what}{trouble.where}{trouble.evidence}") < 8_000
        found = "refused"
    spent = time.process_time() - begin
    assert spent < _SLOWEST, f"took {spent:.1f} s"
    return found


def main() -> None:
    """Try mutants until the time is over."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, help="this one alone")
    arguments = parser.parse_args()
    end = time.monotonic() + 60 * arguments.minutes
    first = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**9)
    counts: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pytorch_model.bin"
        for seed, data in mutants(first, 1 if arguments.seed is not None else sys.maxsize):
            if time.monotonic() > end:
                break
            path.write_bytes(data)
            try:
                counts[judge(path)] += 1
            except BaseException:
                print(f"failed: --seed {seed}", file=sys.stderr)
                raise
    print(f"seeds from {first}: {dict(counts)}")


if __name__ == "__main__":
    main()
