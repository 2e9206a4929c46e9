"""The shell programs that run on nodes: each is used and whole, and shellcheck warns of none.

``make lint`` runs shellcheck over those that are files; here it sees the ones that templates make.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lingctl.assets import shell
from lingctl.mindie.profile import PROFILES, profile_for
from tests.golden.make import LARGE_ALONE, VLLM, text_of, vllm_text

PACKAGE = Path(__file__).resolve().parents[2] / "lingctl"
PROGRAMS = sorted(path.relative_to(PACKAGE / "shell") for path in (PACKAGE / "shell").rglob("*.sh"))
SHELLCHECK = Path(sys.executable).with_name("shellcheck")


def warnings(text: str, *words: str) -> str:
    done = subprocess.run(
        [SHELLCHECK, "--severity", "warning", *words, "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_each_program_is_whole_when_it_is_sent(program):
    text = shell(str(program.with_suffix("")))
    assert not re.search(r"^\s*(\.|source) ", text, re.MULTILINE)
    assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0


def test_each_program_is_sent_by_somebody():
    code = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    sent = set(re.findall(r'\bshell\("([\w/]+)"\)', code))
    for program in sent.copy():
        path = PACKAGE / "shell" / f"{program}.sh"
        sourced = re.findall(r"^\. \./(\w+)\.sh", path.read_text(encoding="utf-8"), re.MULTILINE)
        sent |= {f"{path.parent.name}/{name}" for name in sourced}
    assert sent == {str(program.with_suffix("")) for program in PROGRAMS}


def test_what_shellcheck_warns_of_is_seen():
    assert "SC2154" in warnings('#!/bin/sh\necho "$nowhere"\n')


@pytest.mark.parametrize("version", [*(profile.version for profile in PROFILES), *VLLM])
def test_rendered_programs_are_clean(version):
    """start.sh and environment.sh in the container, container.sh on the node."""
    for model in ("Ling-lite", "Ling-plus"):
        if version in LARGE_ALONE and model == "Ling-lite":
            continue
        choice = VLLM.get(version)
        text = vllm_text(model, choice) if choice else text_of(model, profile_for(version))
        parts = re.split(
            r"^==> node1: (.+) \(\d+\) <==\n", text.partition("\n==> node2")[0], flags=re.MULTILINE
        )
        programs = {Path(path).name: text for path, text in zip(parts[1::2], parts[2::2], strict=True)}
        for name in ("start.sh", "environment.sh", "container.sh"):
            assert not warnings(programs[name], "--shell", "sh" if name == "container.sh" else "bash"), name
