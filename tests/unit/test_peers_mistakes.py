"""Mistakes that other tools for this job make, as far as no other test looks for them.

Elsewhere: a node or card that cannot be read makes no rank table (mindie/test_rank_table), "Daemon start
success!" alone is not ready (serving/test_readiness), every wait ends (flows/test_execute, remote/test_job),
a stale /etc/hccl_rootinfo.json and differing sampling defaults are found (checks/test_network), the key of
hosts.yaml is what logs in (all tests with SSH).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lingctl import __version__
from lingctl.ascend.questions import card_questions, questions
from lingctl.ascend.scope import NodeScope, Scope
from lingctl.errors import ConfigurationError
from lingctl.mindie.profile import PROFILES, profile_for
from lingctl.mindie.rules.check import check_config
from tests import forked
from tests.unit.mindie.samples import document_of, make_cluster

LINGCTL = str(forked.LINGCTL)
# Reads every module that a verb imports; what is heavy or of the sandbox has places of its own to write to.
IMPORTS = """
import importlib, pkgutil, lingctl.flows
from lingctl.cli.app import VERBS
for place, _ in VERBS.values():
    importlib.import_module("lingctl.cli." + place)
for found in pkgutil.walk_packages(lingctl.flows.__path__, "lingctl.flows."):
    importlib.import_module(found.name)
"""
CHANGING = (
    " -s ",
    "npu-smi set",
    "systemctl st",
    "systemctl re",
    "docker run",
    "docker rm",
    "docker start",
    "chmod",
    "chown",
)


def run(*words: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "LINGCTL_"))}
    return subprocess.run(
        words,
        cwd=home,
        env={**kept, "HOME": str(home), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


def test_a_check_only_asks():
    """MindIE's deploy helper turns TLS off while it reports."""
    asked = [
        *questions(Scope((), image="mindie:1.0.0"), NodeScope("node1", tuple(range(8)))),
        *card_questions(tuple(range(8))),
    ]
    for question in asked:
        text = question.command.text
        assert not [words for words in CHANGING if words in f"{text} "], text
        assert "hccn_tool -i" not in text or " -g" in text, text


def test_importing_leaves_the_home_folder_alone(tmp_path):
    """An installer for Ascend copies its whole tree there when it is imported."""
    run(sys.executable, "-c", IMPORTS, home=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_help_and_version_leave_the_home_folder_alone_and_answer_on_standard_output(tmp_path):
    """A checker of MindIE has --version in its help, and refuses it; it says everything on stderr."""
    said = run(LINGCTL, "--version", home=tmp_path)
    assert (said.stdout, said.stderr) == (f"lingctl {__version__}\n", "")
    assert run(LINGCTL, "deploy", "--help", home=tmp_path).stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("environment", [{}, {"GITHUB_ACTIONS": "true"}, {"COLORTERM": "truecolor"}])
def test_a_pipe_gets_no_colours(tmp_path, environment):
    for words in (("--help",), ("models",), ("init", "--show")):
        said = forked.run(*words, cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path), **environment})
        assert "\x1b" not in said.stdout + said.stderr


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.version)
def test_no_version_is_left_without_rules_of_its_own(profile):
    """That checker falls back to a file of rules that it does not have."""
    good = document_of(make_cluster(mindie=profile.version))
    good["ServerConfig"]["port"] = 1
    assert "config-port" in {finding.check for finding in check_config(good, profile)}


def test_a_version_without_rules_is_refused_with_those_there_are():
    with pytest.raises(ConfigurationError) as caught:
        profile_for("9.9.9")
    assert caught.value.code == "unknown-mindie"
    assert all(profile.version in caught.value.remedy for profile in PROFILES)
