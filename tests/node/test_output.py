"""What a conversion takes and leaves: files, index, companions, modes, progress."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lingctl.node.checkpoint.dtypes import BY_NAME
from lingctl.node.checkpoint.folder import Checkpoint
from lingctl.node.checkpoint.record import Record
from lingctl.node.checkpoint.torch_file import TorchFile
from lingctl.node.checkpoint.views import View
from lingctl.node.convert.engine import default_target
from lingctl.node.convert.plan import plan_shards
from lingctl.node.convert.program import parse_size
from lingctl.node.trouble import Trouble
from tests.node.checkpoints import INDEX, assert_same, load, model, run, save

pytestmark = pytest.mark.torch

PUBLISHED = (
    "README.md",
    "LICENCE",
    "configuration.json",
    "configuration_bailing_moe.py",
    "modeling_bailing_moe.py",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "ant-bailing.png",
)


def weight_map(folder: Path) -> dict[str, str]:
    return json.loads((folder / INDEX).read_text())["weight_map"]


def split(folder: Path, parts: int = 3) -> dict[str, torch.Tensor]:
    """A checkpoint in many files with an index, as Hugging Face writes it."""
    folder.mkdir()
    tensors = model()
    names = list(tensors)
    where: dict[str, str] = {}
    for part in range(parts):
        file = f"pytorch_model-{part + 1:05d}-of-{parts:05d}.bin"
        held = {name: tensors[name] for name in names[part::parts]}
        torch.save(held, folder / file)
        where.update(dict.fromkeys(held, file))
    index = {"metadata": {"total_size": 1}, "weight_map": where}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    return tensors


def test_all_that_is_no_weights_goes_along(tmp_path: Path) -> None:
    source = save(tmp_path / "in", model())
    for name in PUBLISHED:
        (source / name).write_bytes(os.urandom(100))
    (source / "examples").mkdir()
    (source / "examples" / "chat.py").write_text("pass\n")
    for name in (
        "training_args.bin",
        "optimizer.pt",
        "old.safetensors.part",
        ".gitattributes",
        "x.bin.index.json",
    ):
        (source / name).write_text("no")
    (source / ".git").mkdir()
    (source / ".git" / "config").write_text("no")
    elsewhere = tmp_path / "blob"
    elsewhere.write_text("linked")
    (source / "vocab.txt").symlink_to(elsewhere)
    summary = run(source, tmp_path / "out")
    wanted = {*PUBLISHED, "config.json", "examples/chat.py", "vocab.txt"}
    target = tmp_path / "out"
    found = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert found == wanted | {INDEX, "model-00001-of-00001.safetensors", ".lingctl-convert.json"}
    assert summary["companions"] == len(wanted)
    for name in wanted:
        assert (target / name).read_bytes() == (source / name).read_bytes()
        assert not (target / name).is_symlink()


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_modes_are_what_mindie_demands_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    source = save(tmp_path / "in", model())
    (source / "sub").mkdir()
    (source / "sub" / "a.py").write_text("pass\n")
    before = os.umask(umask)
    try:
        run(source, tmp_path / "out")
    finally:
        os.umask(before)
    target = tmp_path / "out"
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (target, *target.rglob("*"))}
    assert {path: mode for path, mode in modes.items() if mode != (0o750 if path.is_dir() else 0o640)} == {}


def test_many_files_with_an_index(tmp_path: Path) -> None:
    tensors = split(tmp_path / "in")
    summary = run(tmp_path / "in", tmp_path / "out", max_shard_size=40_000)
    assert summary["tensors"] == len(tensors)
    assert_same(load(tmp_path / "out"), tensors)
    assert not list((tmp_path / "out").glob("*.bin*"))


def forget_file(folder: Path) -> None:
    (folder / "pytorch_model-00002-of-00003.bin").unlink()


def rewrite(folder: Path, change: Callable[[dict[str, str]], object]) -> None:
    path = folder / "pytorch_model.bin.index.json"
    index = json.loads(path.read_text())
    change(index["weight_map"])
    path.write_text(json.dumps(index))


def swap_files(where: dict[str, str]) -> None:
    first, second = "model.norm.weight", "lm_head.weight"
    assert where[first] != where[second]
    where[first], where[second] = where[second], where[first]


BAD_INDEXES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "a file missing": (forget_file, "names 1 files that are missing", "pytorch_model-00002-of-00003.bin"),
    "a tensor unlisted": (
        lambda folder: rewrite(folder, lambda where: where.pop("model.norm.weight")),
        "1 tensors are not where the index says",
        "model.norm.weight",
    ),
    "a tensor too many": (
        lambda folder: rewrite(folder, lambda where: where.update(ghost="pytorch_model-00001-of-00003.bin")),
        "1 tensors of the index are not in the file that it names",
        "ghost",
    ),
    "a tensor elsewhere": (
        lambda folder: rewrite(folder, swap_files),
        "2 tensors of the index are not in the file that it names",
        "there is model.norm.weight (in",
    ),
    "a path upwards": (
        lambda folder: rewrite(folder, lambda where: where.update(ghost="../secret.bin")),
        "'../secret.bin'",
        "",
    ),
    "no JSON": (
        lambda folder: (folder / "pytorch_model.bin.index.json").write_text("{,"),
        "not valid JSON",
        "",
    ),
    "no map": (
        lambda folder: (folder / "pytorch_model.bin.index.json").write_text("{}"),
        "no weight_map",
        "",
    ),
    "the same key twice": (
        lambda folder: (folder / "pytorch_model.bin.index.json").write_text(
            '{"weight_map":{"a":"b","a":"c"}}'
        ),
        "the key 'a' is there twice",
        "",
    ),
    "no index": (
        lambda folder: (folder / "pytorch_model.bin.index.json").unlink(),
        "3 files of weights but no",
        "",
    ),
}


@pytest.mark.parametrize("case", BAD_INDEXES)
def test_an_index_that_does_not_fit_is_refused_before_the_first_byte(case: str, tmp_path: Path) -> None:
    spoil, what, evidence = BAD_INDEXES[case]
    split(tmp_path / "in")
    spoil(tmp_path / "in")
    with pytest.raises(Trouble) as caught:
        run(tmp_path / "in", tmp_path / "out")
    assert what in caught.value.what
    assert evidence in caught.value.evidence
    assert not (tmp_path / "out").exists()


def test_layers_per_shard_cuts_as_upstream_does(tmp_path: Path) -> None:
    source = save(tmp_path / "in", model(layers=28, hidden=8))
    run(source, tmp_path / "out", layers_per_shard=8)
    where = weight_map(tmp_path / "out")
    for name, file in where.items():
        parts = name.split(".")
        number = int(parts[2]) // 8 if parts[1] == "layers" else 3
        assert file == f"model-{number + 1:05d}-of-00004.safetensors", name
    assert_same(load(tmp_path / "out"), model(layers=28, hidden=8))


def test_no_file_is_larger_than_asked_unless_one_tensor_is(tmp_path: Path) -> None:
    tensors = model() | {"large": torch.zeros(50_000, dtype=torch.uint8)}
    run(save(tmp_path / "in", tensors), tmp_path / "out", max_shard_size=30_000)
    for file in (tmp_path / "out").glob("*.safetensors"):
        held = load_file(file)
        size = sum(tensor.numel() * tensor.element_size() for tensor in held.values())
        assert size <= 30_000 or list(held) == ["large"]
    assert_same(load(tmp_path / "out"), tensors)


def test_data_are_aligned_for_whoever_maps_them(tmp_path: Path) -> None:
    run(save(tmp_path / "in", model()), tmp_path / "out")
    (file,) = (tmp_path / "out").glob("*.safetensors")
    assert (8 + int.from_bytes(file.read_bytes()[:8], "little")) % 64 == 0


def test_a_single_file_may_be_named(tmp_path: Path) -> None:
    source = save(tmp_path / "in", model())
    (source / "pytorch_model.bin").rename(source / "epoch3.ckpt")
    run(source / "epoch3.ckpt", tmp_path / "out")
    assert_same(load(tmp_path / "out"), model())
    assert (tmp_path / "out" / "config.json").exists()
    assert default_target(str(source / "epoch3.ckpt")) == f"{source}_safetensor"


def test_default_target_is_the_readmes() -> None:
    assert default_target("/models/Ling_lite/") == "/models/Ling_lite_safetensor"


def test_safetensors_need_no_conversion(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    save_file(model(), tmp_path / "in" / "model.safetensors", metadata={"format": "pt"})
    summary = run(tmp_path / "in", tmp_path / "out")
    assert (summary["state"], summary["tensors"]) == ("not-needed", len(model()))
    assert not (tmp_path / "out").exists()


def test_our_own_output_needs_no_conversion(tmp_path: Path) -> None:
    run(save(tmp_path / "in", model()), tmp_path / "out", max_shard_size=30_000)
    assert run(tmp_path / "out", tmp_path / "again")["state"] == "not-needed"


def test_safetensors_that_are_not_whole_are_an_error(tmp_path: Path) -> None:
    run(save(tmp_path / "in", model()), tmp_path / "out", max_shard_size=30_000)
    (tmp_path / "out" / sorted(set(weight_map(tmp_path / "out").values()))[1]).unlink()
    with pytest.raises(Trouble, match="names 1 files that are missing"):
        run(tmp_path / "out", tmp_path / "again")


PLACES: dict[str, Callable[[Path], tuple[Path, Path]]] = {
    "no source": (lambda folder: (folder / "none", folder / "out")),
    "empty source": (lambda folder: (_made(folder / "empty"), folder / "out")),
    "output inside the source": (lambda folder: (folder / "in", folder / "in" / "out")),
    "output is the source": (lambda folder: (folder / "in", folder / "in")),
    "output is the source by a link": (lambda folder: (folder / "in", _link(folder / "link", folder / "in"))),
    "output is a file": (lambda folder: (folder / "in", _file(folder / "file"))),
}


def _made(path: Path) -> Path:
    path.mkdir()
    return path


def _link(path: Path, to: Path) -> Path:
    path.symlink_to(to)
    return path


def _file(path: Path) -> Path:
    path.write_text("x")
    return path


@pytest.mark.parametrize("case", PLACES)
def test_places_that_cannot_be_are_usage_errors(case: str, tmp_path: Path) -> None:
    save(tmp_path / "in", model())
    source, target = PLACES[case](tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Trouble) as caught:
        run(source, target)
    assert caught.value.exit_status == 2
    assert caught.value.remedy
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("5GB", 5 * 10**9),
        ("5gb", 5 * 10**9),
        ("500M", 5 * 10**8),
        ("2GiB", 2 << 30),
        ("1.5T", 15 * 10**11),
        ("4096", 4096),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "five", "5 XB", "-5GB", "0", "999", "5iB", "1e9", "9" * 400 + "T", "5\u212a"]
)
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(Trouble) as caught:
        parse_size(text)
    assert caught.value.exit_status == 2


def test_progress_counts_every_byte_and_never_falls(tmp_path: Path) -> None:
    source = save(tmp_path / "in", {f"w{n}": torch.rand(400_000) for n in range(8)})
    events: list[dict] = []
    summary = run(source, tmp_path / "out", events.append, max_shard_size=2_000_000)
    for task in ("write shards", "verify shards"):
        amounts = [event["done"] for event in events if event["task"] == task]
        assert amounts == sorted(amounts)
        assert amounts[-1] == summary["bytes"] == events[-1]["total"]


@pytest.mark.parametrize(
    ("tensors", "megabytes", "largest", "files"),
    [(4, 10, "5GB", 1), (40, 10, "5GB", 2), (2800, 12, "5GB", 8), (2800, 12, "9GB", 4), (3, 400, "1GB", 2)],
)
def test_large_models_are_cut_into_an_even_number_of_like_files(
    tensors: int, megabytes: int, largest: str, files: int
) -> None:
    """Nothing is written: 33.6 GB are planned here."""
    size = megabytes * 1_000_000
    record = Record("a.bin", "a/data/0", 0, size, 0, 1)
    tensor = View(record, BY_NAME["uint8"], 0, (size,), (1,))
    held = {f"w{number}": tensor for number in range(tensors)}
    file = TorchFile("a.bin", held, (record,), "", (), (), False, True, "fingerprint", "state")
    plan = plan_shards(Checkpoint("a", (file,), "fingerprint", (), ()), parse_size(largest), None)
    assert len(plan.shards) == files
    assert sum(len(shard.items) for shard in plan.shards) == tensors
    sizes = [shard.size for shard in plan.shards]
    assert max(sizes) - min(sizes) <= size + 100_000
    assert max(sizes) <= parse_size(largest)
