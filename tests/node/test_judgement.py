"""What a folder holds: adapters, states, copies, pointers and pages beside the weights or in their place."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lingctl.node.convert.engine import convert
from lingctl.node.convert.job import Options
from lingctl.node.fetch.have import whole_folder
from lingctl.node.trouble import Trouble
from lingctl.node.weights.inspect import inspect
from lingctl.node.weights.judgement import FolderEvidence, sets_of
from lingctl.node.weights.present import Present
from lingctl.node.weights.verify import Verified, verify
from tests.node.folders import (
    APPLE_DOUBLE,
    INDEX,
    LORA,
    PAGE,
    POINTER,
    config,
    shapes,
    write,
    write_shards,
)


def look(folder: Path) -> Verified:
    return verify(str(folder), False, lambda event: None)


def single(folder: Path) -> None:
    write(folder / "model.safetensors", shapes())


def shards(folder: Path) -> None:
    write_shards(folder, shapes())


def companions(folder: Path) -> None:
    """What macOS writes beside each file when a folder is copied to a foreign disk."""
    for path in list(folder.iterdir()):
        (folder / f"._{path.name}").write_bytes(APPLE_DOUBLE)


# What is there beside whole weights, and the words that name it.
BESIDE: dict[str, tuple[Callable[[Path], object], str]] = {
    "an adapter by its name": (
        lambda folder: write(folder / "adapter_model.safetensors", {}),
        "adapter_model.safetensors (an adapter",
    ),
    "an adapter by its tensors": (
        lambda folder: write(folder / "my-finetune.safetensors", LORA),
        "my-finetune.safetensors (an adapter",
    ),
    "states of a training": (
        lambda folder: [
            (folder / name).write_bytes(b"x")
            for name in ("optimizer.pt", "training_args.bin", "rng_state_0.pth", "zero_pp_rank_0_states.pt")
        ],
        "optimizer.pt, rng_state_0.pth, training_args.bin, zero_pp_rank_0_states.pt (a state of a training",
    ),
    "states of a training as safetensors": (
        lambda folder: write(folder / "optimizer.safetensors", {"exp_avg": (2,)}),
        "optimizer.safetensors (a state of a training",
    ),
    "a copy as its publisher has it": (
        lambda folder: write(folder / "consolidated.safetensors", {"layers.0.attention.wq": (2,)}),
        "consolidated.safetensors (a copy in its publisher's own layout)",
    ),
    "companions of macOS": (companions, "(a companion file of macOS"),
    "a download that was begun": (
        lambda folder: (folder / "model-00003-of-00003.safetensors.incomplete").write_bytes(b"x"),
        "model-00003-of-00003.safetensors.incomplete (a download that was not finished)",
    ),
    "folders of hub clients": (
        lambda folder: [(folder / name).mkdir() for name in (".cache", "._____temp")],
        "._____temp, .cache (of a hub's client)",
    ),
    "a page in the place of .bin": (
        lambda folder: (folder / "pytorch_model.bin").write_bytes(PAGE),
        "pytorch_model.bin (another set of weights)",
    ),
    "an index of .bin files that are not there": (
        lambda folder: (folder / "pytorch_model.bin.index.json").write_text('{"weight_map":{"a":"b.bin"}}'),
        "pytorch_model.bin.index.json (an index of files that are not taken)",
    ),
    "other formats": (
        lambda folder: (folder / "model.gguf").write_bytes(b"GGUF"),
        "model.gguf (another format)",
    ),
    "another head": (
        lambda folder: write(folder / "value_head.safetensors", {"v_head.weight": (1, 8)}),
        "value_head.safetensors (",
    ),
}


@pytest.mark.parametrize("weights", [single, shards])
@pytest.mark.parametrize("case", BESIDE)
def test_what_is_beside_whole_weights_is_left_aside_and_named(
    case: str, weights: Callable[[Path], None], tmp_path: Path
) -> None:
    add, words = BESIDE[case]
    folder = config(tmp_path / "in")
    weights(folder)
    add(folder)
    found = look(folder)
    assert (found.state, len(found.contents.tensors)) == ("sound", len(shapes())), found
    assert any(words in note for note in found.notes), found.notes
    document = inspect(str(folder))
    assert (document["form"], document["complete"]) == ("safetensors", True)
    assert document["notes"]
    summary = convert(str(folder), str(tmp_path / "out"), Options(), lambda event: None)
    assert summary["state"] == "not-needed"


# What MindIE ends at, because it opens every *.safetensors that is not hidden.
IN_THE_WAY: dict[str, tuple[Callable[[Path], object], str]] = {
    "an adapter with tensors": (
        lambda folder: write(folder / "adapter_model.safetensors", LORA),
        "holds 2 tensors that are none of the model's",
    ),
    "another head": (
        lambda folder: write(folder / "value_head.safetensors", {"v_head.weight": (1, 8)}),
        "holds 1 tensors that are none of the model's",
    ),
    "the same tensors again": (
        lambda folder: shutil.copy(folder / "model.safetensors", folder / "consolidated.safetensors"),
        "holds 31 tensors that the weights have too",
    ),
    "a pointer": (
        lambda folder: (folder / "adapter_model.safetensors").write_bytes(POINTER),
        "cannot be read",
    ),
    "half a file": (
        lambda folder: (folder / "model-00001-of-00002.safetensors").write_bytes(b"\x40" + bytes(7) + b"{"),
        "cannot be read",
    ),
    "a pipe": (lambda folder: os.mkfifo(folder / "extra.safetensors"), "is no regular file"),
    "a folder": (lambda folder: (folder / "extra.safetensors").mkdir(), "is a folder"),
    "a link that leads nowhere": (
        lambda folder: (folder / "old.safetensors").symlink_to("gone"),
        "is a link that leads nowhere",
    ),
}


@pytest.mark.parametrize("case", IN_THE_WAY)
def test_a_file_that_mindie_would_end_at_is_told_though_the_weights_are_sound(
    case: str, tmp_path: Path
) -> None:
    add, words = IN_THE_WAY[case]
    folder = config(tmp_path / "in")
    single(folder)
    add(folder)
    found = look(folder)
    assert found.state == "sound"
    (trouble,) = found.contents.in_the_way
    assert words in str(trouble)
    assert "move it to another folder" in trouble.remedy
    (line,) = inspect(str(folder))["in_the_way"]  # type: ignore[misc]
    assert words in line


GZIP, ZIP = b"\x1f\x8b\x08" + bytes(99), b"PK\x03\x04" + bytes(99)
TAR = b"x".ljust(257, b"\0") + b"ustar" + bytes(999)

# What stands in the place of the weights, and the code that says so.
INSTEAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "a pointer": (lambda folder: (folder / "model.safetensors").write_bytes(POINTER), "lfs-pointer"),
    "a pointer as .bin": (
        lambda folder: (folder / "pytorch_model.bin").write_bytes(POINTER),
        "lfs-pointer",
    ),
    "a page": (lambda folder: (folder / "model.safetensors").write_bytes(PAGE), "web-page"),
    "an answer": (
        lambda folder: (folder / "model.safetensors").write_text('{"error": "Repository not found"}'),
        "hub-answer",
    ),
    "an empty file": (lambda folder: (folder / "model.safetensors").write_bytes(b""), "file-empty"),
    "zeros": (lambda folder: (folder / "model.safetensors").write_bytes(bytes(5000)), "file-of-zeros"),
    "gzip": (lambda folder: (folder / "pytorch_model.bin").write_bytes(GZIP), "not-weights"),
    "a zip file": (lambda folder: (folder / "model.safetensors").write_bytes(ZIP), "not-weights"),
    "a tar archive": (lambda folder: (folder / "model.safetensors").write_bytes(TAR), "not-weights"),
    "safetensors as .bin": (lambda folder: write(folder / "pytorch_model.bin", shapes()), "not-weights"),
    "no tensors": (lambda folder: write(folder / "model.safetensors", {}), "no-tensors"),
    "a pipe": (lambda folder: os.mkfifo(folder / "model.safetensors"), "no-regular-file"),
    "a device": (lambda folder: (folder / "pytorch_model.bin").symlink_to("/dev/zero"), "no-regular-file"),
    "an index that is a pointer": (
        lambda folder: [shards(folder), (folder / INDEX).write_bytes(POINTER)],
        "lfs-pointer",
    ),
    "an index that is a pipe": (
        lambda folder: [shards(folder), (folder / INDEX).unlink(), os.mkfifo(folder / INDEX)],
        "no-regular-file",
    ),
    "an index that never ends": (lambda folder: (folder / INDEX).symlink_to("/dev/zero"), "no-regular-file"),
    "shards without an index": (
        lambda folder: [shards(folder), (folder / INDEX).unlink()],
        "index-missing",
    ),
    "fewer tensors than config.json calls for": (
        lambda folder: write(folder / "model.safetensors", shapes(layers=1)),
        "tensors-missing",
    ),
    "an adapter in shards": (lambda folder: write_shards(folder, LORA), "adapter"),
    "an index without a tensor that is needed": (
        lambda folder: write_shards(folder, shapes(), forget=["model.norm.weight"]),
        "index-differs",
    ),
}


@pytest.mark.parametrize("case", INSTEAD)
def test_what_stands_in_the_place_of_weights_is_told_for_what_it_is(case: str, tmp_path: Path) -> None:
    put, code = INSTEAD[case]
    folder = config(tmp_path / "in")
    put(folder)
    found = look(folder)
    assert [problem.code for problem in found.problems] == [code]
    assert found.state == "damaged"
    document = inspect(str(folder))
    assert document["complete"] is False
    assert document["problem"]
    with pytest.raises(Trouble) as caught:
        convert(str(folder), str(tmp_path / "out"), Options(), lambda event: None)
    assert caught.value.code == code
    with pytest.raises(Trouble):
        whole_folder(str(folder), lambda event: None)
    assert not (tmp_path / "out").exists()


COMPANIONS = {
    "tokenizer.json": POINTER,
    "config.json": POINTER,
    "tokenizer_config.json": b"",
    "special_tokens_map.json": b'{"Code":404,"Message":"record not found"}',
    "configuration_bailing_moe.py": PAGE,
    "tokenizer.model": POINTER,
}


@pytest.mark.parametrize("name", COMPANIONS)
def test_a_companion_that_is_something_else_is_a_failure(name: str, tmp_path: Path) -> None:
    folder = config(tmp_path)
    single(folder)
    (folder / name).write_bytes(COMPANIONS[name])
    found = look(folder)
    assert [problem.where for problem in found.problems] == [name]
    assert inspect(str(folder))["complete"] is False


def test_one_adapter_alone_is_refused_with_the_way_to_merge(tmp_path: Path) -> None:
    folder = config(tmp_path)
    write(folder / "model.safetensors", LORA)
    with pytest.raises(Trouble, match="an adapter") as caught:
        look(folder)
    assert "merge" in caught.value.remedy


def test_a_damaged_set_gives_way_to_a_whole_one_and_is_named(tmp_path: Path) -> None:
    folder = config(tmp_path)
    (folder / "model.safetensors").write_bytes(b"half")
    write_shards(folder, shapes())
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin.index.json").write_text('{"weight_map":{"a":"gone.bin"}}')
    assert look(folder).state == "sound"


def test_a_buffer_that_the_index_does_not_list_is_named_and_harmless(tmp_path: Path) -> None:
    folder = config(tmp_path)
    buffer = "model.layers.0.attention.rotary_emb.inv_freq"
    write_shards(folder, {**shapes(), buffer: (2,)}, forget=[buffer])
    found = look(folder)
    assert found.state == "sound"
    assert any(buffer in note for note in found.notes)


def test_weights_that_config_does_not_know_of_are_a_contradiction(tmp_path: Path) -> None:
    folder = config(tmp_path, num_shared_experts=None)
    single(folder)
    (problem,) = look(folder).problems
    assert "shared_experts" in str(problem)
    assert inspect(str(folder))["contradictions"]


def test_more_than_is_read_here_is_not_known_and_not_damaged(tmp_path: Path) -> None:
    folder = config(tmp_path)
    write(folder / "model.safetensors", {**shapes(), "wide": (1,) * 65})
    found = look(folder)
    assert (found.state, found.problems) == ("unknown", ())
    assert [trouble.code for trouble in found.unknown] == ["beyond-limits"]
    assert inspect(str(folder))["complete"] is False


@pytest.mark.parametrize(
    ("dicts", "members", "code"), [(500_000, 0, "pickle-too-large"), (0, 40_000, "beyond-limits")]
)
def test_a_checkpoint_that_is_more_than_is_read_is_not_known_either(
    dicts: int, members: int, code: str, tmp_path: Path
) -> None:
    folder = config(tmp_path)
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02(" + b"}" * dicts + b"t.")
        for number in range(members):
            archive.writestr(f"a/data/{number}", b"")
    found = look(folder)
    assert (found.state, found.problems) == ("unknown", ())
    assert [trouble.code for trouble in found.unknown] == [code]


def test_an_index_larger_than_is_read_is_not_known_either(tmp_path: Path) -> None:
    folder = config(tmp_path)
    (folder / INDEX).write_text("{")
    os.truncate(folder / INDEX, 100_000_001)
    assert look(folder).state == "unknown"


def test_tensors_that_are_too_many_to_be_kept_are_not_called_missing(tmp_path: Path) -> None:
    folder = config(tmp_path)
    for part in "ab":
        write(folder / f"{part}.safetensors", {f"{part}{number}": (1,) for number in range(45_000)})
    index = {"weight_map": {f"{part}0": f"{part}.safetensors" for part in "ab"}}
    (folder / INDEX).write_text(json.dumps(index))
    found = look(folder)
    assert (found.state, found.problems) == ("unknown", ())


def test_the_likeliest_set_comes_first_and_a_file_of_an_odd_name_last() -> None:
    names = ("Other.safetensors", "config.json", "model.safetensors", "pytorch_model.bin")
    evidence = FolderEvidence(tuple(Present(name, "file", 9) for name in names), {}, {})
    assert [one.files for one in sets_of(evidence)] == [
        ("model.safetensors",),
        ("pytorch_model.bin",),
        ("Other.safetensors",),
    ]


def test_an_index_that_leads_out_of_the_folder_is_refused_and_nothing_there_is_named(tmp_path: Path) -> None:
    folder = config(tmp_path / "in")
    (tmp_path / "secret.safetensors").write_bytes(b"secret")
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": "../secret.safetensors"}}))
    (problem,) = look(folder).problems
    assert problem.code == "index-malformed"
