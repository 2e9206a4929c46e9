"""What CI's script does with the end of a run, on a small project with the Makefile's own recipe."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

PASSES = "def test_passes():\n    pass\n"
FAILS = "def test_fails():\n    assert False\n"
FLAKES = """
from pathlib import Path

def test_flakes():
    seen = Path(__file__).with_name("seen")
    before = seen.exists()
    seen.touch()
    assert before
"""
BREAKS_OFF = "import os\n\ndef test_breaks_off():\n    os.kill(os.getpid(), 9)\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(CHECKOUT / ".ci", tmp_path / ".ci")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    python = tmp_path / ".venv/bin/python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    recipe = re.search(r"^test:.*\n((?:\t.*\n)+)", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    one_process = re.sub(r" -n \w+ --dist \w+ --no-loadscope-reorder", "", recipe[1])  # starts sooner
    makefile = (
        f"VENV := .venv\nBIN := .venv/bin\nlint:\n\t$(LINT)\ntest: lint\n{one_process}vllm:\n\t@$(VLLM)\n"
    )
    (tmp_path / "Makefile").write_text(makefile)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -ra\n")
    return tmp_path


def run(
    project: Path, lint: str = "true", vllm: str = "true", **tests: str
) -> subprocess.CompletedProcess[str]:
    for name, text in tests.items():
        (project / f"test_{name}.py").write_text(text)
    # Of a run by make itself, nothing is left: a make in a make tells of its folders.
    ours = ("PYTEST_", "MAKE", "MFLAGS")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    small = {**clean, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "LINT": lint, "VLLM": vllm}
    return subprocess.run(
        ["bash", ".ci/run"],
        cwd=project,
        env=small,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.splitlines()[-1].strip("= ")


def test_a_run_without_a_failure_is_run_once(project: Path):
    done = run(project, a=PASSES)
    assert done.returncode == 0, done.stdout
    assert last_line(done).startswith("1 passed in ")
    assert "second time" not in done.stdout


def test_a_flake_passes_and_is_named(project: Path):
    done = run(project, a=PASSES, b=FLAKES)
    assert done.returncode == 0, done.stdout
    assert "\nflaky, passed now: test_b.py::test_flakes\n" in done.stdout
    assert last_line(done).startswith("1 passed in ")


def test_what_fails_twice_fails(project: Path):
    done = run(project, b=FLAKES, c=FAILS)
    assert done.returncode != 0
    assert "\nfailed again: test_c.py::test_fails\nflaky, passed now: test_b.py::test_flakes\n" in done.stdout
    assert last_line(done).startswith("1 failed, 1 passed in ")


def test_a_run_that_broke_off_is_not_saved_by_a_second(project: Path):
    done = run(project, e=BREAKS_OFF)
    assert done.returncode != 0
    assert "nothing is run a second time: this is no failed test (pytest: 137)" in done.stdout


def test_a_finding_of_the_linter_is_no_failed_test(project: Path):
    run(project, c=FAILS)  # leaves names in pytest's cache, and how it ended
    done = run(project, lint="false", c=FAILS)
    assert done.returncode != 0
    assert last_line(done) == "nothing is run a second time: this is no failed test (pytest: not started)"


def test_tests_of_the_real_engine_count_too_and_come_after_all_others(project: Path):
    broken = run(project, vllm="echo REAL; false", a=PASSES)
    assert broken.returncode != 0
    assert broken.stdout.index("1 passed in ") < broken.stdout.index("REAL")
    assert "REAL" not in run(project, vllm="echo REAL", c=FAILS).stdout
