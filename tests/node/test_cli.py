"""lingctl convert and lingctl verify-weights as a user types them."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests import forked
from tests.node.checkpoints import INDEX, assert_same, ling, load, model, save, stopped_midway

pytestmark = pytest.mark.torch


def lingctl(*words: str | Path) -> subprocess.CompletedProcess[str]:
    done = forked.run(*words, timeout=300, env={**os.environ, "COLUMNS": "200"})
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return save(tmp_path / "Ling_lite", model())


def test_convert_says_what_it_did(source: Path, tmp_path: Path) -> None:
    done = lingctl("convert", source)
    target = tmp_path / "Ling_lite_safetensor"
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{target}: {len(model())} tensors")
    assert "every tensor compared with the source" in done.stdout
    assert "write shards" in done.stderr and "write shards" not in done.stdout
    assert_same(load(target), model())
    again = lingctl("convert", source)
    assert (again.returncode, again.stderr) == (0, "")
    assert "converted before and unchanged" in again.stdout


def test_convert_as_a_document(source: Path, tmp_path: Path) -> None:
    done = lingctl("convert", source, tmp_path / "out", "--max-shard-size", "30KB", "--no-verify", "--json")
    document = json.loads(done.stdout)
    assert (document["document"], document["version"], document["state"]) == ("convert", 1, "converted")
    assert document["shards"] == len(list((tmp_path / "out").glob("*.safetensors"))) > 1
    assert document["verified"] is False
    document = json.loads(lingctl("convert", tmp_path / "out", "--json").stdout)
    assert document["state"] == "not-needed"


def test_convert_cut_by_layers(source: Path, tmp_path: Path) -> None:
    assert lingctl("convert", source, tmp_path / "out", "--layers-per-shard", "2").returncode == 0
    assert len(list((tmp_path / "out").glob("*.safetensors"))) == 2


def test_convert_names_what_stands_in_the_way(source: Path, tmp_path: Path) -> None:
    lingctl("convert", source, tmp_path / "out")
    save(source, {"other": model()["lm_head.weight"]})
    done = lingctl("convert", source, tmp_path / "out", "--json")
    assert done.returncode == 1
    assert "error: " in done.stderr and "fix: name another folder, or add --force" in done.stderr
    assert json.loads(done.stdout)["code"] == "output-differs"
    assert lingctl("convert", source, tmp_path / "out", "--force").returncode == 0
    assert list(load(tmp_path / "out")) == ["other"]


def test_exit_statuses_of_convert(source: Path, tmp_path: Path) -> None:
    assert lingctl("convert", tmp_path / "none").returncode == 2
    assert lingctl("convert", source, "--max-shard-size", "big").returncode == 2
    assert lingctl("convert", source, source / "inside").returncode == 2
    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / ".lingctl-convert.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert lingctl("convert", source, tmp_path / "out").returncode == 5
    os.truncate(source / "pytorch_model.bin", 5000)
    assert lingctl("convert", source, tmp_path / "out").returncode == 1


def test_verify_weights(tmp_path: Path) -> None:
    folder = ling(tmp_path / "Ling_plus", "plus", "safetensors")
    done = lingctl("verify-weights", folder, "--manifest", "--full")
    assert done.returncode == 0, done.stdout
    assert f"{folder}: sound. safetensors, 2 files, 403 tensors" in done.stdout
    assert "digest of the weights: " in done.stdout
    assert "would refuse" in done.stdout and "chmod 640" in done.stdout
    document = json.loads(lingctl("verify-weights", folder, "--json").stdout)
    assert (document["document"], document["state"], document["problems"]) == ("verify-weights", "sound", [])
    assert document["digest"] in done.stdout


def test_verify_weights_finds(tmp_path: Path) -> None:
    folder = ling(tmp_path / "Ling_lite", "lite", "safetensors")
    (folder / INDEX).unlink()
    done = lingctl("verify-weights", folder)
    assert done.returncode == 3
    assert "failure  index-missing" in done.stdout and "damaged" in done.stdout
    document = json.loads(lingctl("verify-weights", folder, "--json").stdout)
    assert document["problems"][0]["code"] == "index-missing"
    assert document["findings"][0]["verdict"] == "failure"
    assert lingctl("verify-weights", tmp_path / "none").returncode == 2


def test_ctrl_c_leaves_nothing_half_done_and_the_next_run_goes_on(tmp_path: Path) -> None:
    source = save(tmp_path / "in", {f"w{n}": torch.rand(1 << 19) for n in range(32)})
    command = [sys.executable, "-m", "lingctl", "convert", str(source), "--max-shard-size", "3MB"]
    target = tmp_path / "in_safetensor"
    output = stopped_midway(
        command, lambda: bool(list(target.glob("model-*"))), signal.SIGINT, lambda: shutil.rmtree(target)
    )
    assert output == "130 "
    hidden = {path.name for path in target.iterdir() if path.name.startswith(".")}
    assert hidden == {".lingctl-convert.json"}
    there = {path.name for path in target.glob("model-*")}
    document = json.loads(lingctl("convert", source, "--max-shard-size", "3MB", "--json").stdout)
    assert set(document["kept"]) == there
    assert_same(load(target), torch.load(source / "pytorch_model.bin", weights_only=True))
