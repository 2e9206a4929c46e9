"""What a node cannot read is not absent, and what it says in another language is understood."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from lingctl.ascend.host import digests_command
from lingctl.assets import shell
from lingctl.flows.change.releases import read_heads
from lingctl.release.journal import journal_command
from lingctl.remote.command import script
from lingctl.remote.local import LocalConnection

node = LocalConnection("node1")


@pytest.fixture
def in_chinese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node whose stat speaks Chinese to whoever does not ask for another language."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("stat", "ls"):
        real = shutil.which(name)
        (programs / name).write_text(
            f'#!/bin/sh\n[ "$LC_ALL" = C ] && exec {real} "$@"\n'
            f"{real} \"$@\" 2>/dev/null || {{ echo '{name}: 没有那个文件或目录' >&2; exit 1; }}\n"
        )
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.delenv("LC_ALL", raising=False)


@pytest.mark.usefixtures("in_chinese")
def test_what_is_not_there_yet_is_absent_in_any_language(tmp_path: Path) -> None:
    log = node.run(journal_command(str(tmp_path / "audit.log"), 40))
    assert (log.exit_status, log.stdout) == (0, "")
    assert read_heads(node, str(tmp_path / "releases")) == []


def test_a_file_that_cannot_be_looked_at_has_no_digest_and_is_not_absent(tmp_path: Path) -> None:
    loop, file, none = (str(tmp_path / name) for name in ("loop", "file", "none"))
    Path(loop).symlink_to(loop)
    Path(file).touch()
    told = node.run(digests_command([loop, file, none])).stdout.splitlines()
    assert told[0] == f"unknown  {loop}" and told[1].endswith(f"  {file}") and told[2] == f"absent  {none}"


@pytest.mark.parametrize("known", [True, False])
def test_no_record_is_removed_while_it_is_not_known_which_release_runs(tmp_path: Path, known: bool) -> None:
    releases, started = tmp_path / "releases", tmp_path / "started"
    releases.mkdir()
    for number in range(5):
        (releases / f"2026010{number}-000000-aaaa.d{number}.json").touch()
    if known:
        started.write_text("d0\n")
    else:
        started.mkdir()  # no file that could be read
    assert node.run(script(shell("change/prune"), str(releases), str(started), 2)).exit_status == 0
    left = sorted(one.name.split(".")[1] for one in releases.iterdir())
    assert left == (["d0", "d3", "d4"] if known else ["d0", "d1", "d2", "d3", "d4"])


def test_the_record_of_the_release_that_runs_is_kept_whatever_the_loader_says_of_every_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases, started = tmp_path / "releases", tmp_path / "started"
    releases.mkdir()
    for number in range(4):
        (releases / f"2026010{number}-000000-aaaa.d{number}.json").touch()
    started.write_text("d0\n")
    monkeypatch.setenv("LD_PRELOAD", "/nowhere/libjemalloc.so")
    node.run(script(shell("change/prune"), str(releases), str(started), 2)).checked("node1")
    assert sorted(one.name.split(".")[1] for one in releases.iterdir()) == ["d0", "d2", "d3"]
