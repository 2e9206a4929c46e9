"""``lingctl explain`` as a command: piped, on a terminal, beside nothing, and by its exit status."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests import forked

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("LINGCTL_")}


def explain(*words: str, cwd: Path, stdin: bytes | int = b"") -> tuple[int, str, str]:
    """Its exit status and both outputs."""
    pipe = subprocess.PIPE
    given = stdin if isinstance(stdin, int) else pipe
    with forked.start(
        "explain", *words, cwd=cwd, env=CLEAN, stdin=given, stdout=pipe, stderr=pipe
    ) as process:
        out, err = process.communicate(None if isinstance(stdin, int) else stdin, timeout=120)
    return process.returncode, out.decode(), err.decode()


def test_on_a_terminal_without_an_argument_it_shows_its_help(tmp_path: Path):
    ours, its = pty.openpty()
    try:
        status, out, _ = explain(cwd=tmp_path, stdin=its)
    finally:
        os.close(ours)
        os.close(its)
    assert status == 0 and "lingctl explain" in out and "EI0006" in out


def test_what_is_piped_in_is_judged_without_an_argument(tmp_path: Path):
    log = "模型加载 [ERROR] RuntimeError: NPU out of memory. Tried to allocate 2.00 GiB (NPU 3)\r\n".encode(
        "gbk"
    )
    status, out, _ = explain(cwd=tmp_path, stdin=log)
    assert status == 0
    assert out.startswith("standard input, card 3: a card's memory is full (certain)  (C1)\n")
    status, out, _ = explain("--json", cwd=tmp_path, stdin=log)
    assert (status, json.loads(out)["verdict"]["id"]) == (0, "C1")


@pytest.mark.parametrize(
    ("words", "stdin", "status"),
    [
        (["EI0006"], b"", 0),
        (["exit", "status", "134"], b"", 0),
        (["EI9999", "EI8765"], b"", 3),
        (["-"], b"[ERROR] something odd", 3),
        (["-"], b"", 2),
        (["no-such-file.log"], b"", 2),
    ],
)
def test_its_exit_status_says_whether_it_is_known(
    words: list[str], stdin: bytes, status: int, tmp_path: Path
):
    told, out, err = explain(*words, cwd=tmp_path, stdin=stdin)
    assert told == status, out + err
    assert (out if status != 2 else err).strip()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("disk-full", "docs/how-to/operate.md"),
        ("check-driver-same", "lingctl deploy --accept driver-same"),
        ("hosts-unknown-key", "lingctl init --show"),
        ("mindie-C1", "a card's memory is full"),
        ("config-maxSeqLen", "docs/reference/mindie-rules.md"),
    ],
)
def test_a_code_of_lingctl_itself_has_a_remedy_and_a_page(tmp_path: Path, code: str, words: str):
    status, out, _ = explain(code, cwd=tmp_path)
    assert (status, words in out) == (0, True)


def test_a_mistyped_code_names_its_neighbour(tmp_path: Path):
    status, _, err = explain("disc-full", cwd=tmp_path)
    assert (status, "did you mean disk-full" in err) == (2, True)


def test_a_code_that_is_also_a_folder_is_the_code_and_the_folder_with_its_slash(tmp_path: Path):
    (tmp_path / "weights").mkdir()
    assert "checkpoint" in explain("weights", cwd=tmp_path)[1]
    assert "checkpoint" not in explain("./weights", cwd=tmp_path)[1]


def test_deploy_refuses_to_accept_what_is_no_check(tmp_path: Path):
    command = ["deploy", "--accept", "driver-sam"]
    with forked.start(
        *command,
        cwd=tmp_path,
        env=CLEAN,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        _, err = process.communicate(timeout=120)
    assert (process.returncode, b"did you mean driver-same" in err) == (2, True)
