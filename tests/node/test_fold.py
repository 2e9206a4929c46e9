"""The head's normalisation folded into its file: against torch, killed, beside an original that stays."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lingctl.node.fold import columns
from lingctl.node.fold import head as head_file
from lingctl.node.fold.folder import fold
from lingctl.node.trouble import Trouble
from tests.node import folders
from tests.node.checkpoints import INDEX, load, stopped_midway

pytestmark = pytest.mark.torch

HEAD = "lm_head.weight"
TYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}


def bytes_of(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().view(torch.uint8).numpy().tobytes()


def as_published(weight: torch.Tensor) -> torch.Tensor:
    """NormHead of the published modelling code, in float32, its norms summed in double precision."""
    wide = weight.float()
    length = torch.norm(wide.double(), p=2, dim=0, keepdim=True).float() + 1e-7
    return (wide / length).to(weight.dtype)


def head(rows: int, width: int, dtype: torch.dtype, seed: int = 7) -> torch.Tensor:
    """Columns whose lengths go over eight powers of ten, and one of zeros."""
    torch.manual_seed(seed)
    scales = 10 ** torch.linspace(-4, 4, width)
    scales = scales if dtype is not torch.float16 else scales.clamp(1e-3, 1e3)
    weight = torch.randn(rows, width) * scales
    weight[:, width // 2] = 0
    return weight.to(dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("rows", "width"), [(1, 1), (33, 8), (700, 96)])
def test_it_is_bit_for_bit_what_torch_computes(dtype: str, rows: int, width: int) -> None:
    weight = head(rows, width, TYPES[dtype])
    data = bytes_of(weight)
    lengths = [0.0] * width
    step = 10 * width * columns.BYTES[dtype]
    for at in range(0, len(data), step):
        lengths = columns.lengthened(lengths, columns.read_floats(data[at : at + step], dtype))
    by = columns.divisors(lengths)
    folded = columns.write_floats(columns.divided(columns.read_floats(data, dtype), by), dtype)
    assert folded == bytes_of(as_published(weight))


def test_every_number_of_16_bits_is_read_and_rounded_as_torch_does() -> None:
    every = torch.arange(65536, dtype=torch.int32).to(torch.int16)
    for dtype in ("BF16", "F16"):
        finite = every.view(TYPES[dtype])
        finite = finite[torch.isfinite(finite.float())]
        found = columns.read_floats(bytes_of(finite), dtype)
        assert torch.equal(torch.tensor(found), finite.float())
        # Between two of them, where a tie goes to the even one; what overflows is no quotient by a norm.
        between = (finite.float() * (1 + 2.0**-9)).clamp(-60000, 60000)
        assert columns.write_floats(columns.read_floats(bytes_of(between), "F32"), dtype) == bytes_of(
            between.to(TYPES[dtype])
        )


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """Two files of weights with a random head, what goes with them, and a config.json that says norm_head."""
    source = folders.config(tmp_path / "Ling_lite", norm_head=True)
    paths = folders.write_shards(source, folders.shapes())
    for path in paths:
        head_of = find(path)
        if head_of is not None:
            with path.open("r+b") as file:
                file.seek(head_of)
                file.write(bytes_of(head(16, 8, torch.bfloat16)))
    (source / "tokenizer.json").write_text("{}")
    return source


def find(path: Path) -> int | None:
    try:
        return head_file.find_head(str(path)).first
    except Trouble:
        return None


def report(_: object) -> None:
    pass


def test_only_the_file_of_the_head_is_written_and_all_else_is_the_original_s(
    original: Path,
) -> None:
    target = original.with_name("folded")
    before = {path.name: path.read_bytes() for path in original.iterdir()}
    summary = fold(str(original), str(target), report)
    assert (summary["state"], summary["rows"], summary["columns"], summary["dtype"]) == (
        "folded",
        16,
        8,
        "BF16",
    )
    assert {path.name: path.read_bytes() for path in original.iterdir()} == before
    was, now = load(original), load(target)
    assert torch.equal(now.pop(HEAD), as_published(was.pop(HEAD)))
    assert was.keys() == now.keys() and all(torch.equal(was[name], now[name]) for name in was)
    told = json.loads((target / "config.json").read_text())
    assert told == {**json.loads(before["config.json"]), "norm_head": False}
    assert (target / INDEX).read_bytes() == before[INDEX]
    other = next(name for name in before if name.endswith(".safetensors") and name != summary["file"])
    assert (target / other).samefile(original / other)
    assert not (target / "tokenizer.json").samefile(original / "tokenizer.json")


def test_a_second_run_notices_the_first_and_folding_what_is_folded_changes_nothing(original: Path) -> None:
    target = original.with_name("folded")
    fold(str(original), str(target), report)
    written = {path.name: path.stat().st_mtime_ns for path in target.iterdir()}
    assert fold(str(original), str(target), report)["state"] == "unchanged"
    assert {path.name: path.stat().st_mtime_ns for path in target.iterdir()} == written
    assert fold(str(target), str(original.with_name("again")), report)["state"] == "not-needed"
    # With the key put back, as for an engine that normalises: it finds columns of length 1.
    folders.config(target, norm_head=True)
    again = fold(str(target), str(original.with_name("again")), report)
    assert "length 1 already" in str(again["notes"])
    lengths = torch.norm(load(original.with_name("again"))[HEAD].float(), dim=0)
    assert ((lengths - 1).abs() < 2**-8)[lengths > 0].all()


@pytest.mark.parametrize(
    ("breaking", "code"),
    [
        (lambda source: folders.config(source, norm_head=True, tie_word_embeddings=True), "head-unfit"),
        (lambda source: (source / "config.json").unlink(), "model-config-missing"),
        (lambda source: put(source, b"\x80\x7f"), "head-not-finite"),
        (lambda source: put(source, b"\xc0\x7f"), "head-not-finite"),
    ],
    ids=["tied", "no config", "infinite", "no number"],
)
def test_what_cannot_be_folded_is_refused_and_nothing_looks_whole(original: Path, breaking, code) -> None:
    breaking(original)
    target = original.with_name("folded")
    with pytest.raises(Trouble) as told:
        fold(str(original), str(target), report)
    assert told.value.code == code
    assert not list(target.glob("*00001*")) or not list(target.glob("*00002*"))


def put(source: Path, value: bytes) -> None:
    for path in source.glob("*.safetensors"):
        if (at := find(path)) is not None:
            with path.open("r+b") as file:
                file.seek(at)
                file.write(value)


def test_another_output_is_not_written_over_unless_asked(original: Path) -> None:
    target = original.with_name("folded")
    fold(str(original), str(target), report)
    put(original, b"\x00\x40")  # other weights now
    with pytest.raises(Trouble) as told:
        fold(str(original), str(target), report)
    assert told.value.code == "output-differs"
    fold(str(original), str(target), report, force=True)
    assert torch.equal(load(target)[HEAD], as_published(load(original)[HEAD]))


@pytest.mark.parametrize("output", ["inside", ".", "above"])
def test_the_output_is_never_the_original_nor_around_it(original: Path, output: str) -> None:
    target = {"inside": original / "x", ".": original, "above": original.parent}[output]
    with pytest.raises(Trouble) as told:
        fold(str(original), str(target), report)
    assert told.value.code == "target-in-source"


def test_where_the_file_system_has_no_links_the_files_are_copied(original: Path, monkeypatch) -> None:
    def refuses(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuses)
    fold(str(original), str(original.with_name("folded")), report)
    was, now = load(original), load(original.with_name("folded"))
    assert all(torch.equal(was[name], now[name]) for name in was if name != HEAD)


@pytest.mark.parametrize("sum_sees_it", [True, False])
def test_what_the_disk_does_not_give_back_is_noticed(original: Path, monkeypatch, sum_sees_it: bool) -> None:
    """By the sum of what was written, and by the lengths of the columns besides."""

    def reads_back(descriptor: int, place: head_file.HeadPlace) -> Iterator[tuple[int, bytes]]:
        for at, data in blocks(descriptor, place):
            flipped = bytes([data[0], data[1] ^ 0x40]) + data[2:]
            yield at, flipped if ".part" in place.path else data

    blocks = head_file._blocks
    monkeypatch.setattr(head_file, "_blocks", reads_back)
    if not sum_sees_it:
        monkeypatch.setattr(head_file.zlib, "crc32", lambda _, before=0: before)
    with pytest.raises(Trouble) as told:
        fold(str(original), str(original.with_name("folded")), report)
    assert told.value.code == "output-differs"
    assert ("CRC" in told.value.evidence) is sum_sees_it
    assert not list(original.with_name("folded").glob(".*.part"))


def test_a_run_that_is_killed_leaves_no_whole_model_and_the_next_goes_on(tmp_path: Path, pyz: Path) -> None:
    source = folders.config(tmp_path / "in", norm_head=True, vocab_size=200_000)
    shapes = {**folders.shapes(), HEAD: (200_000, 8), "model.word_embeddings.weight": (200_000, 8)}
    folders.write_shards(source, shapes)
    target = tmp_path / "out"
    command = [sys.executable, str(pyz), "fold", str(source), str(target)]

    def writes_the_head() -> bool:
        return bool(list(target.glob(".model-*.part")))

    stopped_midway(command, writes_the_head, signal.SIGKILL, lambda: shutil.rmtree(target))
    assert len(list(target.glob("*.safetensors"))) == 1
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert '"state":"folded"' in done.stdout
    assert not [path.name for path in target.iterdir() if path.name.endswith((".part", ".lock"))]
    assert sorted(load(target)) == sorted(shapes)


def test_a_file_that_ends_while_it_is_measured_is_told_with_its_name_and_what_to_do(tmp_path: Path) -> None:
    folders.write(tmp_path / "model.safetensors", {HEAD: (64, 8)})
    place = head_file.find_head(str(tmp_path / "model.safetensors"))
    os.truncate(place.path, place.first + 10)
    with pytest.raises(Trouble) as caught:
        head_file.measure(place, lambda count: None)
    assert (caught.value.code, caught.value.where) == ("source-changed", place.path)
    assert "wait until nobody writes" in caught.value.remedy
