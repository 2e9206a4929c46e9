"""The formats of torch before 1.6, read without torch: bit-identical to torch.load, or refused by name."""

from __future__ import annotations

import collections
import io
import os
import pickle
import struct
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lingctl.node.trouble import Trouble
from tests.node.checkpoints import assert_same, load, model, run, save
from tests.node.test_cases import CASES

pytestmark = pytest.mark.torch

MAGIC = 0x1950A86A20F9469CFC6C
MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


@pytest.mark.parametrize("case", CASES)
def test_pickles_in_a_row_bit_for_bit(case: str, tmp_path: Path) -> None:
    content = CASES[case]()
    source = save(tmp_path / "in", content, _use_new_zipfile_serialization=False)
    summary = run(source, tmp_path / "out")
    assert_same(load(tmp_path / "out"), content)
    # torch writes storages without element type, which newer types have, and cannot read them again.
    if case != "every type":
        assert_same(load(tmp_path / "out"), torch.load(source / "pytorch_model.bin", weights_only=True))
    assert summary["checksums"] is False
    assert any("no checksums in pytorch_model.bin" in note for note in summary["notes"])


@pytest.mark.parametrize("nested", [False, True])
def test_a_second_run_finds_nothing_to_do(nested: bool, tmp_path: Path) -> None:
    content = {"state_dict": model(), "epoch": 1} if nested else model()
    source = save(tmp_path / "in", content, _use_new_zipfile_serialization=False)
    run(source, tmp_path / "deep" / "out", max_shard_size=20_000)
    assert_same(load(tmp_path / "deep" / "out"), model())
    assert run(source, tmp_path / "deep" / "out", max_shard_size=20_000)["state"] == "unchanged"


def test_torch_is_not_needed(tmp_path: Path, pyz: Path) -> None:
    source = save(tmp_path / "in", model(), _use_new_zipfile_serialization=False)
    command = [sys.executable, "-I", "-S", str(pyz), "convert", str(source), str(tmp_path / "out")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert_same(load(tmp_path / "out"), model())


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_every_protocol_that_torch_can_save_with(protocol: int, tmp_path: Path) -> None:
    source = save(tmp_path / "in", model(), _use_new_zipfile_serialization=False, pickle_protocol=protocol)
    run(source, tmp_path / "out")
    assert_same(load(tmp_path / "out"), model())


def in_a_row(
    content: object,
    storages: dict[str, tuple[int, bytes]],
    *,
    magic: int = MAGIC,
    version: object = 1001,
    machine: object = MACHINE,
    keys: object = None,
) -> bytes:
    """A file as torch writes it; ``storages`` are elements and bytes by key, which an ``Id`` stands for."""
    out = io.BytesIO()
    for value in (magic, version, machine):
        pickle.dump(value, out, protocol=2)

    class Saver(pickle.Pickler):
        def persistent_id(self, one: object) -> object:
            return one.words if isinstance(one, Id) else None

    Saver(out, protocol=2).dump(content)
    pickle.dump(sorted(storages) if keys is None else keys, out, protocol=2)
    for key in sorted(storages):
        count, data = storages[key]
        out.write(struct.pack("<q", count) + data)
    return out.getvalue()


class Id:
    def __init__(self, *words: object) -> None:
        self.words = words


class Built:
    """A call of torch's function for tensors."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments

    def __reduce__(self) -> object:
        return torch._utils._rebuild_tensor_v2, (*self.arguments, False, collections.OrderedDict())


def storage(key: str, count: int, part: object = None, kind: str = "FloatStorage") -> Id:
    return Id("storage", getattr(torch, kind), key, "cuda:0", count, part)


DATA = struct.pack("<12f", *range(12))


def test_storages_that_are_parts_of_others(tmp_path: Path) -> None:
    """As torch before 0.4 wrote them."""
    part = storage("7", 12, ("8", 4, 6))
    content = {
        "whole": Built(storage("7", 12), 0, (3, 4), (4, 1)),
        "part": Built(part, 0, (6,), (1,)),
        "of the part": Built(part, 2, (2, 2), (1, 2)),
    }
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "pytorch_model.bin"
    path.write_bytes(in_a_row(content, {"7": (12, DATA)}))
    run(path, tmp_path / "out")
    found = load(tmp_path / "out")
    assert found["part"].tolist() == [4, 5, 6, 7, 8, 9]
    assert found["of the part"].tolist() == [[6, 8], [7, 9]]
    assert_same(found, torch.load(path, "cpu", weights_only=True))


def test_the_bytes_are_little_endian_whatever_machine_wrote_them(tmp_path: Path) -> None:
    """torch turns them when it writes, and when it reads looks at nothing."""
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "pytorch_model.bin"
    machine = {**MACHINE, "little_endian": False}
    path.write_bytes(
        in_a_row({"w": Built(storage("1", 12), 0, (12,), (1,))}, {"1": (12, DATA)}, machine=machine)
    )
    run(path, tmp_path / "out")
    assert_same(load(tmp_path / "out"), torch.load(path, "cpu", weights_only=True))
    assert load(tmp_path / "out")["w"].tolist() == list(range(12))


GOOD = {"w": Built(storage("1", 12), 0, (12,), (1,))}
ODD: dict[str, Callable[[], bytes]] = {
    "another magic number": lambda: in_a_row(GOOD, {"1": (12, DATA)}, magic=MAGIC + 1),
    "another version": lambda: in_a_row(GOOD, {"1": (12, DATA)}, version=1002),
    "a version that is a list": lambda: in_a_row(GOOD, {"1": (12, DATA)}, version=[1001]),
    "no key": lambda: in_a_row(GOOD, {"1": (12, DATA)}, keys=[]),
    "a key twice": lambda: in_a_row(GOOD, {"1": (12, DATA)}, keys=["1", "1"]),
    "a key of nothing": lambda: in_a_row(GOOD, {"1": (12, DATA), "2": (12, DATA)}),
    "keys that are a number": lambda: in_a_row(GOOD, {"1": (12, DATA)}, keys=5),
    "fewer elements": lambda: in_a_row(GOOD, {"1": (11, DATA)}),
    "more elements": lambda: in_a_row(GOOD, {"1": (2**60, DATA)}),
    "elements below zero": lambda: in_a_row(GOOD, {"1": (-1, DATA)}),
    "fewer bytes": lambda: in_a_row(GOOD, {"1": (12, DATA[:-1])}),
    "a storage of two sizes": lambda: in_a_row(
        {**GOOD, "v": Built(storage("1", 11), 0, (11,), (1,))}, {"1": (12, DATA)}
    ),
    "a storage of two types": lambda: in_a_row(
        {**GOOD, "v": Built(storage("1", 12, None, "IntStorage"), 0, (12,), (1,)),
         "u": Built(storage("1", 12, None, "DoubleStorage"), 0, (12,), (1,))}, {"1": (12, DATA)}
    ),
    "a part that reaches outside": lambda: in_a_row(
        {"w": Built(storage("1", 12, ("2", 8, 5)), 0, (5,), (1,))}, {"1": (12, DATA)}
    ),
    "a part below zero": lambda: in_a_row(
        {"w": Built(storage("1", 12, ("2", -8, 5)), 0, (5,), (1,))}, {"1": (12, DATA)}
    ),
    "a view outside its part": lambda: in_a_row(
        {"w": Built(storage("1", 12, ("2", 2, 4)), 0, (5,), (1,))}, {"1": (12, DATA)}
    ),
    "a part that is a text": lambda: in_a_row(
        {"w": Built(storage("1", 12, "abc"), 0, (5,), (1,))}, {"1": (12, DATA)}
    ),
    "an id of another kind": lambda: in_a_row({"w": Id("tensor", "1")}, {}),
    "a storage that holds itself": lambda: in_a_row(
        {"w": Id("storage", torch.FloatStorage, [1], "cpu", 12, None)}, {}
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_files_that_contradict_themselves_are_refused(case: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "pytorch_model.bin"
    path.write_bytes(ODD[case]())
    with pytest.raises(Trouble) as caught:
        run(path, tmp_path / "out")
    assert "pytorch_model.bin" in caught.value.where
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["row", "tar"])
def test_files_that_are_cut_off_are_refused_wherever_it_is(form: str, tmp_path: Path) -> None:
    content = {"w": torch.arange(40.0), "b": torch.arange(7, dtype=torch.int64)}
    path = save(tmp_path / "in", content, _use_new_zipfile_serialization=False) / "pytorch_model.bin"
    whole = path.read_bytes() if form == "row" else in_tar(content)
    # A tar file may lack its end: the zeros and the padding behind the last member say nothing.
    last = len(whole) if form == "row" else len(whole.rstrip(b"\0")) - 8
    for size in (*range(1, last, 37), last - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(Trouble) as caught:
            run(path, tmp_path / "out")
        assert caught.value.code != "internal" and "pytorch_model.bin" in caught.value.where
    path.write_bytes(whole)
    run(path, tmp_path / "out")
    assert_same(load(tmp_path / "out"), content)


# The tar file of torch before 0.1.12.

KINDS = {torch.float32: "Float", torch.int64: "Long", torch.uint8: "Byte", torch.float16: "Half"}


def in_tar(
    state: object,
    parts: list[tuple[int, int, int, int]] = [],  # noqa: B006
    *,
    protocol: int = 2,
    size_of: Callable[[int], int] = int,
    order: tuple[str, ...] = ("sys_info", "pickle", "tensors", "storages"),
) -> bytes:
    """A file as torch 0.1.9 writes it: the tensors of a state dict, each with a storage of its own."""
    tensors: dict[int, torch.Tensor] = {}
    storages: dict[int, tuple[torch.Tensor, str]] = {}

    class Saver(pickle.Pickler):
        def persistent_id(self, one: object) -> object:
            if isinstance(one, torch.Tensor):
                tensors[id(one)] = one
                return str(id(one))
            return None

    members = {name: io.BytesIO() for name in ("sys_info", "pickle", "tensors", "storages")}
    pickle.dump({**MACHINE, "protocol_version": 1000}, members["sys_info"], protocol=protocol)
    Saver(members["pickle"], protocol=protocol).dump(state)
    pickle.dump(len(tensors), members["tensors"], protocol=protocol)
    for key, tensor in tensors.items():
        base = tensor.untyped_storage().data_ptr()
        storages[base] = tensor, KINDS[tensor.dtype]
        kind = getattr(torch, KINDS[tensor.dtype] + "Tensor")
        pickle.dump((key, base, kind), members["tensors"], protocol=protocol)
        dimensions = tensor.dim()
        numbers = (*tensor.size(), *tensor.stride(), tensor.storage_offset())
        members["tensors"].write(struct.pack(f"<ii{2 * dimensions + 1}q", dimensions, 0, *numbers))
    pickle.dump(len(storages), members["storages"], protocol=protocol)
    for base, (tensor, kind) in storages.items():
        data = bytes(tensor.untyped_storage())
        entry = base, "cpu", getattr(torch, kind + "Storage")
        pickle.dump(entry, members["storages"], protocol=protocol)
        count = size_of(len(data) // tensor.element_size())
        members["storages"].write(struct.pack("<q", count) + data)
    pickle.dump(parts, members["storages"], protocol=protocol)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for name in order:
            # With a fraction of a second, for which tarfile writes a header of its own before the member.
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(members[name].getvalue()), 1480000000.25
            members[name].seek(0)
            archive.addfile(entry, members[name])
    return out.getvalue()


def tar_state() -> dict[str, object]:
    whole = torch.arange(48.0).reshape(6, 8)
    return collections.OrderedDict(
        weight=whole,
        tied=whole[1:4],
        turned=whole.t(),
        half=torch.arange(9).to(torch.float16),
        count=torch.arange(5),
        bytes=torch.arange(3, dtype=torch.uint8),
        scalar=torch.tensor([2.5]),
    )


@pytest.mark.parametrize("protocol", [1, 2])
def test_tar_files_bit_for_bit(protocol: int, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "pytorch_model.bin"
    path.write_bytes(in_tar({"state_dict": tar_state(), "epoch": 3}, protocol=protocol))
    wanted = torch.load(path, weights_only=False)["state_dict"]
    run(path, tmp_path / "out")
    assert_same(load(tmp_path / "out"), wanted)
    assert_same(load(tmp_path / "out"), tar_state())
    assert run(path, tmp_path / "out")["state"] == "unchanged"


def test_a_tar_file_with_parts_of_storages(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "pytorch_model.bin"
    whole = torch.arange(12.0)
    base = whole.untyped_storage().data_ptr()
    state = {"whole": whole}
    good = in_tar(state, [(77, base, 4, 6)])
    path.write_bytes(good)
    run(path, tmp_path / "out")
    assert_same(load(tmp_path / "out"), state)
    for odd in ([(77, base, 8, 5)], [(77, 5, 0, 1)], [(77, base, -1, 1)], [(base, base, 0, 1)], [(1, 2)]):
        path.write_bytes(in_tar(state, odd))
        with pytest.raises(Trouble):
            run(path, tmp_path / "out2")


ODD_TAR: dict[str, Callable[[], bytes]] = {
    "another number of elements": lambda: in_tar(tar_state(), size_of=lambda count: count + 1),
    "elements without end": lambda: in_tar(tar_state(), size_of=lambda count: 2**61),
    "elements below zero": lambda: in_tar(tar_state(), size_of=lambda count: -1),
    "no storages": lambda: in_tar(tar_state(), order=("sys_info", "pickle", "tensors")),
    "a member twice": lambda: in_tar(tar_state(), order=("pickle", "tensors", "storages", "pickle")),
    "other members": lambda: in_tar(tar_state(), order=("sys_info",)),
    "a command": lambda: in_tar({"w": torch.ones(2), "x": Runs()}),
    "a size that lies": lambda: sized(in_tar(tar_state()), b"77777777777\0"),
    "a size of another base": lambda: sized(in_tar(tar_state()), b"\x80" + b"\xff" * 11),
    "a size that is no number": lambda: sized(in_tar(tar_state()), b"hello world\0"),
}  # fmt: skip


def sized(data: bytes, size: bytes) -> bytes:
    """With another size of the first member."""
    at = data.index(b"sys_info\0") + 124
    return data[:at] + size + data[at + 12 :]


class Runs:
    def __reduce__(self) -> object:
        return os.system, ("touch /tmp/lingctl-ran",)


@pytest.mark.parametrize("case", ODD_TAR)
def test_tar_files_that_contradict_themselves_are_refused(case: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "pytorch_model.bin"
    path.write_bytes(ODD_TAR[case]())
    with pytest.raises(Trouble) as caught:
        run(path, tmp_path / "out")
    assert "pytorch_model.bin" in caught.value.where
    assert not (tmp_path / "out").exists() and not Path("/tmp/lingctl-ran").exists()
