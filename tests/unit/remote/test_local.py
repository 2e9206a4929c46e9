"""This machine as a node."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from lingctl.errors import NodeError
from lingctl.remote.command import script
from lingctl.remote.local import LocalConnection
from lingctl.remote.upload import WriteFile

node = LocalConnection("node1")
# It tells its process id, and goes on for longer than any test.
LONG = script("echo $$; sleep 60 & wait")


def is_gone(pid: int) -> bool:
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_ctrl_c_ends_the_command_too():
    heard: list[bytes] = []

    def interrupt(part: bytes) -> None:
        heard.append(part)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        node.run(LONG, timeout=20, on_output=interrupt)
    assert is_gone(int(heard[0]))


def test_a_command_that_takes_too_long_is_ended():
    heard: list[bytes] = []
    with pytest.raises(NodeError) as caught:
        node.run(LONG, timeout=0.5, on_output=heard.append)
    assert caught.value.code == "command-timeout"
    assert is_gone(int(heard[0]))


def test_what_its_listener_raised_is_raised_though_something_holds_the_stream_open(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("lingctl.remote.local._HELD_SECONDS", 0.2)
    heard: list[bytes] = []

    def full(part: bytes) -> None:
        heard.append(part)
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        node.run(script("sleep 20 & echo $!; sleep 0.1; echo more"), timeout=10, on_output=full)
    os.kill(int(heard[0]), signal.SIGKILL)
    assert len(heard) == 1


def test_a_file_that_could_not_be_put_leaves_nothing_behind(tmp_path: Path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(NodeError) as caught:
        node.put(WriteFile(str(tmp_path / "taken"), b"text", 0o600))
    assert caught.value.code == "write-failed"
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_file_is_put_with_its_mode(tmp_path: Path):
    node.put(WriteFile(str(tmp_path / "new" / "file"), b"text", 0o640))
    assert node.get(str(tmp_path / "new" / "file")) == b"text"
    assert (tmp_path / "new" / "file").stat().st_mode & 0o777 == 0o640
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_a_file_is_not_read_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lingctl.remote.connection._MOST_BYTES", 1 << 20)
    file = tmp_path / "file"
    file.write_bytes(bytes(1 << 20))
    assert len(node.get(str(file))) == 1 << 20
    file.write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(NodeError) as caught:
        node.get(str(file))
    assert caught.value.code == "read-failed" and "longer than 1 MiB" in caught.value.what
