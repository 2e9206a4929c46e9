"""One script asks many things, run here by a real sh: each answer keeps its streams and its status."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lingctl.assets import shell
from lingctl.node import asker
from lingctl.remote import probe
from lingctl.remote.command import Command, command, script
from lingctl.remote.probe import Answer, Question, probe_script, read_answers

SHELLS = [shell for shell in ("/bin/dash", "/bin/bash") if Path(shell).exists()]


@pytest.fixture(params=["one process", "the shell alone"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who asks: the node's Python, or the shell where it is too old. What is answered is the same."""
    if request.param == "the shell alone":
        monkeypatch.setattr(probe, "_ASKER", "raise SystemExit(40)")
    return request.param


# What the shell alone does one after the other.
ONE_PROCESS = pytest.mark.parametrize("way", ["one process"], indirect=True)


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


def test_a_tool_that_is_busy_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shorter = probe._ASK.replace("for pause in 0.3 1 2 0", "for pause in 0.1 0.1 0.1 0")
    assert shorter != probe._ASK
    monkeypatch.setattr(probe, "_ASK", shorter)
    monkeypatch.setattr(
        probe, "_ASKER", re.sub("(?m)^PAUSES = .*", "PAUSES = (0.1, 0.1, 0.1, 0.0)", probe._ASKER)
    )
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
def test_an_answer_that_a_full_disk_cut_short_is_none(
    tmp_path: Path, shell: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tool's own exit status is 0 all the same. One process needs no room on a disk."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)], check=True)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    try:
        long = Command("head -c 900000 /dev/zero 2>/dev/null | tr '\\0' x 2>/dev/null; true")
        said = _run(Question("a", Command("echo short")), Question("b", long), shell=shell)
        answers = read_answers(said)
        if way == "one process":
            assert len(answers["b"].stdout) == 900_000 and answers.complete
        else:
            assert dict(answers) == {"a": Answer("short\n", "", 0)} and not answers.complete
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "ballast").write_bytes(b"x" * 256 * 1024)
        # Where there is none at all, another place is used.
        answers = read_answers(_run(Question("a", Command("echo short")), shell=shell))
        assert answers["a"].stdout == "short\n" and answers.complete
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_what_was_started_in_the_background_holds_nobody_up() -> None:
    begun = time.monotonic()
    answers = read_answers(
        _run(Question("a", Command("sleep 20 & echo 1")), Question("b", Command("echo 2")))
    )
    assert time.monotonic() - begun < 10
    assert [answer.stdout for answer in answers.values()] == ["1\n", "2\n"]


def test_a_tool_is_started_as_from_a_login() -> None:
    """What Python ignores, a pipe without a reader say, is not ignored by a tool."""
    answers = read_answers(_run(Question("pipe", Command("grep SigIgn /proc/self/status"))))
    ignored = int(answers["pipe"].stdout.split()[1], 16)
    assert not ignored & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)


def test_a_command_that_is_not_there_says_so_in_the_shells_words() -> None:
    answers = read_answers(_run(Question("none", command("no-such-tool", "-i", 0))))
    assert answers["none"].exit_status == 127 and "not found" in answers["none"].stderr


def test_one_that_does_not_heed_the_request_to_end_is_ended_by_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_ASKER", probe._ASKER.replace("GRACE = (5.0, 1.0)", "GRACE = (0.2, 1.0)"))
    monkeypatch.setattr(probe, "_ASK", probe._ASK.replace("timeout -k 5", "timeout -k 0.2"))
    deaf = Question("deaf", Command("trap '' TERM; while :; do sleep 0.1; done"), 0.3)
    begun = time.monotonic()
    answers = read_answers(_run(deaf, Question("next", Command("echo 1"))))
    assert time.monotonic() - begun < 10
    assert answers["deaf"].timed_out and answers["next"].stdout == "1\n"


def test_an_answer_without_an_end_is_none_and_takes_no_memory_without_end(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "the shell alone":
        pytest.skip("bounded by the disk")
    monkeypatch.setattr(probe, "_ASKER", probe._ASKER.replace("MOST = 48 << 20", "MOST = 1 << 20"))
    answers = read_answers(_run(Question("a", Command("echo 1")), Question("flood", Command("yes"), 60)))
    assert dict(answers) == {"a": Answer("1\n", "", 0)} and not answers.complete


def test_a_python_that_cannot_begin_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    for broken in ("raise SystemExit(40)", "import nothing_of_that_name", "x ="):
        monkeypatch.setattr(probe, "_ASKER", broken)
        answers = read_answers(_run(Question("a", Command("echo 1"))))
        assert answers["a"].stdout == "1\n" and answers.complete
    # One that began is not begun again: what it asked must not be asked twice.
    monkeypatch.setattr(probe, "_ASKER", "raise SystemExit(41)")
    assert not read_answers(_run(Question("a", Command("echo 1"))))


FILE, NAMES = shell("ask/file"), shell("ask/names")


@pytest.fixture
def odd_folder(tmp_path: Path) -> Path:
    """Files, links and folders, and what is none of them."""
    folder = tmp_path / "odd folder"
    (folder / "below" / "a b").mkdir(parents=True)
    for name, mode in (("file", 0o640), ("below/z", 0o600), ("below/.hidden", 0o600)):
        (folder / name).write_bytes(b"\xff line\n\n")
        (folder / name).chmod(mode)
    (folder / "below").chmod(0o755)
    for name, to in (("link", "file"), ("dangling", "nowhere"), ("loop", "loop")):
        (folder / name).symlink_to(to)
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize(
    ("body", "name", "stdout", "fails"),
    [
        (FILE, "file", "640 {}\n\ufffd line\n\n", False),
        (FILE, "link", "777 {}\n\ufffd line\n\n", False),
        (FILE, "below", "755 {}\n", True),
        (FILE, "loop", "", True),
        (NAMES, "below", "a b\nz\n", False),
        (NAMES, "below/a b", "", False),
        (NAMES, "file", "", True),
        (NAMES, "loop", "", True),
        *((body, name, "absent\n", False) for body in (FILE, NAMES) for name in ("no", "file/x", "dangling")),
    ],
)
def test_what_is_asked_of_files_is_answered_alike_by_a_process_of_its_own_and_by_a_shell(
    odd_folder: Path, body: str, name: str, stdout: str, fails: bool
) -> None:
    path = str(odd_folder / name)
    answer = read_answers(_run(Question("a", script(body, path))))["a"]
    assert (answer.stdout, answer.exit_status != 0) == (stdout.format(os.getuid()), fails)
    assert not fails or (path in answer.stderr and answer.stderr.endswith("\n"))


def test_a_file_that_does_not_end_takes_its_time_limit_and_no_more(odd_folder: Path) -> None:
    path = str(odd_folder / "pipe")
    answers = read_answers(_run(Question("a", script(FILE, path), 0.3), Question("b", command("echo", "b"))))
    assert answers["a"].timed_out and answers["b"].stdout == "b\n"


def test_it_does_by_itself_what_names_a_function_of_its_own() -> None:
    for body, name in ((FILE, "tell_file"), (NAMES, "tell_names")):
        assert asker.itself(asker.words_of(script(body, "/a b").text)) == name
    for words in (("sh", "-c", "# Done by asker.py itself: os", "x", "y"), ("sh", "-c", FILE), ("cat", "x")):
        assert asker.itself(list(words)) == ""


@pytest.mark.parametrize(
    "words",
    [("hccn_tool", "-i", "0", "-ip", "-g"), ("sh", "-c", 'echo "it\'s"\n', "x", "", "a  b"), ("a'b", "''")],
)
def test_words_that_were_quoted_are_read_as_a_shell_reads_them(words: tuple[str, ...]) -> None:
    assert asker.words_of(shlex.join(words)) == list(words)


@pytest.mark.parametrize(
    "text",
    ["echo $HOME", "a | b", "a; b", "A=1 b", "echo ~", "a\nb", 'echo "a"', "echo 'a", "a\\ b", "a*", ""],
)
def test_what_a_shell_has_to_read_is_left_to_it(text: str) -> None:
    assert asker.words_of(text) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_it_starts_one_process_for_a_plain_command(tmp_path: Path, way: str) -> None:
    if way == "the shell alone":
        pytest.skip("it needs some for each")
    tool = tmp_path / "tool"
    tool.write_text('#!/bin/sh\nread -r pid _ </proc/self/stat\necho "$PPID"\n')
    tool.chmod(0o755)
    parents = read_answers(_run(*(Question(f"q{n}", command(str(tool))) for n in range(3))))
    assert len({answer.stdout for answer in parents.values()}) == 1


def _met(other: str, own: str) -> Command:
    return script('touch "$2"; while [ ! -e "$1" ]; do sleep 0.01; done; echo met', other, own)


@ONE_PROCESS
def test_what_asks_no_card_is_asked_while_another_is(tmp_path: Path) -> None:
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    answers = read_answers(
        _run(
            Question("clock", command("date", "+%s")),
            Question("card", _met(other, one)),
            Question("host", _met(one, other), beside=True),
        )
    )
    assert answers.complete and list(answers) == ["clock", "card", "host"]
    assert [answers[name].stdout for name in ("card", "host")] == ["met\n", "met\n"]


def test_long_answers_from_beside_are_whole() -> None:
    long = Question("long", Command("head -c 300000 /dev/zero | tr '\\0' x"), beside=True)
    answers = read_answers(_run(Question("a", command("true")), Question("b", command("true")), long))
    assert answers.complete and answers["long"].stdout == 300_000 * "x"


@ONE_PROCESS
def test_where_what_asks_beside_is_killed_nothing_passes_for_the_whole() -> None:
    kill = Question("kill", Command("kill -KILL $PPID; sleep 1"), beside=True)
    answers = read_answers(_run(Question("a", command("true")), Question("b", command("true")), kill))
    assert not answers.complete and "kill" not in answers
