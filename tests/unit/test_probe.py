"""One script asks many things, run here by a real sh: each answer keeps its streams and its status."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from lingctl.remote.command import Command, command, script
from lingctl.remote.probe import Answer, Question, probe_script, read_answers

SHELLS = [shell for shell in ("/bin/dash", "/bin/bash") if Path(shell).exists()]


def _run(*questions: Question, shell: str = "/bin/sh") -> str:
    return subprocess.run([shell, "-c", probe_script(questions).text], capture_output=True, text=True).stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_streams_and_status_are_kept_apart(shell: str) -> None:
    said = _run(
        Question("both", Command("echo out; echo err >&2; exit 3")),
        Question("quiet", Command("true")),
        Question("raw", Command(r"printf 'a\036b\n\n'")),
        shell=shell,
    )
    answers = read_answers(said)
    assert answers.complete
    assert dict(answers) == {
        "both": Answer("out\n", "err\n", 3),
        "quiet": Answer("", "", 0),
        "raw": Answer("a\x1eb\n\n", "", 0),
    }


def test_what_a_login_shell_says_first_is_passed_over() -> None:
    said = _run(Question("a", command("echo", "1")))
    assert dict(read_answers(f"Welcome!\nlast login\n{said}")) == {"a": Answer("1\n", "", 0)}


def test_standard_input_is_empty() -> None:
    answers = read_answers(_run(Question("first", Command("cat")), Question("second", Command("echo 2"))))
    assert [answer.stdout for answer in answers.values()] == ["", "2\n"]


def test_each_cut_leaves_only_whole_answers() -> None:
    said = _run(*(Question(name, Command(f"echo {name}; echo no >&2")) for name in ("one", "two", "three")))
    whole = dict(read_answers(said))
    for end in range(len(said)):
        cut = read_answers(said[:end])
        assert dict(cut).items() <= whole.items()
        assert not cut.complete or end >= len(said) - 1


def test_a_tool_that_is_busy_is_asked_again(tmp_path: Path) -> None:
    tool = """
n=$(cat "$1" 2>/dev/null || echo 0)
echo $((n + 1)) >"$1"
[ "$n" -ge 2 ] || { echo "hccn_tool is busy, please try again."; exit 11; }
echo "link status: UP"
"""
    answers = read_answers(_run(Question("link", script(tool, str(tmp_path / "count")))))
    assert answers["link"] == Answer("link status: UP\n", "", 0)


def test_what_blocks_is_cut_and_its_group_is_asked_no_more() -> None:
    begun = time.monotonic()
    answers = read_answers(
        _run(
            Question("a", Command("sleep 30"), 0.3, "card:0"),
            Question("b", Command("echo 0"), 0.3, "card:0"),
            Question("c", Command("echo 1"), 0.3, "card:1"),
            Question("d", Command("echo 2")),
        )
    )
    assert time.monotonic() - begun < 10
    assert answers["a"].timed_out
    assert "b" not in answers
    assert (answers["c"].stdout, answers["d"].stdout) == ("1\n", "2\n")
    assert answers.complete


def test_noise_is_no_answer() -> None:
    for noise in ("", "nonsense", "\x1e", "\x1ea 0\n\x1e\n", "\x1ea b\n!!\n\x1e\n\x1elingctl-end\n"):
        assert dict(read_answers(noise)) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_an_answer_that_a_full_disk_cut_short_is_none(tmp_path: Path, shell: str, monkeypatch) -> None:
    """A tool's own exit status is 0 all the same."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)], check=True)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    try:
        long = Command("head -c 900000 /dev/zero 2>/dev/null | tr '\\0' x 2>/dev/null; true")
        said = _run(Question("a", Command("echo short")), Question("b", long), shell=shell)
        answers = read_answers(said)
        assert dict(answers) == {"a": Answer("short\n", "", 0)} and not answers.complete
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "ballast").write_bytes(b"x" * 256 * 1024)
        # Where there is none at all, another place is used.
        answers = read_answers(_run(Question("a", Command("echo short")), shell=shell))
        assert answers["a"].stdout == "short\n" and answers.complete
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)
