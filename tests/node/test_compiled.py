"""What is compiled is kept beside the program, for it and this Python alone; what others wrote never runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lingctl.program import pack
from tests.pythons import node_python

KEPT = f"node.pyz.{sys.implementation.cache_tag}"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "node.pyz"
    path.parent.mkdir(mode=0o750)
    path.write_bytes(pack.build())
    return path


def run(program: Path, *options: str, python: Path | str = sys.executable) -> dict:
    """The answer of a short program; nothing is said besides."""
    words = [python, "-IS", *options, program, "weights", "inspect", "/nowhere"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=True)
    assert not done.stderr, done.stderr
    answer = json.loads(done.stdout)
    assert answer["problem"] == "/nowhere: no such folder"
    return answer


def compiles(program: Path) -> bool:
    """Whether a run compiles anything, as it does where nothing that is kept can be used."""
    kept = program.with_name(KEPT)
    before = kept.lstat().st_ino if kept.exists() or kept.is_symlink() else None
    run(program)
    return kept.lstat().st_ino != before


def test_the_second_run_compiles_nothing_and_answers_alike(program: Path) -> None:
    first = run(program)
    kept = program.with_name(KEPT)
    assert kept.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in program.parent.iterdir()) == ["node.pyz", KEPT]
    assert not compiles(program)
    assert run(program) == first


def _rewritten(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda kept: (kept.write_bytes(change(kept.read_bytes())), None)[1]


def _by_link(kept: Path) -> None:
    kept.rename(kept.with_name("elsewhere"))
    kept.symlink_to("elsewhere")


def _by_hard_link(kept: Path) -> None:
    kept.with_name("elsewhere").hardlink_to(kept)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda kept: kept.chmod(0o660), id="the group may write"),
        pytest.param(lambda kept: kept.chmod(0o646), id="others may write"),
        pytest.param(
            lambda kept: os.chown(kept, 12345, -1),
            id="somebody else's",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away"),
        ),
        pytest.param(_by_link, id="a link"),
        pytest.param(_by_hard_link, id="it has two names"),
        pytest.param(_rewritten(lambda text: text[:-100]), id="cut short"),
        pytest.param(_rewritten(lambda text: text[:-50] + b"?" * 50), id="damaged"),
        pytest.param(_rewritten(lambda text: b""), id="empty"),
        pytest.param(_rewritten(lambda text: text.replace(b"3.", b"2.", 1)), id="of another Python"),
        pytest.param(lambda kept: os.utime(kept.with_name("node.pyz"), (1, 1)), id="of another program"),
    ],
)
def test_what_others_may_have_written_or_is_not_whole_is_not_run_but_made_anew(
    program: Path, spoil: Callable[[Path], None]
) -> None:
    run(program)
    spoil(program.with_name(KEPT))
    assert compiles(program)
    assert not compiles(program)


def test_a_folder_that_stands_in_its_place_is_left_alone(program: Path) -> None:
    program.with_name(KEPT).mkdir()
    run(program)
    assert program.with_name(KEPT).is_dir()
    assert sorted(path.name for path in program.parent.iterdir()) == ["node.pyz", KEPT]


def test_nothing_is_written_where_python_is_told_to_write_none(program: Path) -> None:
    run(program, "-B")
    assert [path.name for path in program.parent.iterdir()] == ["node.pyz"]


def test_what_another_program_needs_is_added_and_pythons_keep_theirs_apart(program: Path) -> None:
    run(program)
    before = program.with_name(KEPT).stat().st_size
    words = [sys.executable, "-IS", program, "convert", "/nowhere"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    assert json.loads(done.stdout)["event"] == "error"
    assert program.with_name(KEPT).stat().st_size > before
    run(program, python=node_python())
    run(program)
    names = sorted(path.name for path in program.parent.iterdir())
    assert names == ["node.pyz", KEPT, "node.pyz.cpython-39"]
