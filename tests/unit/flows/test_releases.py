"""Listing what was deployed."""

from __future__ import annotations

from pathlib import Path

from lingctl.flows.change.releases import _HEADS
from lingctl.remote.command import script
from lingctl.remote.local import LocalConnection


def heads(folder: Path) -> str:
    return LocalConnection("node1").run(script(_HEADS, str(folder))).checked("node1").stdout


def test_no_folder_and_an_empty_one_hold_no_release(tmp_path: Path):
    assert heads(tmp_path / "none") == ""
    assert heads(tmp_path) == ""


def test_the_first_line_of_each_is_read(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.d.json").write_text(f"{name} 1\n{name} 2\n")
    (tmp_path / "b.proved").touch()
    assert heads(tmp_path) == "a 1\nb 1\n"
