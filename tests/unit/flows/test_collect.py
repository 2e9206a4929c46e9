"""What comes out of a node's archive, and what may not."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from lingctl.errors import NodeError
from lingctl.flows.collect import _members


def archive(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            member.size = 2 if member.isfile() else 0
            tar.addfile(member, io.BytesIO(b"hi"))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_only_regular_files_below_the_node_s_folder_pass(tmp_path: Path):
    part = archive(
        tmp_path / "part",
        entry("./worker-0.log"),
        entry("../../etc/passwd"),
        entry("/etc/passwd"),
        entry("link", tarfile.SYMTYPE, "/etc/shadow"),
        entry("device", tarfile.CHRTYPE),
    )
    assert list(_members("node1", part)) == [(PurePosixPath("worker-0.log"), b"hi")]


@pytest.mark.parametrize("content", [b"", b"not a tar"])
def test_what_is_not_whole_is_an_error_that_names_the_node(tmp_path: Path, content: bytes):
    part = tmp_path / "part"
    part.write_bytes(content)
    with pytest.raises(NodeError) as caught:
        list(_members("node2", part))
    assert (caught.value.code, caught.value.where) == ("evidence-damaged", "node2")


def test_one_that_was_cut_short_is_an_error(tmp_path: Path):
    whole = archive(tmp_path / "part", *(entry(f"file{n}") for n in range(50))).read_bytes()
    (tmp_path / "part").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NodeError):
        list(_members("node2", tmp_path / "part"))
