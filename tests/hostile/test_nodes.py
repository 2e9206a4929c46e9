"""A node that is broken or taken over: each case ends in a clear error within its bounds."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lingctl.release.evidence.gathered import without_secrets
from tests.field import FIELD, Case, cases, judge, lingctl, maker
from tests.forked import Forked

NODE = FIELD / "nodes" / "forged_node.py"
CASES = [case for case in cases("nodes") if "verb" in case]
TEXTS = [case for case in cases("nodes") if case.get("how") == "redact"]


@contextmanager
def _forged(case: Case, folder: Path) -> Iterator[Path]:
    """A forged node while the block runs; the hosts.yaml that names it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    node = Forked(
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
        send = getattr(signal, case["send"]) if "send" in case else None
        # A case is about what stands while it works: by then it does.
        ran = lingctl(*_words(case, hosts, bundle), send=send, after=case.get("send_after", 5))
    assert not judge(case, ran)
    assert not list(scratch.iterdir())
    for name in case.get("bundle", {}).get("members", ()):
        assert any(member.endswith(name) for member in _members(bundle)), name


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
