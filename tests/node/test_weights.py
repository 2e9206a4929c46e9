"""weights inspect, verify, manifest, modes: on whole folders, and on every way that one can be broken."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from lingctl.node.convert.engine import convert
from lingctl.node.convert.job import Options
from lingctl.node.trouble import Trouble
from lingctl.node.weights import inspect as inspecting
from lingctl.node.weights.inspect import inspect, inspect_each
from lingctl.node.weights.manifest import (
    MANIFEST,
    current_manifest,
    digest_of,
    make_manifest,
    read_manifest,
)
from lingctl.node.weights.modes import set_modes, wrong_modes
from lingctl.node.weights.verify import Verified, verify
from lingctl.release.weights_state import weights_state
from tests.node.checkpoints import INDEX, ling, model, run, save, stopped_midway
from tests.node.test_cases import repack

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny Ling checkpoints as the hubs publish them."""
    folder = tmp_path_factory.mktemp("published")
    for name in ("lite", "plus"):
        for form in ("bin", "safetensors"):
            ling(folder / f"{name}-{form}", name, form)
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture
def copy(published: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        return Path(shutil.copytree(published[name], tmp_path / name))

    return make


def quick(folder: Path) -> Verified:
    return verify(str(folder), False, lambda event: None)


def full(folder: Path) -> Verified:
    return verify(str(folder), True, lambda event: None)


def edit_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    config.update(changes)
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v != "gone"}))


@pytest.mark.parametrize("name", ["lite-bin", "lite-safetensors", "plus-bin", "plus-safetensors"])
def test_whole_folders_are_whole(name: str, published: dict[str, Path]) -> None:
    state = weights_state(inspect(str(published[name])))
    assert (state.form, state.complete, state.problem) == (name.split("-")[1], True, "")
    assert state.config is not None and state.config["model_type"] == "bailing_moe"
    assert json.loads(state.config_text) == state.config
    heads, kv_heads, width = (16, 4, 64) if name.startswith("lite") else (56, 8, 64)
    assert state.qkv_rows == (heads + 2 * kv_heads) * width
    assert state.dense_columns == heads * width
    assert not state.has_backup
    found = full(published[name])
    assert found.problems == ()
    assert len(found.contents.tensors) == 403


def test_converted_weights_are_whole_and_readable(published: dict[str, Path], tmp_path: Path) -> None:
    convert(str(published["plus-bin"]), str(tmp_path / "out"), Options(), lambda event: None)
    state = weights_state(inspect(str(tmp_path / "out")))
    assert (state.form, state.complete, state.modes_wrong) == ("safetensors", True, ())


def test_a_width_of_heads_that_config_leaves_out_is_a_note(published: dict[str, Path]) -> None:
    assert any("heads of width 8, the weights have 64" in note for note in quick(published["plus-bin"]).notes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_hidden_layers": 1}, "config.json only 1 layers"),
        ({"num_experts": 2}, "config.json only 2 experts"),
        ({"moe_intermediate_size": 8}, "config.json means"),
    ],
)
def test_a_config_of_fewer_layers_or_experts_than_the_weights_have_is_a_contradiction(
    changes: dict[str, int], words: str, copy: Callable[[str], Path]
) -> None:
    folder = copy("lite-safetensors")
    assert weights_state(inspect(str(folder))).contradictions == ()
    edit_config(folder, **changes)
    state = weights_state(inspect(str(folder)))
    assert state.complete
    assert any(words in line for line in state.contradictions)


def test_a_backup_is_seen(copy: Callable[[str], Path]) -> None:
    folder = copy("lite-safetensors")
    shutil.copy(folder / "config.json", folder / "config.json.bak")
    assert inspect(str(folder))["has_backup"] is True


def test_a_folder_that_cannot_be_looked_at_is_not_called_missing(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for folder in (loop, loop / "below"):
        with pytest.raises(OSError):
            inspect(str(folder))


@pytest.mark.parametrize("kind", ["missing", "empty", "a file"])
def test_no_weights(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    if kind == "empty":
        folder.mkdir()
    elif kind == "a file":
        folder.write_text("x")
    state = weights_state(inspect(str(folder)))
    assert (state.form, state.complete, state.config) == ("none", False, None)
    assert state.problem
    with pytest.raises(Trouble) as caught:
        quick(folder)
    assert caught.value.exit_status == 2


def first_shard(folder: Path) -> Path:
    return folder / "model-00001-of-00002.safetensors"


def rewrite_index(folder: Path, change: Callable[[dict[str, str]], object]) -> None:
    index = json.loads((folder / INDEX).read_text())
    change(index["weight_map"])
    index["metadata"].clear()
    (folder / INDEX).write_text(json.dumps(index))


def edit_header(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a header and leave the data as they are."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def drop(folder: Path, *names: str) -> None:
    """Take tensors away, from files and index alike."""
    for path in folder.glob("*.safetensors"):
        save_file({name: tensor for name, tensor in load_file(path).items() if name not in names}, path)
    rewrite_index(folder, lambda where: [where.pop(name) for name in names])


def add(folder: Path, name: str, tensor: torch.Tensor) -> None:
    save_file(load_file(first_shard(folder)) | {name: tensor}, first_shard(folder))
    rewrite_index(folder, lambda where: where.update({name: first_shard(folder).name}))


GATE = "model.layers.0.mlp.gate.weight"
EXPERT = "model.layers.1.mlp.experts.63.down_proj.weight"


def test_each_of_several_folders_is_answered_as_it_would_be_alone(published: dict[str, Path]) -> None:
    folders = [*map(str, list(published.values())[:2]), "/nowhere"]
    told: list[Any] = []
    assert inspect_each(folders, None, told.append) == {"folders": 3}
    answers = {event["number"]: event["answer"] for event in told if event["event"] == "folder"}
    assert answers == {n: {"event": "result", **inspect(path)} for n, path in enumerate(folders)}


def test_a_folder_whose_disk_hangs_holds_up_no_other_s_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs, told = threading.Event(), queue.SimpleQueue[Any]()

    def description(folder: str, _user: object) -> dict[str, object]:
        if folder == "hangs":
            hangs.wait(60)
        if folder == "fails":
            raise Trouble("no disk", where=folder)
        return {"folder": folder}

    monkeypatch.setattr(inspecting, "inspect", description)
    folders = ["hangs", "answers", "fails"]
    asking = threading.Thread(target=inspect_each, args=(folders, None, told.put))
    asking.start()
    first = {(event := told.get(timeout=60))["number"]: event["answer"] for _ in range(2)}
    assert first[1] == {"event": "result", "folder": "answers"}
    assert (first[2]["event"], first[2]["what"]) == ("error", "no disk")
    hangs.set()
    asking.join(60)
    assert told.get(timeout=60)["number"] == 0


# What is done to lite-safetensors, what is said, and whether inspect calls it incomplete too.
BROKEN: dict[str, tuple[Callable[[Path], object], str, bool]] = {
    "a file missing": (lambda folder: first_shard(folder).unlink(), "names 1 files that are missing", True),
    "no index": (lambda folder: (folder / INDEX).unlink(), "2 files of safetensors but no", True),
    "one of many without index": (
        lambda folder: [(folder / INDEX).unlink(), first_shard(folder).unlink()],
        "1 files of safetensors but no",
        True,
    ),
    "index no JSON": (lambda folder: (folder / INDEX).write_text("{"), "not valid JSON", True),
    "index names a path": (
        lambda folder: rewrite_index(folder, lambda where: where.update(x="/etc/passwd")),
        "'/etc/passwd'",
        True,
    ),
    "index lists a ghost": (
        lambda folder: rewrite_index(folder, lambda where: where.update(ghost=first_shard(folder).name)),
        "1 tensors of the index are in no file",
        True,
    ),
    "index forgets a tensor": (
        lambda folder: rewrite_index(folder, lambda where: where.pop(GATE)),
        "not where the index says",
        True,
    ),
    "cut off": (lambda folder: os.truncate(first_shard(folder), 100_000), "size its header gives", True),
    "cut off in the header": (lambda folder: os.truncate(first_shard(folder), 500), "cut off", True),
    "empty file": (lambda folder: os.truncate(first_shard(folder), 0), "is empty", True),
    "longer than its header says": (
        lambda folder: first_shard(folder).open("ab").write(b"more"),
        "size its header gives",
        True,
    ),
    "offsets that overlap": (
        lambda folder: edit_header(first_shard(folder), lambda h: h[GATE].update(data_offsets=[0, 131072])),
        "does not begin where",
        True,
    ),
    "a shape that does not fill its bytes": (
        lambda folder: edit_header(first_shard(folder), lambda h: h[GATE].update(shape=[63, 1024])),
        "do not hold",
        True,
    ),
    "an unknown element type": (
        lambda folder: edit_header(first_shard(folder), lambda h: h[GATE].update(dtype="B17")),
        "'B17'",
        True,
    ),
    "a negative offset": (
        lambda folder: edit_header(first_shard(folder), lambda h: h[GATE].update(data_offsets=[-2, 131070])),
        f"tensor '{GATE}': -2",
        True,
    ),
    "an expert missing": (lambda folder: drop(folder, EXPERT), "1 tensors are missing", True),
    "the head missing": (lambda folder: drop(folder, "lm_head.weight"), "1 tensors are missing", True),
    "a layer beyond the config": (
        lambda folder: edit_config(folder, num_hidden_layers=1),
        "have layer 1, config.json only 1",
        False,
    ),
    "experts beyond the config": (
        lambda folder: edit_config(folder, num_experts=32),
        "have expert 63, config.json only 32",
        False,
    ),
    "a layer too few": (
        lambda folder: edit_config(folder, num_hidden_layers=3),
        "200 tensors are missing",
        True,
    ),
    "heads that do not fit": (
        lambda folder: edit_config(folder, num_key_value_heads=3),
        "16 heads and 3 KV heads do not fit",
        False,
    ),
    "another hidden size": (lambda folder: edit_config(folder, hidden_size=512), "config.json means", False),
    "another vocabulary": (
        lambda folder: edit_config(folder, vocab_size=7),
        "word_embeddings.weight is [1024",
        False,
    ),
    "another width of experts": (
        lambda folder: edit_config(folder, moe_intermediate_size=32),
        "experts.0.gate_proj",
        False,
    ),
    "a number that is none": (
        lambda folder: edit_config(folder, num_experts="many"),
        'num_experts is "many"',
        False,
    ),
    "absurd numbers": (lambda folder: edit_config(folder, num_hidden_layers=10**9), "make no sense", False),
    "a tied head": (
        lambda folder: [edit_config(folder, tie_word_embeddings=True), drop(folder, "lm_head.weight")],
        "tie_word_embeddings is true, which the overlay cannot compute",
        False,
    ),
    "a tied head that is stored": (
        lambda folder: edit_config(folder, tie_word_embeddings=True),
        "tie_word_embeddings is true",
        False,
    ),
    "biases": (lambda folder: edit_config(folder, use_qkv_bias=True), "use_qkv_bias is true", False),
    "one expert a token, normalised": (
        lambda folder: edit_config(folder, num_experts_per_tok=1),
        "one expert a token with norm_topk_prob (true)",
        False,
    ),
    "one expert a token, normalised because nothing is said": (
        lambda folder: edit_config(folder, num_experts_per_tok=1, norm_topk_prob="gone"),
        "as it is left out",
        False,
    ),
    "more experts a token than there are": (
        lambda folder: edit_config(folder, num_experts_per_tok=65),
        "65 experts a token, of 64",
        False,
    ),
    "no config": (lambda folder: (folder / "config.json").unlink(), "missing, or no JSON", False),
    "config no JSON": (
        lambda folder: (folder / "config.json").write_text("[1]"),
        "missing, or no JSON",
        False,
    ),
    "a config of more levels than every Python follows": (
        lambda folder: edit_config(folder, num_hidden_layers=json.loads("[" * 500 + "]" * 500)),
        "missing, or no JSON",
        False,
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_folders_are_told_from_whole_ones(case: str, copy: Callable[[str], Path]) -> None:
    spoil, what, incomplete = BROKEN[case]
    folder = copy("lite-safetensors")
    spoil(folder)
    found = quick(folder)
    assert any(what in str(problem) for problem in found.problems), found.problems
    assert all(problem.code for problem in found.problems)
    document = inspect(str(folder))
    assert document["complete"] is not incomplete
    if incomplete:
        assert what in str(document["problem"])


def test_a_truncated_checkpoint_is_incomplete(copy: Callable[[str], Path]) -> None:
    folder = copy("lite-bin")
    os.truncate(folder / "pytorch_model.bin", 1_000_000)
    state = weights_state(inspect(str(folder)))
    assert (state.form, state.complete) == ("bin", False)
    assert "no zip end record" in state.problem


def test_an_unfinished_conversion_is_incomplete(tmp_path: Path) -> None:
    source = save(tmp_path / "in", model())
    run(source, tmp_path / "out")
    (tmp_path / "out" / INDEX).unlink()
    state = weights_state(inspect(str(tmp_path / "out")))
    assert (state.form, state.complete) == ("safetensors", False)
    assert "was not finished" in state.problem


HARMLESS: dict[str, tuple[Callable[[Path], object], str]] = {
    "aliases of the base model": (
        lambda folder: edit_config(
            folder, num_experts="gone", num_shared_experts="gone", n_routed_experts=64, n_shared_experts=2
        ),
        "",
    ),
    "one expert a token, not normalised": (
        lambda folder: edit_config(folder, num_experts_per_tok=1, norm_topk_prob=False),
        "",
    ),
    "head_dim 0": (lambda folder: edit_config(folder, head_dim=0), ""),
    "head_dim null": (lambda folder: edit_config(folder, head_dim=None), ""),
    "another type": (lambda folder: edit_config(folder, torch_dtype="float16"), "403 tensors are BF16"),
    "a tensor nobody reads": (
        lambda folder: add(folder, "model.layers.0.attention.rotary_emb.inv_freq", torch.zeros(8)),
        "1 tensors that",
    ),
    "a wrong total_size": (
        lambda folder: (folder / INDEX).write_text(
            (folder / INDEX).read_text().replace('"total_size": ', '"total_size": 1')
        ),
        "gives a total_size",
    ),
    "another family": (
        lambda folder: edit_config(folder, architectures=["BailingMoeV2ForCausalLM"]),
        "tensors not compared",
    ),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_is_odd_but_harmless_is_no_problem(case: str, copy: Callable[[str], Path]) -> None:
    change, note = HARMLESS[case]
    folder = copy("lite-safetensors")
    change(folder)
    found = quick(folder)
    assert found.problems == ()
    assert any(note in text for text in found.notes) if note else not found.notes
    assert inspect(str(folder))["complete"] is True


# Manifest


def test_manifest_agrees_with_sha256sum(copy: Callable[[str], Path]) -> None:
    folder = copy("lite-safetensors")
    result = make_manifest(str(folder), lambda event: None)
    names = sorted([*(path.name for path in folder.glob("*.safetensors")), INDEX])
    printed = subprocess.run(["sha256sum", *names], cwd=folder, capture_output=True, check=True).stdout
    assert result["digest"] == hashlib.sha256(printed).hexdigest()
    assert digest_of(read_manifest(str(folder)) or {}) == result["digest"]
    assert inspect(str(folder))["digest"] == result["digest"]
    assert quick(folder).digest == full(folder).digest == result["digest"]


def test_manifests_tell_weights_apart_and_only_weights(copy: Callable[[str], Path], tmp_path: Path) -> None:
    one = copy("lite-safetensors")
    two = Path(shutil.copytree(one, tmp_path / "two"))
    first = make_manifest(str(one), lambda event: None)
    edit_config(two, head_dim=64)
    second = make_manifest(str(two), lambda event: None)
    assert first["digest"] == second["digest"]
    assert first["companions_digest"] != second["companions_digest"]
    data = bytearray(first_shard(two).read_bytes())
    data[-1] ^= 1
    first_shard(two).write_bytes(data)
    assert make_manifest(str(two), lambda event: None)["digest"] != first["digest"]


def test_manifest_reads_each_file_once(copy: Callable[[str], Path]) -> None:
    folder = copy("lite-safetensors")
    first = make_manifest(str(folder), lambda event: None)
    assert first["read"] == first["files"]
    assert make_manifest(str(folder), lambda event: None)["read"] == 0
    os.utime(first_shard(folder))
    assert current_manifest(str(folder)) is None
    assert make_manifest(str(folder), lambda event: None)["read"] == 1


def test_a_killed_manifest_goes_on(tmp_path: Path, pyz: Path) -> None:
    for number in range(60):
        path = tmp_path / f"model-{number:05d}.safetensors"
        path.touch()
        os.truncate(path, 8_000_000 + number)
    command = [sys.executable, str(pyz), "weights", "manifest", str(tmp_path)]
    manifest = tmp_path / MANIFEST
    output = stopped_midway(command, manifest.exists, signal.SIGKILL, manifest.unlink)
    assert output.startswith(f"-{signal.SIGKILL.value} ")
    kept = len(read_manifest(str(tmp_path)) or {})
    assert 0 < kept < 60
    again = make_manifest(str(tmp_path), lambda event: None)
    assert (again["files"], again["read"]) == (60, 60 - kept)
    (tmp_path / MANIFEST).unlink()
    assert make_manifest(str(tmp_path), lambda event: None)["digest"] == again["digest"]


@pytest.mark.parametrize("look", [quick, full])
@pytest.mark.parametrize("text", ["", '{"version": 1, "files"', '{"version": 2, "files": {}}', "[]"])
def test_a_manifest_that_cannot_be_read_is_not_taken_for_none(
    text: str, look: Callable[[Path], Verified], copy: Callable[[str], Path]
) -> None:
    folder = copy("lite-safetensors")
    (folder / MANIFEST).write_text(text)
    found = look(folder)
    assert (found.state, found.problems) == ("unknown", ())
    assert [trouble.code for trouble in found.unknown] == ["manifest-unread"]
    assert not any("no manifest" in note for note in found.notes)
    make_manifest(str(folder), lambda event: None)
    assert look(folder).state == "sound"


def test_a_flipped_bit_is_found_by_reading_everything(copy: Callable[[str], Path]) -> None:
    folder = copy("lite-safetensors")
    make_manifest(str(folder), lambda event: None)
    state = first_shard(folder).stat()
    data = bytearray(first_shard(folder).read_bytes())
    data[-100] ^= 4
    first_shard(folder).write_bytes(data)
    os.utime(first_shard(folder), ns=(state.st_atime_ns, state.st_mtime_ns))
    assert quick(folder).problems == ()
    (problem,) = full(folder).problems
    assert (problem.where, problem.code) == (first_shard(folder).name, "file-differs")


def test_a_flipped_bit_in_a_checkpoint_is_found_without_a_manifest(copy: Callable[[str], Path]) -> None:
    folder = copy("lite-bin")
    path = folder / "pytorch_model.bin"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    assert quick(folder).problems == ()
    (problem,) = full(folder).problems
    assert problem.code == "record-damaged"
    assert "model.layers." in problem.what


def test_a_flipped_bit_in_a_deflated_member_is_found_too(tmp_path: Path) -> None:
    path = save(tmp_path, model()) / "pytorch_model.bin"
    repack(path, zipfile.ZIP_DEFLATED)
    assert full(tmp_path).state == "sound"
    with zipfile.ZipFile(path) as archive:
        (member,) = [one for one in archive.infolist() if one.filename.endswith("/data/3")]
    data = bytearray(path.read_bytes())
    data[member.header_offset + 30 + len(member.filename) + member.compress_size // 2] ^= 4
    path.write_bytes(data)
    assert quick(tmp_path).problems == ()
    (problem,) = full(tmp_path).problems
    assert problem.code == "record-damaged"
    assert "/data/3" in problem.where


def test_a_tensor_that_the_index_leaves_out_is_read_too_and_damage_in_it_is_told(tmp_path: Path) -> None:
    path = save(tmp_path, {**model(), "rotary.inv_freq": torch.ones(64)}) / "pytorch_model.bin"
    index = {"metadata": {}, "weight_map": dict.fromkeys(model(), path.name)}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    assert full(tmp_path).state == "sound"
    data = path.read_bytes()
    ones = torch.ones(64).numpy().tobytes()
    path.write_bytes(data.replace(ones, bytes([ones[0] ^ 1]) + ones[1:]))
    (problem,) = full(tmp_path).problems
    assert (problem.code, problem.what.partition(" is")[0]) == ("record-damaged", "a tensor")


@pytest.mark.parametrize("look", [quick, full])
def test_a_file_of_the_manifest_that_cannot_be_looked_at_is_not_called_missing(
    look: Callable[[Path], Verified], copy: Callable[[str], Path]
) -> None:
    folder = copy("lite-safetensors")
    (folder / "extra").mkdir()
    notes = folder / "extra" / "notes.dat"
    notes.write_text("as it was")
    make_manifest(str(folder), lambda event: None)
    notes.unlink()
    (problem,) = look(folder).problems
    assert (problem.where, problem.code) == ("extra/notes.dat", "file-missing")
    notes.symlink_to(notes.name)
    with pytest.raises(OSError, match="symbolic links"):
        look(folder)


def test_what_deploy_changes_is_a_note(copy: Callable[[str], Path]) -> None:
    folder = copy("plus-safetensors")
    make_manifest(str(folder), lambda event: None)
    shutil.copy(folder / "config.json", folder / "config.json.bak")
    edit_config(folder, head_dim=64)
    found = full(folder)
    assert found.problems == ()
    assert any("config.json was changed" in note for note in found.notes)
    (folder / "tokenizer.json").write_text("{}")
    assert [problem.where for problem in full(folder).problems] == ["tokenizer.json"]
    assert [problem.where for problem in quick(folder).problems] == ["tokenizer.json"]
    (folder / "tokenizer.json").unlink()
    assert [problem.what for problem in quick(folder).problems] == ["is missing"]


# Modes


def test_modes_are_named_and_set(copy: Callable[[str], Path]) -> None:
    folder = copy("lite-safetensors")
    (folder / "sub").mkdir(mode=0o777)
    (folder / "sub" / "a.py").write_text("pass\n")
    set_modes(str(folder))
    assert wrong_modes(str(folder)) == ()
    (folder / "config.json").chmod(0o644)
    (folder / "tokenizer.json").chmod(0o660)
    (folder / "sub").chmod(0o777)
    (folder / "sub" / "a.py").chmod(0o750)
    (folder / ".hidden").write_text("x")
    (folder / ".hidden").chmod(0o666)
    assert {entry.name for entry in wrong_modes(str(folder))} == {
        "config.json",
        "tokenizer.json",
        "sub",
        "sub/a.py",
    }
    assert weights_state(inspect(str(folder))).modes_wrong == (
        "config.json",
        "tokenizer.json",
        "sub",
        "sub/a.py",
    )
    result = set_modes(str(folder))
    assert sorted(result["changed"]) == ["config.json", "sub", "sub/a.py", "tokenizer.json"]  # type: ignore[call-overload]
    assert wrong_modes(str(folder)) == ()
    assert (folder / "sub").stat().st_mode & 0o777 == 0o750
    assert (folder / "config.json").stat().st_mode & 0o777 == 0o640


def test_a_link_that_cannot_be_followed_is_not_left_out_of_the_modes(copy: Callable[[str], Path]) -> None:
    folder = copy("lite-safetensors")
    (folder / "extra").mkdir()
    (folder / "extra" / "notes.dat").symlink_to("notes.dat")
    for look in (wrong_modes, set_modes):
        with pytest.raises(OSError, match="symbolic links"):
            look(str(folder))


def test_links_are_not_followed_when_modes_are_set(copy: Callable[[str], Path], tmp_path: Path) -> None:
    folder = copy("lite-safetensors")
    set_modes(str(folder))
    outside = tmp_path / "outside"
    outside.write_text("x")
    outside.chmod(0o644)
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").symlink_to(outside)
    with pytest.raises(Trouble, match="is a link"):
        set_modes(str(folder))
    assert outside.stat().st_mode & 0o777 == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_owner_is_the_one_who_runs_mindie(copy: Callable[[str], Path]) -> None:
    folder = copy("lite-safetensors")
    set_modes(str(folder))
    assert wrong_modes(str(folder), 0) == ()
    assert len(wrong_modes(str(folder), 1001)) == len([folder, *folder.iterdir()])
    assert all("belongs to user 0, not to 1001" in entry.reason for entry in wrong_modes(str(folder), 1001))
    set_modes(str(folder), 1001)
    assert wrong_modes(str(folder), 1001) == ()
    assert wrong_modes(str(folder), 0) == ()


def test_a_file_that_changes_while_it_is_summed_is_named(copy: Callable[[str], Path]) -> None:
    folder = copy("lite-safetensors")

    def meddle(event: object) -> None:
        for path in folder.iterdir():
            os.utime(path, ns=(1, time.time_ns()))

    with pytest.raises(Trouble, match="changed while it was read"):
        make_manifest(str(folder), meddle)
