"""Files that are written here, on disks that are full for real."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lingctl.errors import LingctlError, NodeError
from lingctl.flows.files.render import Rendered, write_files
from lingctl.flows.run.whole_file import no_room, whole_file, write_file
from lingctl.node.fetch.folder import copy
from lingctl.node.fetch.listing import ListedFile
from lingctl.node.files import system_trouble, write_all, write_whole
from lingctl.remote.local import LocalConnection
from lingctl.remote.upload import WriteFile

OLD = b"the good one"


@pytest.fixture(params=["size=64k", "size=1m,nr_inodes=3"], ids=["bytes", "inodes"])
def full(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A disk with one file of ours, and no room for another that is larger."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", request.param, "tmpfs", str(disk)], check=True)
    (disk / "node1").mkdir()
    (disk / "node1" / "file").write_bytes(OLD)
    if "nr_inodes" not in request.param:
        subprocess.run(["sh", "-c", f"cat /dev/zero >{disk}/ballast"], stderr=subprocess.DEVNULL)
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def by_render(folder: Path, content: bytes) -> None:
    write_files([Rendered("node1", "file", "", content, 0o640)], folder)


def by_connection(folder: Path, content: bytes) -> None:
    LocalConnection().put(WriteFile(str(folder / "node1" / "file"), content, 0o640))


@pytest.mark.parametrize("write", [by_render, by_connection])
def test_the_old_file_stays_and_the_disk_is_named(full: Path, write) -> None:
    with pytest.raises(LingctlError) as caught:
        write(full, b"x" * 200_000)
    assert (caught.value.code, caught.value.exit_status) == ("disk-full", 1)
    assert caught.value.where == "this machine" and f"disk of {full}" in caught.value.what
    assert "tmpfs" in caught.value.evidence and str(full) in caught.value.remedy
    assert (full / "node1" / "file").read_bytes() == OLD
    assert [path.name for path in (full / "node1").iterdir()] == ["file"]


def test_a_node_program_names_the_disk_too(full: Path) -> None:
    target = full / "node1" / "file"
    with pytest.raises(OSError) as caught:
        write_whole(str(target), b"x" * 200_000)
    trouble = system_trouble(caught.value)
    assert trouble.code == "disk-full" and trouble.where.startswith(str(full / "node1"))
    assert str(full) in trouble.evidence and str(full) in trouble.remedy
    assert target.read_bytes() == OLD and [path.name for path in target.parent.iterdir()] == ["file"]


def test_it_takes_its_name_with_its_mode_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file"
    with whole_file(target, 0o600) as file:
        file.write(OLD)
        assert not target.exists()
    assert target.read_bytes() == OLD and target.stat().st_mode & 0o777 == 0o600
    write_file(target, b"next")
    assert target.read_bytes() == b"next" and target.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ZeroDivisionError), whole_file(target) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert target.read_bytes() == b"next" and len(list(target.parent.iterdir())) == 1


def test_a_link_is_followed_and_a_device_written_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_file(tmp_path / "link", OLD)
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_bytes() == OLD
    write_file(Path("/dev/null"), OLD)
    assert Path("/dev/null").is_char_device()
    with pytest.raises(OSError) as caught:
        write_file(Path("/dev/full"), OLD)
    assert isinstance(no_room(caught.value, Path("/dev/full")), NodeError)


def test_a_copy_is_not_believed_whose_last_block_was_written_in_part(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel takes what fits and says so; without a buffer, Python passes that on."""
    monkeypatch.setattr("lingctl.node.files._BLOCK", 4_000_000)
    source = tmp_path / "source"
    source.write_bytes(os.urandom(2_000_000))
    (full / "ballast").unlink(missing_ok=True)
    target = full / "node1" / "file"
    with pytest.raises(OSError) as caught:
        copy(str(source), str(target), ListedFile("file", 2_000_000, None), lambda path, done: None)
    assert no_room(caught.value, target) is not None


def test_what_a_file_takes_in_parts_is_written_in_parts() -> None:
    class Slow(io.RawIOBase):
        taken = b""

        def write(self, data) -> int:
            self.taken += bytes(data[:3])
            return len(data[:3])

    file = Slow()
    write_all(file, b"0123456789")
    assert file.taken == b"0123456789"
