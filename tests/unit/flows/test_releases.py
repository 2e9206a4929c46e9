"""Listing what was deployed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lingctl.errors import NodeError
from lingctl.flows.change.releases import read_heads
from lingctl.remote.local import LocalConnection


def heads(folder: Path) -> list[str]:
    return [str(head["id"]) for head in read_heads(LocalConnection("node1"), str(folder))]


def record(folder: Path, name: str) -> None:
    (folder / f"{name}.d.json").write_text(json.dumps({"id": name}) + "\n{}\n")


def test_no_folder_and_an_empty_one_hold_no_release(tmp_path: Path) -> None:
    assert heads(tmp_path / "none") == []
    assert heads(tmp_path) == []


def test_the_first_line_of_each_is_read(tmp_path: Path) -> None:
    for name in ("a", "b"):
        record(tmp_path, name)
    (tmp_path / "b.proved").touch()
    assert heads(tmp_path) == ["a", "b"]


def test_a_folder_that_cannot_be_looked_at_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    for name in ("loop", "loop/inner", "file"):
        with pytest.raises(NodeError) as caught:
            heads(tmp_path / name)
        assert (caught.value.code, caught.value.where) == ("releases-unreadable", "node1")
        assert f"ls -la {tmp_path / name}" in caught.value.remedy


def test_a_record_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    record(tmp_path, "a")
    (tmp_path / "b.json").symlink_to("nowhere")
    with pytest.raises(NodeError) as caught:
        heads(tmp_path)
    assert "b.json" in caught.value.evidence
    (tmp_path / "b.json").unlink()
    (tmp_path / "b.json").touch()
    (tmp_path / "c.json").write_text("{]\n")
    with pytest.raises(NodeError) as caught:
        heads(tmp_path)
    assert caught.value.code == "release-unreadable"
