"""A file that is put on a node is there, whole, or nothing has changed: a real OpenSSH server, real disks."""

from __future__ import annotations

import contextlib
import hashlib
import os
import selectors
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lingctl.errors import ConnectError, NodeError
from lingctl.remote.command import script
from lingctl.remote.ssh.node import SshConnection
from lingctl.remote.upload import WriteFile
from tests.cluster.conftest import Server

OLD = b'{"the": "good one"}'
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")


@pytest.fixture
def node(sshd: Server) -> Iterator[SshConnection]:
    connection = SshConnection("node1", sshd.target)
    yield connection
    connection.close()


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@needs_root
@pytest.mark.parametrize("size", [258_049, 400_000, 5_000_000])
def test_a_full_disk_keeps_the_old_file_and_is_named_with_its_node(
    node: SshConnection, tmp_path: Path, size: int
):
    with small_disk(tmp_path / "disk", "size=256k") as disk:
        target = disk / "config.json"
        node.put(WriteFile(str(target), OLD, 0o640))
        with pytest.raises(NodeError) as caught:
            node.put(WriteFile(str(target), b"x" * size, 0o640))
        assert target.read_bytes() == OLD and names(disk) == ["config.json"]
        error = caught.value
        assert (error.where, error.code, error.exit_status) == ("node1", "disk-full", 1)
        assert f"{disk} is full" in error.what and str(target) in error.what
        assert "No space left on device" in error.evidence and "of 256 KiB are free" in error.evidence
        assert f"df -h {disk}" in error.remedy
        # The connection is as good as before, and so is the next file.
        assert node.run(script("echo still there")).stdout == "still there\n"
        node.put(WriteFile(str(target), b"y" * 100_000, 0o640))
        assert target.read_bytes() == b"y" * 100_000


@needs_root
def test_a_disk_without_an_inode_left_is_told_as_that(node: SshConnection, tmp_path: Path):
    with small_disk(tmp_path / "disk", "size=1m,nr_inodes=3") as disk:
        (disk / "a").write_text("a")
        (disk / "start.sh").write_bytes(OLD)
        with pytest.raises(NodeError) as caught:
            node.put(WriteFile(str(disk / "start.sh"), b"x" * 5000, 0o750))
        assert (disk / "start.sh").read_bytes() == OLD and names(disk) == ["a", "start.sh"]
        assert caught.value.code == "disk-full"
        assert "has no inode left" in caught.value.what
        assert f"df -i {disk}" in caught.value.remedy


@needs_root
def test_a_disk_that_is_full_before_the_first_byte_makes_no_folder_half(node: SshConnection, tmp_path: Path):
    with small_disk(tmp_path / "disk", "size=64k,nr_inodes=2") as disk:
        (disk / "ballast").touch()
        with pytest.raises(NodeError) as caught:
            node.put(WriteFile(str(disk / "new" / "folder" / "file"), b"x" * 3_000_000, 0o640))
        assert (caught.value.code, names(disk)) == ("disk-full", ["ballast"])


@needs_root
def test_a_disk_that_is_read_only_says_so(node: SshConnection, tmp_path: Path):
    with small_disk(tmp_path / "disk", "size=64k,ro") as disk:
        with pytest.raises(NodeError) as caught:
            node.put(WriteFile(str(disk / "file"), b"x" * 3_000_000, 0o640))
        assert "Read-only file system" in caught.value.what
        assert (caught.value.where, caught.value.code) == ("node1", "write-failed")


def test_a_folder_in_the_files_place_stays(node: SshConnection, tmp_path: Path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(NodeError):
        node.put(WriteFile(str(tmp_path / "taken"), b"x", 0o600))
    assert names(tmp_path) == ["taken"] and names(tmp_path / "taken") == []


@pytest.mark.parametrize("size", [0, 1, 65_536, 9_000_001])
def test_any_size_arrives(node: SshConnection, tmp_path: Path, size: int):
    content = hashlib.shake_256(b"seed").digest(size)
    target = tmp_path / "a b" / "it's $(here)\\"
    node.put(WriteFile(str(target), content, 0o440))
    assert target.read_bytes() == content and target.stat().st_mode & 0o777 == 0o440
    assert names(target.parent) == [target.name] and target.parent.stat().st_mode & 0o777 == 0o750
    assert node.get(str(target)) == content


def test_many_files_arrive_by_one_command(node: SshConnection, tmp_path: Path):
    contents = [hashlib.shake_256(bytes([number])).digest(number * 70_001) for number in range(8)]
    files = [
        WriteFile(str(tmp_path / f"n {number}" / "file"), content, 0o600 | number)
        for number, content in enumerate(contents)
    ]
    placed: list[WriteFile] = []
    node.put(*files, placed=placed.append)
    assert placed == files
    for file in files:
        target = Path(file.path)
        assert (target.read_bytes(), target.stat().st_mode & 0o777) == (file.content, file.mode)
        assert names(target.parent) == ["file"]


@needs_root
def test_where_one_of_many_does_not_fit_none_is_put_in_place(node: SshConnection, tmp_path: Path):
    with small_disk(tmp_path / "disk", "size=256k") as disk:
        files = [WriteFile(str(disk / name), b"x" * 100_000, 0o640) for name in ("a", "b", "c", "d")]
        placed: list[WriteFile] = []
        with pytest.raises(NodeError) as caught:
            node.put(*files, placed=placed.append)
        assert caught.value.code == "disk-full" and str(disk / "c") in caught.value.what
        assert (placed, names(disk)) == ([], [])
        assert node.run(script("echo still there")).stdout == "still there\n"


def test_what_was_in_place_before_another_could_not_is_told(node: SshConnection, tmp_path: Path):
    (tmp_path / "taken").mkdir()
    first, taken, last = (WriteFile(str(tmp_path / name), b"x", 0o640) for name in ("first", "taken", "last"))
    placed: list[WriteFile] = []
    with pytest.raises(NodeError) as caught:
        node.put(first, taken, last, placed=placed.append)
    assert taken.path in caught.value.what
    assert (placed, names(tmp_path)) == ([first], ["first", "taken"])


def test_two_that_put_the_same_file_do_not_meet(node: SshConnection, sshd: Server, tmp_path: Path):
    other = SshConnection("node1", sshd.target)
    contents = [bytes([number]) * 3_000_000 for number in range(4)]
    failed: list[Exception] = []

    def put(connection: SshConnection, content: bytes) -> None:
        try:
            connection.put(WriteFile(str(tmp_path / "file"), content, 0o600))
        except NodeError as error:
            failed.append(error)

    threads = [
        threading.Thread(target=put, args=((node, other)[number % 2], content))
        for number, content in enumerate(contents)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert not failed
    assert (tmp_path / "file").read_bytes() in contents and names(tmp_path) == ["file"]


def test_what_a_dead_machine_left_is_taken_away_and_what_lives_is_not(node: SshConnection, tmp_path: Path):
    old, young = tmp_path / ".file.0123abcd.part", tmp_path / ".file.4567abcd.part"
    old.touch()
    os.utime(old, (1_000_000_000, 1_000_000_000))
    young.touch()
    node.put(WriteFile(str(tmp_path / "file"), b"x", 0o600))
    assert names(tmp_path) == [young.name, "file"]


class Cutter:
    """A way to the server that is cut, for good, when a number of bytes has gone to it."""

    def __init__(self, port: int) -> None:
        self.sent = 0
        self.most: int | None = None
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                threading.Thread(target=self._pass, args=(client, server), daemon=True).start()

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, selectors.DefaultSelector() as ready, contextlib.suppress(OSError):
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    source, sink = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    data = source.recv(8192)
                    if not data:
                        return
                    if source is client:
                        self.sent += len(data)
                        if self.most is not None and self.sent > self.most:
                            return
                    sink.sendall(data)


@pytest.mark.parametrize("percent", range(0, 100, 10))
def test_a_connection_cut_in_an_upload_leaves_the_old_file_alone(sshd: Server, tmp_path: Path, percent: int):
    cutter = Cutter(sshd.port)
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{cutter.port} " + (sshd.directory / "host.pub").read_text())
    settings = replace(sshd.target, port=cutter.port, known_hosts=(str(known),))
    folder = tmp_path / "release"
    connection = SshConnection("node1", settings)
    try:
        connection.put(WriteFile(str(folder / "config.json"), OLD, 0o640))
        content = b"n" * 3_000_000
        # Over that: the command itself is longer than nothing.
        cutter.most = cutter.sent + 5000 + len(content) * percent // 100
        with pytest.raises(ConnectError) as caught:
            connection.put(WriteFile(str(folder / "config.json"), content, 0o640))
    finally:
        connection.close()
        cutter.close()
    assert (caught.value.where, caught.value.code) == ("node1", "connection-lost")
    assert "config.json" in caught.value.what
    deadline = time.monotonic() + 30
    while names(folder) != ["config.json"]:
        assert time.monotonic() < deadline, names(folder)
        time.sleep(0.02)
    assert (folder / "config.json").read_bytes() == OLD


def test_a_digest_that_differs_is_not_put_in_place(
    node: SshConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A disk, or a shell, that changes what is written."""
    target = tmp_path / "file"
    node.put(WriteFile(str(target), OLD, 0o640))
    monkeypatch.setattr("lingctl.remote.upload.WriteFile.blocks", lambda file: iter([b"y" * 1000]))
    with pytest.raises(NodeError) as caught:
        node.put(WriteFile(str(target), b"x" * 1000, 0o640))
    assert "not what was sent" in caught.value.what
    assert target.read_bytes() == OLD and names(tmp_path) == ["file"]
