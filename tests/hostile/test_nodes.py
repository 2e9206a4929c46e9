"""A node that is broken or taken over: each case ends in a clear error within its bounds."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lingctl.release.evidence import without_secrets
from tests.field import FIELD, Case, Ran, cases, judge, lingctl, maker

NODE = FIELD / "nodes" / "forged_node.py"
CASES = [case for case in cases("nodes") if "verb" in case]
TEXTS = [case for case in cases("nodes") if case.get("how") == "redact"]


@contextmanager
def _forged(case: Case, folder: Path) -> Iterator[Path]:
    """A forged node while the block runs; the hosts.yaml that names it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    node = subprocess.Popen(
        [sys.executable, str(NODE), case.get("variant", case["name"]), str(folder), str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not (folder / "ready").exists():
            assert node.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield folder / "hosts.yaml"
    finally:
        node.kill()
        node.communicate()


def _words(case: Case, hosts: Path, bundle: Path) -> list[str | Path]:
    return [bundle if word == "BUNDLE" else word for word in case["verb"]] + ["--nodes", hosts]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_a_node_that_answers_so_is_told_of_and_hurts_nothing(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)
    bundle = tmp_path / "bundle.tar.gz"
    with _forged(case, tmp_path / "node") as hosts:
        words = _words(case, hosts, bundle)
        ran = _signalled(case, words) if "send" in case else lingctl(*words)
    assert not judge(case, ran)
    assert not list(scratch.iterdir())
    for name in case.get("bundle", {}).get("members", ()):
        assert any(member.endswith(name) for member in _members(bundle)), name


def _signalled(case: Case, words: list[str | Path]) -> Ran:
    """The installed command, sent a signal after a while."""
    begun = time.monotonic()
    with tempfile.TemporaryFile(dir="/var/tmp") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "lingctl", *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env={name: value for name, value in os.environ.items() if not name.startswith("LINGCTL_")},
        )
        # A case is about what stands while it works: by then it does.
        time.sleep(case.get("send_after", 5))
        process.send_signal(getattr(signal, case["send"]))
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    return Ran(process.returncode, text, time.monotonic() - begun, used.ru_maxrss / 1024)


def _members(bundle: Path) -> list[str]:
    with tarfile.open(bundle) as archive:
        return archive.getnames()


@pytest.mark.parametrize("case", TEXTS, ids=lambda case: str(case["name"]))
def test_a_text_has_its_secrets_taken_out_in_time(case: Case) -> None:
    text = maker(FIELD / "nodes" / "make_texts.py").CASES[case["text"]]
    begun = time.process_time()
    left = without_secrets(text.encode()).decode()
    assert time.process_time() - begun < case.get("seconds", 5)
    for secret in case.get("secrets", ()):
        assert secret not in left
    for plain in case.get("plain", ()):
        assert plain in left
