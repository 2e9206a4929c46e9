"""What comes out of a node's archive, and what may not."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from lingctl.errors import ConnectError, NodeError, NotAskedError
from lingctl.events import Event, ignore
from lingctl.flows.look.evidence import collect, node_archive
from lingctl.flows.look.evidence.bundle import pack
from lingctl.flows.look.evidence.node_archive import ArchiveMember, archive_members
from lingctl.flows.look.evidence.node_part import GatheredPart, contents_in_words
from lingctl.flows.look.explain.answers import explain
from lingctl.flows.look.reading import blocks
from lingctl.release.site import site_of
from lingctl.remote.group import Group
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
    members = list(archive_members("node1", part.open("rb")))
    assert members[0] == ArchiveMember(PurePosixPath("worker-0.log"), b"hi")
    # The two that point elsewhere are named; links and devices are none of ours.
    assert [(str(one.path), one.content) for one in members[1:]] == [("unnamed", b"")] * 2
    assert "etc/passwd" in members[1].left_out


def _part(path: Path, trouble: str = "") -> GatheredPart:
    return GatheredPart(path.open("rb"), trouble)


@pytest.mark.parametrize("content", [b"", b"not a tar"])
def test_what_is_not_whole_is_an_error_that_names_the_node(tmp_path: Path, content: bytes):
    part = tmp_path / "part"
    part.write_bytes(content)
    with pytest.raises(NodeError) as caught:
        list(archive_members("node2", part.open("rb")))
    assert (caught.value.code, caught.value.where) == ("evidence-damaged", "node2")


def test_one_that_was_cut_short_is_an_error(tmp_path: Path):
    whole = archive(tmp_path / "part", *(entry(f"file{n}") for n in range(50))).read_bytes()
    (tmp_path / "part").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NodeError):
        list(archive_members("node2", (tmp_path / "part").open("rb")))


def test_a_node_that_sent_half_does_not_cost_the_others_theirs(tmp_path: Path):
    good = archive(tmp_path / "good", entry("worker-0.log"))
    half = tmp_path / "half"
    whole = archive(tmp_path / "whole", *(entry(f"file{n}") for n in range(50))).read_bytes()
    half.write_bytes(whole[: len(whole) // 2])
    target, parts = tmp_path / "out.tar.gz", {"node1": _part(half), "node2": _part(good)}
    cluster = cluster_of("node1", "node2")
    bundle = pack(cluster, tmp_path / "hosts.yaml", target, parts, {}, None)
    assert list(bundle.missing) == ["node1"] and "only a part could be gathered" in bundle.missing["node1"]
    with tarfile.open(target) as tar:
        assert "out/node2/worker-0.log" in tar.getnames()
        readme = tar.extractfile("out/README.txt")
        assert readme is not None and b"node1: only a part could be gathered" in readme.read()


def test_that_the_check_could_not_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise NodeError("no answer that can be read", where="node1")

    monkeypatch.setattr(collect, "check_network", broken)
    monkeypatch.setattr(collect, "clocks_apart", lambda *_: {})
    heard: list[Event] = []
    nowhere = Group({}, {"node1": ConnectError("no route to node1")})
    cluster, target = cluster_of("node1"), tmp_path / "out.tar.gz"
    collect.collect(nowhere, cluster, tmp_path / "hosts.yaml", target, heard.append)
    assert any("check-network" in event.text and "no answer" in event.text for event in heard)


def test_a_node_that_was_left_out_is_named_and_is_none_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cluster = cluster_of("node1", "node2", "node3")
    refused = {"node2": NotAskedError("not asked"), "node3": ConnectError("no route to node3")}
    monkeypatch.setattr(collect, "clocks_apart", lambda *_: {})
    target = tmp_path / "out.tar.gz"
    bundle = collect.collect(
        Group({}, {"node1": ConnectError("no route to node1"), **refused}),
        cluster,
        tmp_path / "hosts.yaml",
        target,
        ignore,
        check=False,
    )
    assert list(bundle.missing) == ["node1", "node3"]
    with tarfile.open(target) as tar:
        readme = tar.extractfile("out/README.txt")
        assert readme is not None and b"node2: not asked, as --node named others" in readme.read()


def logs_of(path: Path, console: bytes, status: str, started: str) -> GatheredPart:
    files = {"worker-0.log": console, "lingctl/daemon.exit": status.encode(), f"lingctl/{started}": b"digest"}
    return files_of(path, files)


def files_of(path: Path, files: dict[str, bytes]) -> GatheredPart:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = entry(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return _part(path)


@pytest.mark.parametrize(
    ("status", "started", "told"),
    [("137", "started", True), ("", "started", False), ("134", "last-started", False)],
    ids=["ended", "alive", "stopped on request"],
)
def test_the_first_cause_of_all_nodes_is_told(tmp_path: Path, status: str, started: str, told: bool):
    lost = b"EI0006 wait socket establish timeout, role[0] rank[0] timeout[120 s]\n"
    cause = "加载 [ERROR] RuntimeError: NPU out of memory. Tried to allocate 2.00 GiB (NPU 3)\n".encode("gbk")
    parts = {
        "node1": logs_of(tmp_path / "part1", lost, status, started),
        "node2": logs_of(tmp_path / "part2", cause + lost * 20_000, status, started),
    }
    cluster, target = cluster_of("node1", "node2"), tmp_path / "out.tar.gz"
    bundle = pack(cluster, tmp_path / "hosts.yaml", target, parts, {}, None)
    assert bundle.cause == ("node2, card 3: a card's memory is full (certain)  (C1)" if told else "")
    with tarfile.open(target) as tar:
        readme = tar.extractfile("out/README.txt")
        assert readme is not None and (b"The first cause of all: node2, card 3" in readme.read()) is told


STOPPED = "[2026-11-28 02:10:00.000001] [1] [2] [daemon] [INFO] [daemon.cpp:1] Received exit signal[15]\n"
SERVES = "[2026-11-28 02:20:00.000001] [3] [4] [daemon] [INFO] [daemon.cpp:2] Daemon start success!\n"
LOGS = site_of(cluster_of("node1")).log_places[0]


def restarted(state: str, noted: str) -> dict[str, bytes]:
    """A node whose daemon was stopped and started again, and writes on in a log of MindIE's."""
    return {
        "worker-0.log": SERVES.encode(),
        "lingctl/started": b"digest\n42\n",
        "lingctl/daemon.state": state.encode(),
        "lingctl/log-sizes": noted.encode(),
        "mindie/log/debug/goes-on.log": (STOPPED + SERVES).encode(),
        "mindie/log/debug/old.log": STOPPED.encode(),
        "process_log/debug/plog/anew.log": b"begun anew\n",
    }


NOTED = (
    f"{len(STOPPED):>7} {LOGS}/goes-on.log\n{len(STOPPED):>7} {LOGS}/old.log\n"
    "     99 /root/ascend/log/debug/plog/anew.log\n      0 /root/atb/log/empty.log\n    400 total\n"
)


@pytest.mark.parametrize("noted", [NOTED, ""], ids=["noted", "not noted"])
@pytest.mark.parametrize("state", ["alive 42\n", "dead\n"])
def test_of_a_service_that_was_restarted_the_stop_before_is_no_cause(tmp_path: Path, noted: str, state: str):
    target, runs = tmp_path / "out.tar.gz", state.startswith("alive")
    parts = {"node1": files_of(tmp_path / "part", restarted(state, noted))}
    bundle = pack(cluster_of("node1"), tmp_path / "hosts.yaml", target, parts, {}, None)
    told = explain([str(target)], io.BytesIO()).verdict
    assert told is not None
    with tarfile.open(target) as tar:
        packed = {one.name: file.read() for one in tar if (file := tar.extractfile(one))}
    assert (b"  the daemon runs" in packed["out/README.txt"]) is runs
    if noted or runs:
        assert (bundle.explained["node1"], told.confidence) == ((), "none")
        assert told.words == ("the daemon runs; " if runs else "") + "no trouble is seen in it"
    if noted:
        assert packed["out/node1/mindie/log/debug/goes-on.log"] == SERVES.encode()
        before = "out/node1/lingctl/before/mindie/log/debug"
        assert packed[f"{before}/goes-on.log"] == packed[f"{before}/old.log"] == STOPPED.encode()
        assert "out/node1/mindie/log/debug/old.log" not in packed
    assert packed["out/node1/process_log/debug/plog/anew.log"] == b"begun anew\n"


def test_no_secret_comes_through_a_cut(tmp_path: Path):
    token = "hf_" + "aB3dE5gH1j" * 4
    log = f"it asks with {token} and is refused\n".encode()
    files = {"lingctl/log-sizes": f"  20 {LOGS}/key.log\n".encode(), "mindie/log/debug/key.log": log}
    parts = {"node1": files_of(tmp_path / "part", files)}
    pack(cluster_of("node1"), tmp_path / "hosts.yaml", tmp_path / "out.tar.gz", parts, {}, None)
    with tarfile.open(tmp_path / "out.tar.gz") as tar:
        packed = [file.read() for one in tar if (file := tar.extractfile(one))]
    assert len(packed) == 3 and not any(b"hf_aB3d" in content for content in packed)


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
    parts = {"node1": _part(tmp_path / "part")}
    pack(cluster_of("node1"), tmp_path / "hosts.yaml", tmp_path / "out.tar.gz", parts, {}, None)
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

    monkeypatch.setattr("lingctl.flows.look.evidence.bundle._readme", watched)
    for fails in (True, False):
        with contextlib.suppress(OSError):
            pack(cluster_of("node1"), tmp_path / "hosts.yaml", target, {}, {}, None)
        assert [path.name for path in tmp_path.iterdir()] == ([] if fails else ["out.tar.gz"])
    assert modes == ["0o600"] * 2 and target.stat().st_mode & 0o777 == 0o600


def _packed(tmp_path: Path, content: bytes) -> GatheredPart:
    (tmp_path / "made").write_bytes(gzip.compress(content, 1))
    return _part(tmp_path / "made")


def _member(name: bytes, data: bytes = b"x", kind: bytes = b"0", size: int | None = None) -> bytes:
    """A member as tar writes it; its header may lie about the size."""
    head = bytearray(512)
    head[: len(name)] = name
    head[100:124] = b"0000644\0" * 3
    count = len(data) if size is None else size
    head[124:136] = b"%011o\0" % count if count < 8**11 else b"\x80" + count.to_bytes(11, "big")
    head[136:148] = b"%011o\0" % 0
    head[148:157] = b" " * 8 + kind
    head[257:265] = b"ustar\x0000"
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + data + bytes(-len(data) % 512)


END = bytes(1024)


def test_names_longer_than_a_header_are_those_that_tar_wrote(tmp_path: Path) -> None:
    long = "process_log/" + "a" * 120 + "/" + "b" * 140 + ".log"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
            for name in (
                long if form != tarfile.USTAR_FORMAT else "p" * 90 + "/" + "q" * 90,
                "日志/权重.log",
                "x",
            ):
                one = entry(name)
                one.size = 2
                tar.addfile(one, io.BytesIO(b"hi"))
            wanted = tar.getnames()
        found = list(_packed(tmp_path, buffer.getvalue()).members("node1"))
        assert [str(one.path) for one in found] == wanted
        assert {one.content for one in found} == {b"hi"}


def test_what_is_too_long_is_cut_and_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_archive, "MOST_OF_A_MEMBER", 1000)
    content = _member(b"worker-0.log", b"y" * 5000) + _member(b"next") + END
    first, following = _packed(tmp_path, content).members("node1")
    assert (first.content, first.left_out) == (b"y" * 1000, "4,000 bytes behind the first 1,000")
    assert (str(following.path), following.content) == ("next", b"x")


def test_names_that_a_terminal_would_obey_are_written_out(tmp_path: Path) -> None:
    content = _member(b"a\x1b]0;t\x07\xff/\xe2\x80\xaeb") + END
    (only,) = _packed(tmp_path, content).members("node1")
    assert str(only.path) == r"a\x1b]0;t\x07\xff/\u202eb"


HOSTILE = {
    "a sum that is wrong": b"x" * 512 + END,
    "a size that is none": _member(b"a").replace(b"00000000001\0", b"-0000000001\0"),
    "a size beyond all": _member(b"a", size=1 << 60),
    "a long name without an end": _member(b"././@LongLink", b"n" * 200_000, b"L"),
    "an extended header without an end": _member(b"x", b"9" * 200_000, b"x"),
    "an extended header that makes no sense": _member(b"x", b"99999 path=a\n", b"x") + _member(b"a") + END,
    "a size that is said twice": _member(b"x", b"9 size=1\n", b"x") + _member(b"a") + END,
    "members without an end": _member(b"a", b"") * 20_001 + END,
    "nothing behind the header": _member(b"a", b"", size=100),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_damaged_and_nothing_worse(name: str, tmp_path: Path) -> None:
    with pytest.raises(NodeError) as caught:
        list(_packed(tmp_path, HOSTILE[name]).members("node1"))
    assert (caught.value.code, caught.value.where) == ("evidence-damaged", "node1")


def test_an_archive_that_unpacks_without_an_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "MOST_UNPACKED", 10_000_000)
    content = b"".join(_member(b"a%d" % number, bytes(400_000)) for number in range(50))
    with pytest.raises(NodeError, match="not whole"):
        list(_packed(tmp_path, content).members("node1"))


def test_what_a_bundle_will_hold_is_told_in_a_line(tmp_path: Path) -> None:
    content = b"".join(_member(name) for name in (b"worker-0.log", b"lingctl/a", b"lingctl/b/c")) + END
    assert (
        contents_in_words("node1", _packed(tmp_path, content))
        == "3 files, 0.0 MB: lingctl/ (2), worker-0.log"
    )
