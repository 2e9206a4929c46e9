"""Modes and owners: who may read the daemon's files, and the words where it is not so."""

from __future__ import annotations

import os

import pytest

from lingctl.sandbox.engine.settings.environment_rules import environment_fault
from lingctl.sandbox.engine.settings.file_rules import model_path_fault, private_file_fault, weights_fault

AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="chown needs root")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "config.json"
    path.write_text("{}")
    path.chmod(0o640)
    return path


@pytest.mark.parametrize("mode", [0o640, 0o600, 0o400, 0o440])
def test_private_enough(file, mode):
    file.chmod(mode)
    assert private_file_fault(file, "3.0.0") is None


@pytest.mark.parametrize(
    ("mode", "label", "have", "may"),
    [
        (0o644, "Other group", 4, 0),
        (0o660, "Owner group", 6, 4),
        (0o750, "Owner", 7, 6),
        (0o777, "Owner", 7, 6),
    ],
)
def test_too_open(file, mode, label, have, may):
    file.chmod(mode)
    new, old = private_file_fault(file, "3.0.0"), private_file_fault(file, "1.0.0")
    assert f"Check path: config.json failed, by: Check {label} permission failed: {file} " in new
    assert f"current permission is {have}, but required no greater than {may}." in new
    assert new.endswith(f"Required permisssion is 640, but got permission is {mode:o}")
    assert old.endswith(f"Current permission is {have}, but required no greater than {may}.")


def test_links_and_missing_files(file, tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(file)
    assert private_file_fault(link, "3.0.0") == "The file: link.json is a link."
    missing = private_file_fault(tmp_path / "none", "3.0.0")
    assert missing == "The input file: none is not a regular file or not exists"
    file.write_text("")
    assert "file is too large" in private_file_fault(file, "3.0.0")


@AS_ROOT
def test_root_is_not_exempt_from_the_owner_rule(file):
    os.chown(file, 1000, 1000)
    text = "by:owner id diff: current process user id is 0, file owner id is 1000"
    assert text in private_file_fault(file, "3.0.0")


def test_model_paths(tmp_path):
    assert model_path_fault(tmp_path, folder=True) is None
    assert "special characters" in model_path_fault(tmp_path / "a b", folder=True)
    assert "Path not found" in model_path_fault(tmp_path / "none", folder=True)
    assert "is not file" in model_path_fault(tmp_path, folder=False)


@AS_ROOT
def test_another_user_meets_the_mode_limits(tmp_path, monkeypatch):
    folder = tmp_path / "weights"
    folder.mkdir()
    folder.chmod(0o755)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert "actual=0755, limit=0750" in model_path_fault(folder, folder=True)
    folder.chmod(0o750)
    assert "path owner uid mismatch:" in model_path_fault(folder, folder=True)
    monkeypatch.setenv("MINDIE_CHECK_INPUTFILES_PERMISSION", "0")
    assert model_path_fault(folder, folder=True) is None


@pytest.mark.parametrize(
    ("version", "words"), [("1.0.0", "and change mode to "), ("3.0.0", "Permission after removal: 0o664.")]
)
def test_world_writable_weights(file, monkeypatch, version, words):
    file.chmod(0o666)
    assert words in weights_fault(file, version)
    monkeypatch.setenv("MINDIE_CHECK_INPUTFILES_PERMISSION", "0")
    assert weights_fault(file, version) is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("NPU_MEMORY_FRACTION", "95", "NPU_MEMORY_FRACTION should be in the range of 0 to 1.0"),
        ("NPU_MEMORY_FRACTION", "0", "0.0 is not inclusive"),
        ("NPU_MEMORY_FRACTION", "95%", "could not convert string to float: '95%'"),
        ("RESERVED_MEMORY_GB", "64", "RESERVED_MEMORY_GB should be in the range of 0 to 64"),
        ("WORLD_SIZE", "0", "WORLD_SIZE should not be a number in the range"),
        ("WORLD_SIZE", "many", "invalid literal for int()"),
        ("ASCEND_RT_VISIBLE_DEVICES", "0-7", "should be in format {device_id},{device_id}"),
        ("MASTER_IP", "node1", "Master ip is invalid."),
    ],
)
def test_environment(monkeypatch, name, value, words):
    for known in ("NPU_MEMORY_FRACTION", "RESERVED_MEMORY_GB", "WORLD_SIZE", "ASCEND_RT_VISIBLE_DEVICES"):
        monkeypatch.delenv(known, raising=False)
    assert environment_fault() is None
    monkeypatch.setenv(name, value)
    assert words in environment_fault()
