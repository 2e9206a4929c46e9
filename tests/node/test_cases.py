"""Every kind of tensor and file that torch.save writes: bit-identical to torch.load, or refused by name."""

from __future__ import annotations

import collections
import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import torch

from lingctl.node.trouble import Trouble
from tests.node.checkpoints import INDEX, assert_same, load, model, run, save

pytestmark = pytest.mark.torch


def base(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    count = int(torch.tensor(shape).prod()) if shape else 1
    return torch.arange(count, dtype=torch.float64).reshape(shape).to(dtype)


def raw(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    """Every bit pattern, not only numbers."""
    size = torch.empty(0, dtype=dtype).element_size()
    count = size
    for length in shape:
        count *= length
    return (torch.arange(count) * 37 % 256).to(torch.uint8).view(dtype).reshape(shape)


def tied() -> dict[str, torch.Tensor]:
    weight = base(40, 8)
    return {"embeddings": weight, "lm_head": weight}


def slices() -> dict[str, torch.Tensor]:
    whole = base(100, 16)
    return {
        "head": whole[:30],
        "tail": whole[60:],
        "overlap": whole[20:70],
        "row": whole[7],
        "one": whole[3, 4],
    }


def strided() -> dict[str, torch.Tensor]:
    whole = base(48, 64)
    cube = base(6, 10, 14)
    return {
        "transposed": whole.t(),
        "columns": whole[:, 5:9],
        "steps": whole[::3, 1::2],
        "permuted": cube.permute(2, 0, 1),
        "expanded": base(1, 5).expand(7, 5),
        "scalar expanded": torch.tensor(3.5).expand(4, 3),
        "diagonal": whole.diagonal(),
        "windows": base(50).as_strided((10, 8), (4, 1)),
        "batched": cube.transpose(0, 2)[1:3, ::2],
    }


def large_strided() -> dict[str, torch.Tensor]:
    """Larger than the blocks that are read at once, so that views are cut."""
    wide = raw(1200, 1300, dtype=torch.bfloat16)
    return {
        "transposed": wide.t(),
        "column": wide[:, 17],
        "steps": wide[::7, ::5],
        "deep": raw(70, 80, 90, dtype=torch.float32).permute(1, 2, 0),
        "bytes": raw(1500, 1600, dtype=torch.uint8).t(),
    }


def zero_sized() -> dict[str, torch.Tensor]:
    return {
        "none": torch.empty(0),
        "no rows": torch.empty(0, 7),
        "no columns": torch.empty(3, 0, dtype=torch.bfloat16),
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "end": base(10)[10:],
        "some": base(3),
    }


def bits_of_every_type() -> dict[str, torch.Tensor]:
    names = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 uint16 uint32 uint64 complex64"
    found = {name: raw(3, 16, dtype=getattr(torch, name)) for name in names.split()}
    for name in ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"]:
        found[name] = raw(2, 8, dtype=getattr(torch, name))
    found["bool"] = base(5, 3).to(torch.int32) % 2 == 0
    return found


def special_numbers() -> dict[str, torch.Tensor]:
    values = [float("nan"), -float("nan"), float("inf"), -0.0, 1e-45]
    return {
        "specials": torch.tensor(values),
        "payload": torch.tensor([0x7FC0DEAD], dtype=torch.int32).view(torch.float32),
    }


class Layered(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(8, 16)
        self.norm = torch.nn.BatchNorm1d(16)
        self.register_buffer("table", torch.arange(9))


def module_state() -> collections.OrderedDict[str, torch.Tensor]:
    return Layered().state_dict()


def parameters() -> dict[str, torch.Tensor]:
    return {
        "trained": torch.nn.Parameter(base(4, 4)),
        "frozen": torch.nn.Parameter(base(3), requires_grad=False),
        "needs grad": base(2, 2).requires_grad_(),
    }


def mixed_widths() -> dict[str, torch.Tensor]:
    """Odd lengths of narrow types before wide ones: alignment is the header's order's business."""
    return {
        "a": raw(3, dtype=torch.int8),
        "b": base(5, dtype=torch.float64),
        "c": raw(7, dtype=torch.bfloat16),
    }


CASES: dict[str, Callable[[], dict[str, torch.Tensor]]] = {
    "one model": model,
    "tied": tied,
    "slices of one storage": slices,
    "strided views": strided,
    "strided views beyond a block": large_strided,
    "zero-size and 0-dim": zero_sized,
    "every type": bits_of_every_type,
    "special numbers": special_numbers,
    "a module's state dict": module_state,
    "parameters": parameters,
    "mixed widths": mixed_widths,
    "names beyond ASCII": lambda: {"权重.层": base(3), "espace é": base(2), 'quote"\\': base(1)},
    "more than one block": lambda: {"large": raw(3_000_001, dtype=torch.uint8), "small": base(2)},
}


@pytest.mark.parametrize("case", CASES)
def test_converted_bit_for_bit(case: str, tmp_path: Path) -> None:
    tensors = CASES[case]()
    source = save(tmp_path / "in", tensors)
    summary = run(source, tmp_path / "out")
    assert summary["state"] == "converted"
    assert summary["tensors"] == len(tensors)
    wanted = torch.load(source / "pytorch_model.bin", weights_only=True)
    assert_same(load(tmp_path / "out"), wanted)
    assert summary["bytes"] == sum(tensor.numel() * tensor.element_size() for tensor in wanted.values())


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol(protocol: int, tmp_path: Path) -> None:
    source = save(tmp_path / "in", module_state(), pickle_protocol=protocol)
    run(source, tmp_path / "out")
    # torch's own restricted reader knows protocol 2 only.
    wanted = torch.load(source / "pytorch_model.bin", weights_only=False)
    assert_same(load(tmp_path / "out"), wanted)


def test_float4_counts_values_in_its_shape(tmp_path: Path) -> None:
    packed = raw(4, 8, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)
    source = save(tmp_path / "in", {"packed": packed})
    run(source, tmp_path / "out")
    (file,) = (tmp_path / "out").glob("*.safetensors")
    length = struct.unpack("<Q", file.read_bytes()[:8])[0]
    header = file.read_bytes()[8 : 8 + length].decode()
    assert '"dtype":"F4","shape":[4,16]' in header
    assert file.read_bytes()[8 + length :] == packed.view(torch.uint8).numpy().tobytes()


def test_expanded_view_is_written_out_whole(tmp_path: Path) -> None:
    source = save(tmp_path / "in", {"wide": torch.tensor([1.0, 2.0]).expand(100_000, 2)})
    run(source, tmp_path / "out")
    assert load(tmp_path / "out")["wide"].sum() == 300_000


WRAPPED = {
    "state_dict with an epoch": ({"epoch": 3, "state_dict": {"a": 1}, "note": "x"}, ["epoch", "note"]),
    "model beside tensors": ({"step": torch.tensor(5), "model": {"a": 1}}, ["step"]),
    "two levels": ({"model": {"module": {"a": 1}, "ema": 0.5}}, ["model.ema"]),
    "plain entries among tensors": (
        {"a": 1, "count": 7, "names": ["x", "y"], "none": None},
        ["count", "names", "none"],
    ),
}


@pytest.mark.parametrize("case", WRAPPED)
def test_wrapped_state_dicts_are_unwrapped_and_the_rest_is_told(case: str, tmp_path: Path) -> None:
    content, left_out = WRAPPED[case]
    weight = base(6, 6)

    def filled(value: object) -> object:
        if isinstance(value, dict):
            return {key: weight if key == "a" else filled(inner) for key, inner in value.items()}
        return value

    summary = run(save(tmp_path / "in", filled(content)), tmp_path / "out")
    assert_same(load(tmp_path / "out"), {"a": weight})
    assert summary["left_out"] == [f"pytorch_model.bin: {name}" for name in left_out]
    assert any("left out" in note for note in summary["notes"])


REFUSED: dict[str, tuple[Callable[[], object], str, str]] = {
    "sparse": (lambda: {"ok": base(2), "thin": base(4, 4).to_sparse()}, "_rebuild_sparse_tensor", "thin"),
    "quantised": (
        lambda: {"small": torch.quantize_per_tensor(base(4), 0.1, 0, torch.qint8)},
        "_rebuild_qtensor",
        "small",
    ),
    "whole module": (Layered, "Layered", ""),
    "numpy array": (lambda: {"table": numpy.arange(3)}, "numpy", "table"),
    "a function's name": (lambda: {"a": base(2), "hook": os.getcwd}, "names posix.getcwd", "hook"),
    "complex128": (lambda: {"phase": base(3).to(torch.complex128)}, "complex128", "phase"),
    "complex32": (lambda: {"phase": base(3).to(torch.complex32)}, "complex32", "phase"),
    "lazy conjugate": (lambda: {"phase": base(3).to(torch.complex64).conj()}, "pending operations", "phase"),
    "meta": (lambda: {"ghost": torch.empty(3, device="meta")}, "meta", "ghost"),
    "one tensor": (lambda: base(3), "single tensor", ""),
    "a list": (lambda: [base(3)], "list", ""),
    "nothing": (dict, "no tensor", ""),
    "unnamed": (lambda: {0: base(3)}, "names a tensor by 0", ""),
    "reserved name": (lambda: {"__metadata__": base(3)}, "__metadata__", ""),
}


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning", "ignore:ComplexHalf:UserWarning")
@pytest.mark.parametrize("case", REFUSED)
def test_what_safetensors_cannot_hold_is_refused_by_name(case: str, tmp_path: Path) -> None:
    make, what, name = REFUSED[case]
    source = save(tmp_path / "in", make())
    with pytest.raises(Trouble) as caught:
        run(source, tmp_path / "out")
    assert what in caught.value.what
    assert name in str(caught.value)
    assert "pytorch_model.bin" in caught.value.where
    assert not (tmp_path / "out").exists()


def test_deflated_members_are_inflated(tmp_path: Path) -> None:
    source = save(tmp_path / "in", tied() | slices() | strided())
    wanted = torch.load(source / "pytorch_model.bin", weights_only=True)
    repack(source / "pytorch_model.bin", zipfile.ZIP_DEFLATED)
    assert_same(torch.load(source / "pytorch_model.bin", weights_only=True), wanted)
    run(source, tmp_path / "out")
    assert_same(load(tmp_path / "out"), wanted)
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")] == [
        ".lingctl-convert.json"
    ]


def test_repacked_without_alignment(tmp_path: Path) -> None:
    source = save(tmp_path / "in", model())
    wanted = torch.load(source / "pytorch_model.bin", weights_only=True)
    repack(source / "pytorch_model.bin", zipfile.ZIP_STORED)
    run(source, tmp_path / "out")
    assert_same(load(tmp_path / "out"), wanted)


def test_big_endian_bytes_are_swapped(tmp_path: Path) -> None:
    tensors = {name: tensor for name, tensor in bits_of_every_type().items() if "float8" not in name}
    tensors["view"] = raw(40, 50, dtype=torch.int32).t()
    source = save(tmp_path / "in", tensors)
    path = source / "pytorch_model.bin"
    storages = {str(key): tensor for key, tensor in enumerate(tensors.values())}
    repack(path, zipfile.ZIP_STORED, lambda name, data: turned(name, data, storages))
    run(source, tmp_path / "out")
    found = load(tmp_path / "out")
    assert_same(found, tensors)
    # torch.load forgets to swap the types that it keeps in untyped storages.
    swapped = {name: tensor for name, tensor in tensors.items() if not name.startswith("uint")}
    loaded = torch.load(path, weights_only=True)
    assert_same({name: loaded[name] for name in swapped}, swapped)


def turned(name: str, data: bytes, storages: dict[str, torch.Tensor]) -> bytes:
    """The member as a big-endian machine writes it."""
    if name.endswith("/byteorder"):
        return b"big"
    head, _, key = name.rpartition("/")
    if not head.endswith("/data"):
        return data
    tensor = storages[key]
    width = tensor.element_size() // (2 if tensor.is_complex() else 1)
    return numpy.frombuffer(data, f"<u{width}").byteswap().tobytes()


def test_saved_without_checksums(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        source = save(tmp_path / "in", model())
    finally:
        torch.serialization.set_crc32_options(True)
    summary = run(source, tmp_path / "out")
    assert_same(load(tmp_path / "out"), model())
    assert summary["checksums"] is False
    assert any("no checksums in pytorch_model.bin" in note for note in summary["notes"])


def repack(path: Path, method: int, change: Callable[[str, bytes], bytes] = lambda name, data: data) -> None:
    """Write the members again, as another zip program would."""
    with zipfile.ZipFile(path) as archive:
        members = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, change(name, data))


def test_index_sums_what_the_tensors_have(tmp_path: Path) -> None:
    source = save(tmp_path / "in", model())
    run(source, tmp_path / "out", max_shard_size=20_000)
    index = json.loads((tmp_path / "out" / INDEX).read_text())
    assert index["metadata"]["total_size"] == sum(tensor.numel() * 2 for tensor in model().values())
    assert len(set(index["weight_map"].values())) > 3
    assert_same(load(tmp_path / "out"), model())
