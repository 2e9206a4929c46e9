"""What comes out of a node's archive, and what may not."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from lingctl.errors import NodeError
from lingctl.flows.look.collect import _members, _pack
from tests.unit.release.conftest import cluster_of


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


def test_a_node_that_sent_half_does_not_cost_the_others_theirs(tmp_path: Path):
    good = archive(tmp_path / "good", entry("worker-0.log"))
    half = tmp_path / "half"
    whole = archive(tmp_path / "whole", *(entry(f"file{n}") for n in range(50))).read_bytes()
    half.write_bytes(whole[: len(whole) // 2])
    target, parts = tmp_path / "out.tar.gz", {"node1": half, "node2": good}
    cluster = cluster_of("node1", "node2")
    bundle = _pack(cluster, tmp_path / "hosts.yaml", target, parts, {}, None, tmp_path)
    assert list(bundle.missing) == ["node1"] and "only a part could be gathered" in bundle.missing["node1"]
    with tarfile.open(target) as tar:
        assert "out/node2/worker-0.log" in tar.getnames()
        readme = tar.extractfile("out/README.txt")
        assert readme is not None and b"node1: only a part could be gathered" in readme.read()


def test_a_secret_in_a_compressed_log_is_removed_and_what_cannot_be_searched_is_left_out(tmp_path: Path):
    secret = b"[ERROR] login with api_key=hunter2secret failed\n"
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w") as tar:
        tar.addfile(entry("empty"))
    files = {
        "device_log/old.log.gz": gzip.compress(secret),
        "process_log/named-otherwise": gzip.compress(b"EJ0001 first") + gzip.compress(b" second\n"),
        "device_log/old.bz2": bz2.compress(secret),
        "device_log/twice.gz": gzip.compress(gzip.compress(secret)),
        "device_log/old.tar.gz": gzip.compress(inner.getvalue()),
        "device_log/cut.gz": gzip.compress(secret)[:-9],
        "device_log/bomb.gz": gzip.compress(bytes(100_000_001), 1),
    }
    with tarfile.open(tmp_path / "part", "w:gz") as tar:
        for name, content in files.items():
            member = entry(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    parts = {"node1": tmp_path / "part"}
    _pack(cluster_of("node1"), tmp_path / "hosts.yaml", tmp_path / "out.tar.gz", parts, {}, None, tmp_path)
    with tarfile.open(tmp_path / "out.tar.gz") as tar:
        packed = {one.name: file.read() for one in tar if (file := tar.extractfile(one))}
    readme = packed.pop("out/README.txt").decode()
    assert {name: gzip.decompress(content) for name, content in packed.items()} == {
        "out/node1/device_log/old.log.gz": b"[ERROR] login with api_key=[removed] failed\n",
        "out/node1/process_log/named-otherwise": b"EJ0001 first second\n",
    }
    for line in (
        "old.bz2 was left out: it holds a bzip2, which is not searched for secrets",
        "twice.gz was left out: it holds a gzip, which is not searched for secrets",
        "old.tar.gz was left out: it holds a tar, which is not searched for secrets",
        "cut.gz was left out: its gzip is not whole: ",
        "bomb.gz was left out: it is longer than 100 MB when unpacked",
    ):
        assert f"node1/device_log/{line}" in readme


def test_the_evidence_is_for_its_owner_alone_and_there_whole_or_not_at_all(tmp_path: Path, monkeypatch):
    target, modes = tmp_path / "out.tar.gz", []

    def watched(*_: object) -> str:
        modes.extend(oct(path.stat().st_mode & 0o777) for path in tmp_path.glob("*out.tar.gz*"))
        if fails:
            raise OSError(28, "No space left on device")
        return ""

    monkeypatch.setattr("lingctl.flows.look.collect._readme", watched)
    for fails in (True, False):
        with contextlib.suppress(OSError):
            _pack(cluster_of("node1"), tmp_path / "hosts.yaml", target, {}, {}, None, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ([] if fails else ["out.tar.gz"])
    assert modes == ["0o600"] * 2 and target.stat().st_mode & 0o777 == 0o600
