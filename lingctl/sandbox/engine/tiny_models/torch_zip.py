"""Writes a genuine PyTorch checkpoint (zip of stored members) of bfloat16 tensors, without torch.

Format: ``<archive>/data.pkl`` describes the tensors by ``torch._utils._rebuild_tensor_v2`` over
persistent storages; ``<archive>/data/<key>`` holds the bytes, aligned to 64. Checked against ``torch.load``
in the tests.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

from lingctl.sandbox.engine.model.bfloat16 import Bits

_ARCHIVE = "pytorch_model"
_ALIGNMENT = 64


def write_torch_zip(path: Path, tensors: Mapping[str, Bits]) -> None:
    """Write the tensors as ``torch.save`` of a plain state dict would.

    Args:
        path: file to write.
        tensors: bfloat16 bits by name, contiguous.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        _member(archive, "data.pkl", _pickle(tensors))
        _member(archive, ".format_version", b"1")
        _member(archive, ".storage_alignment", str(_ALIGNMENT).encode())
        _member(archive, "byteorder", b"little")
        for key, bits in enumerate(tensors.values()):
            _member(archive, f"data/{key}", bits.tobytes())
        _member(archive, "version", b"3\n")
        _member(archive, ".data/serialization_id", b"0" * 40)


def _member(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(f"{_ARCHIVE}/{name}", date_time=(1980, 1, 1, 0, 0, 0))
    assert archive.fp is not None
    start = archive.fp.tell() + 30 + len(entry.filename.encode())
    padding = -(start + 4) % _ALIGNMENT
    entry.extra = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
    archive.writestr(entry, data)


def _pickle(tensors: Mapping[str, Bits]) -> bytes:
    """Protocol 2 opcodes of ``{name: tensor, ...}``; every tensor has a storage of its own."""
    out = [b"\x80\x02}("]
    for key, (name, bits) in enumerate(tensors.items()):
        strides: list[int] = []
        step = 1
        for size in reversed(bits.shape):
            strides.insert(0, step)
            step *= size
        out += [
            _text(name),
            b"ctorch._utils\n_rebuild_tensor_v2\n((",
            _text("storage"),
            b"ctorch\nBFloat16Storage\n",
            _text(str(key)),
            _text("cpu"),
            _number(bits.size),
            b"tQ",
            _number(0),
            _tuple(bits.shape),
            _tuple(tuple(strides)),
            b"\x89ccollections\nOrderedDict\n)RtR",
        ]
    out.append(b"u.")
    return b"".join(out)


def _text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def _number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def _tuple(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(_number(value) for value in values) + b"t"
