"""The real ModelScope client, run by the installed command, against a hub with faults."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import signal
import stat
import sys
import time
from pathlib import Path

import pytest

from lingctl.node.fetch import worker
from lingctl.node.fetch.folder import FolderSource
from lingctl.node.fetch.hubs.source import HubSource
from lingctl.node.fetch.place import Place
from lingctl.node.fetch.request import Request
from lingctl.node.fetch.worker import download
from lingctl.node.trouble import Trouble
from tests.hub_server import HASH_OF_NOTHING, Fault, Hub, proxy

from .conftest import LARGE, REPOSITORY, SMALL, Lingctl, contents


def _listed(folder: Path) -> dict[str, bytes]:
    """Every file under its final name, but for our own notes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".download" not in path.parts and path.name != ".lingctl-manifest.json"
    }


def _nothing_wrong(folder: Path) -> None:
    wanted = contents()
    for name, content in _listed(folder).items():
        assert content == wanted[name], f"{name} stands there with wrong bytes"


def test_fetches_every_file_as_listed_and_sets_its_mode(lingctl: Lingctl, hub: Hub, tmp_path: Path) -> None:
    target = tmp_path / "Tiny"
    ran = lingctl("download", REPOSITORY, "--to", target, "--json")
    assert ran.status == 0, ran.stderr
    assert _listed(target) == contents()
    assert ran.document["fetched_files"] == len(contents())
    assert len(ran.document["digest"]) == 64
    assert stat.S_IMODE(target.stat().st_mode) == 0o750
    assert stat.S_IMODE((target / LARGE).stat().st_mode) == 0o640
    assert hub.served[LARGE] == len(contents()[LARGE])


def test_a_second_run_fetches_nothing(lingctl: Lingctl, hub: Hub, tmp_path: Path) -> None:
    first = lingctl("download", REPOSITORY, "--to", tmp_path / "t", "--json")
    hub.served.clear()
    second = lingctl("download", REPOSITORY, "--to", tmp_path / "t", "--json")
    assert (second.status, second.document["fetched_files"], sum(hub.served.values())) == (0, 0, 0)
    assert second.document["digest"] == first.document["digest"]


def test_a_damaged_file_is_found_and_only_it_is_fetched_again(
    lingctl: Lingctl, hub: Hub, tmp_path: Path
) -> None:
    target = tmp_path / "t"
    lingctl("download", REPOSITORY, "--to", target, "--json")
    damaged = bytearray((target / SMALL).read_bytes())
    damaged[1000] ^= 4
    (target / SMALL).write_bytes(damaged)
    hub.served.clear()
    ran = lingctl("download", REPOSITORY, "--to", target, "--json")
    assert (ran.status, ran.document["replaced"]) == (0, [SMALL])
    assert dict(hub.served) == {SMALL: len(contents()[SMALL])}
    assert _listed(target) == contents()


def test_recheck_finds_damage_that_left_size_and_time_alone(lingctl: Lingctl, tmp_path: Path) -> None:
    target = tmp_path / "t"
    lingctl("download", REPOSITORY, "--to", target)
    before = (target / SMALL).stat()
    damaged = bytearray((target / SMALL).read_bytes())
    damaged[5] ^= 1
    (target / SMALL).write_bytes(damaged)
    os.utime(target / SMALL, ns=(before.st_atime_ns, before.st_mtime_ns))
    ran = lingctl("download", REPOSITORY, "--to", target, "--recheck", "--json")
    assert (ran.status, ran.document["replaced"]) == (0, [SMALL])
    assert _listed(target) == contents()


def test_a_config_that_a_deploy_rewrote_stays(lingctl: Lingctl, tmp_path: Path) -> None:
    target = tmp_path / "t"
    lingctl("download", REPOSITORY, "--to", target)
    original = (target / "config.json").read_bytes()
    (target / "config.json.bak").write_bytes(original)
    (target / "config.json").write_bytes(b'{"head_dim": 128}')
    ran = lingctl("download", REPOSITORY, "--to", target, "--json")
    assert (ran.status, ran.document["kept"], ran.document["replaced"]) == (0, ["config.json"], [])
    assert (target / "config.json").read_bytes() == b'{"head_dim": 128}'


def _faulty(hub: Hub, faults: dict[str, Fault]) -> dict[str, bytes]:
    """A repository with one file for each fault, large enough for parts where the fault is of the large."""
    chance = random.Random(5)
    files = {
        f"{name}.bin": chance.randbytes(2_500_000 if name.startswith("large") else 150_000) for name in faults
    }
    hub.files[REPOSITORY] = files
    for name, fault in faults.items():
        fault.path = f"{name}.bin"
    hub.faults = list(faults.values())
    return files


def test_passing_faults_end_with_right_bytes(lingctl: Lingctl, hub: Hub, tmp_path: Path) -> None:
    files = _faulty(
        hub,
        {
            "large-reset": Fault("reset", times=2, after=700_000),
            "large-wrong-part": Fault("flipped", times=1),
            "large-without-ranges": Fault("no-range"),
            "large-503": Fault("status", times=1, status=503),
            "short-body": Fault("short", times=1, after=100_000),
            "wrong-bytes": Fault("flipped", times=1),
            "truncated": Fault("truncated", times=1, after=1000),
            "nothing": Fault("empty", times=1),
            "429": Fault("status", times=1, status=429, retry_after=1),
            "slow": Fault("slow", times=1, rate=200_000),
        },
    )
    hub.faults.append(Fault("status", "<list>", times=1, status=429, retry_after=1))
    ran = lingctl("download", REPOSITORY, "--to", tmp_path / "t", "--json")
    assert ran.status == 0, ran.stderr
    assert _listed(tmp_path / "t") == files


NAMED = {
    "wrong-bytes": (Fault("flipped"), "wrong-bytes"),
    "truncated": (Fault("truncated", after=1000), "wrong-bytes"),
    "nothing": (Fault("empty"), "wrong-bytes"),
    "500": (Fault("status", status=500), "hub-server-error"),
    "429": (Fault("status", status=429, retry_after=0), "hub-busy"),
    "403": (Fault("status", status=403), "hub-refused"),
    "gone": (Fault("status", status=404), "hub-not-found"),
    "reset": (Fault("reset", after=0), "hub-unreachable"),
}


def test_lasting_faults_are_named_file_by_file(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _faulty(hub, {name: Fault(**vars(fault)) for name, (fault, _) in NAMED.items()})
    hub.files[REPOSITORY]["good.bin"] = b"good"
    monkeypatch.setenv("MODELSCOPE_DOWNLOAD_MAX_RETRIES", "0")
    monkeypatch.setenv("MODELSCOPE_HOME", str(tmp_path / "home"))
    request = Request(source="modelscope", repository=REPOSITORY, endpoint=hub.url, python=sys.executable)
    place = Place(str(tmp_path / "t"))
    place.make()
    source = HubSource(request, place)
    arrived: list[str] = []
    failures = source.fetch(
        source.listing(), place, lambda *_: None, lambda file, _: arrived.append(file.path)
    )
    named = {failure.path: failure.trouble.code for failure in failures}
    assert named == {f"{name}.bin": code for name, (_, code) in NAMED.items()}
    assert all(failure.trouble.remedy for failure in failures)
    assert arrived == ["good.bin"]


def test_a_lasting_fault_fails_the_command_and_keeps_the_rest(
    lingctl: Lingctl, hub: Hub, tmp_path: Path
) -> None:
    hub.faults = [Fault("status", SMALL, status=403)]
    ran = lingctl("download", REPOSITORY, "--to", tmp_path / "t", "--json")
    assert (ran.status, ran.document["code"]) == (1, "hub-refused")
    assert SMALL in ran.document["what"]
    assert "Traceback" not in ran.stderr
    assert {**_listed(tmp_path / "t"), SMALL: contents()[SMALL]} == contents()


def test_the_hash_of_nothing_in_the_list_is_named(lingctl: Lingctl, hub: Hub, tmp_path: Path) -> None:
    hub.listed_sha[SMALL] = HASH_OF_NOTHING
    ran = lingctl("download", REPOSITORY, "--to", tmp_path / "t", "--json")
    assert (ran.status, ran.document["code"]) == (1, "hub-hash-of-nothing")
    assert SMALL in ran.document["what"]
    assert sum(hub.served.values()) == 0


def _clients(folder: Path) -> list[int]:
    """The hub's clients that were started with this folder as their home: each ends with its parent."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            home = f"MODELSCOPE_HOME={folder}/".encode()
            if home in (entry / "environ").read_bytes() and b"_client" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def test_killed_and_run_again_it_fetches_only_what_is_missing(
    lingctl: Lingctl, hub: Hub, tmp_path: Path
) -> None:
    hub.faults = [Fault("slow", LARGE, rate=500_000)]
    process = lingctl.start("download", REPOSITORY, "--to", tmp_path / "t")
    deadline = time.monotonic() + 120
    while hub.served[LARGE] < 1_500_000 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    while (clients := _clients(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not clients
    _nothing_wrong(tmp_path / "t")
    assert LARGE not in _listed(tmp_path / "t")
    came = hub.served[LARGE]
    hub.faults = []
    ran = lingctl("download", REPOSITORY, "--to", tmp_path / "t", "--json")
    assert ran.status == 0, ran.stderr
    assert _listed(tmp_path / "t") == contents()
    # What was under way in sockets when it was killed comes twice, and nothing else.
    assert came > 1_000_000
    assert len(contents()[LARGE]) <= hub.served[LARGE] < len(contents()[LARGE]) + 500_000


def test_an_unreachable_hub_is_named(lingctl: Lingctl, tmp_path: Path) -> None:
    lingctl.environment["MODELSCOPE_ENDPOINT"] = "http://127.0.0.1:9"
    lingctl.environment["MODELSCOPE_REPO_TREE_PAGE_MAX_ATTEMPTS"] = "1"
    ran = lingctl("download", REPOSITORY, "--to", tmp_path / "t", "--json")
    assert (ran.status, ran.document["code"]) == (1, "hub-unreachable")


def test_an_unknown_repository_is_named(lingctl: Lingctl, tmp_path: Path) -> None:
    ran = lingctl("download", "someone/Else", "--to", tmp_path / "t", "--json")
    assert (ran.status, ran.document["code"]) == (1, "hub-not-found")


def test_goes_through_a_proxy(lingctl: Lingctl, hub: Hub, tmp_path: Path) -> None:
    seen: list[str] = []
    with proxy(seen) as address:
        ran = lingctl("download", REPOSITORY, "--to", tmp_path / "t", "--proxy", address, "--json")
    assert ran.status == 0, ran.stderr
    assert _listed(tmp_path / "t") == contents()
    assert any(url.startswith(f"{hub.url}/api/v1/models/{REPOSITORY}/repo") for url in seen)


def test_a_token_reaches_the_hub_and_no_file(lingctl: Lingctl, hub: Hub, tmp_path: Path) -> None:
    lingctl.environment["MODELSCOPE_API_TOKEN"] = "ms-secret-token"
    ran = lingctl("download", REPOSITORY, "--to", tmp_path / "t")
    assert ran.status == 0
    assert "ms-secret-token" in hub.tokens
    for path in (tmp_path / "t").rglob("*"):
        assert not path.is_file() or b"ms-secret-token" not in path.read_bytes()


def test_a_full_disk_is_told_before_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "free_space", lambda _: 1000)
    request = Request(source="folder", repository=str(tmp_path))
    (tmp_path / "a.safetensors").write_bytes(b"x" * 5000)
    with pytest.raises(Trouble) as caught:
        download(request, str(tmp_path / "t"), lambda _: None)
    assert caught.value.code == "disk-space"
    assert not list((tmp_path / "t").glob("*.safetensors"))


def test_a_folder_of_the_source_that_cannot_be_read_is_told_and_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk" / "code").mkdir(parents=True)
    (tmp_path / "disk" / "lost+found").mkdir()
    (tmp_path / "disk" / "a.safetensors").write_bytes(b"x")
    look = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name in closed:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return look(path)

    monkeypatch.setattr(os, "scandir", refuse)
    closed = {"code"}
    with pytest.raises(Trouble) as caught:
        FolderSource(str(tmp_path / "disk")).listing()
    assert (caught.value.code, caught.value.where) == ("not-allowed", str(tmp_path / "disk" / "code"))
    closed = {"lost+found"}
    assert [file.path for file in FolderSource(str(tmp_path / "disk")).listing()] == ["a.safetensors"]
