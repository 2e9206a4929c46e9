"""Programs in the background: who holds a folder, how they end, and what of a request stays on the disk."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lingctl.assets import shell
from lingctl.flows.weights.spread.certificates import Authority
from lingctl.node.fetch import background, program, worker
from lingctl.node.fetch.hubs.source import HubSource
from lingctl.node.fetch.listing import ListedFile
from lingctl.node.fetch.place import Place
from lingctl.node.fetch.request import Request
from lingctl.node.trouble import Trouble


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(str(tmp_path / "weights"))
    made.make()
    return made


def _client(tmp_path: Path, script: str) -> str:
    """An interpreter that says this, whatever it is asked."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\nread -r asked\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_the_token_does_not_stay_where_nothing_could_be_listed(tmp_path: Path, place: Place) -> None:
    python = _client(tmp_path, "exit 1")
    request = Request("modelscope", "a/b", token="ms-secret", proxy="http://u:ms-secret@p:1", python=python)
    path = Path(place.inside("request.json"))
    path.touch(0o600)
    path.write_text(json.dumps(request.as_json()))
    with pytest.raises(Trouble, match="without an answer"):
        program._list(place, lambda _: None)
    assert "ms-secret" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_client_that_is_killed_in_the_middle_of_a_word_is_told(tmp_path: Path, place: Place) -> None:
    python = _client(tmp_path, """printf '{"event":"files","files":[{"path":"a","si'; kill -9 $$""")
    with pytest.raises(Trouble) as caught:
        HubSource(Request("modelscope", "a/b", python=python), place).listing()
    assert caught.value.code == "client-died"


def test_a_client_whose_words_are_garbled_is_told(tmp_path: Path, place: Place) -> None:
    python = _client(tmp_path, """echo '{"event":"files","files":[{"path":}'; echo '{"event"}'""")
    with pytest.raises(Trouble) as caught:
        HubSource(Request("modelscope", "a/b", python=python), place).listing()
    assert caught.value.code == "client-died"


def test_a_client_that_warns_without_end_does_not_fill_the_disk(tmp_path: Path, place: Place) -> None:
    python = _client(tmp_path, "yes a warning | head -c 30000000 >&2; echo the last word >&2")
    with pytest.raises(Trouble) as caught:
        HubSource(Request("modelscope", "a/b", python=python), place).listing()
    assert caught.value.evidence.endswith("the last word")
    assert 0 < Path(place.inside("log")).stat().st_size <= 4 << 20


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"port": "x"}', '{"port": null}'])
def test_a_port_that_cannot_be_read_is_waited_for(
    place: Place, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "_WAIT_SECONDS", 0.1)
    path = Path(place.inside("port.json"))
    path.write_text(text)
    with pytest.raises(Trouble) as caught:
        program._push_port(place, lambda _: None)
    assert caught.value.code == "spread-listen"
    path.write_text('{"port": 7}')
    assert program._push_port(place, lambda _: None) == {"port": 7}


def test_a_port_that_cannot_be_had_to_give_files_is_named(place: Place) -> None:
    authority, tls = Authority(), Path(place.inside("tls"))
    tls.mkdir()
    (tls / "ca.pem").write_bytes(authority.certificate)
    (tls / "serve.pem").write_bytes(authority.issue("node-0"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        request = Request("folder", "", files=(ListedFile("a", 1, "a" * 64),), host="127.0.0.1", port=port)
        Path(place.inside("request.json")).write_text(json.dumps(request.as_json()))
        with pytest.raises(Trouble, match=f"cannot listen on 127.0.0.1 port {port}") as caught:
            program._ready(place, lambda _: None)
    assert caught.value.code == "spread-listen"
    assert "--spread-port" in caught.value.remedy


def test_who_cannot_begin_to_give_files_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where another one gives files of this folder: that is not taken for the one that was begun."""
    authority, tls = Authority(), Path(place.inside("tls"))
    tls.mkdir()
    (tls / "ca.pem").write_bytes(authority.certificate)
    (tls / "serve.pem").write_bytes(authority.issue("node-0"))
    request = Request("folder", "", files=(ListedFile("a", 1, "a" * 64),), host="127.0.0.1")
    Path(place.inside("request.json")).write_text(json.dumps(request.as_json()))
    monkeypatch.setattr(background, "stop", lambda place, lock: True)
    with place.locked("serve"), pytest.raises(Trouble, match="nothing listens here") as caught:
        program._ready(place, lambda _: None)
    assert "another download is filling this folder" in caught.value.evidence


def test_who_only_looks_is_no_holder_to_another_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with place.locked():
        assert place.holder() == os.getpid()
    real, seen = fcntl.flock, []

    def looking(descriptor: int, operation: int) -> None:
        real(descriptor, operation)
        monkeypatch.setattr(fcntl, "flock", real)
        seen.append(place.holder())

    monkeypatch.setattr(fcntl, "flock", looking)
    assert place.holder() is None
    assert seen == [None]


def test_a_program_that_no_signal_ends_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one does that waits for a disk which does not answer."""
    sent: list[int] = []
    monkeypatch.setattr(background, "_STOP_SECONDS", 0.2)
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append(number))
    with place.locked(), pytest.raises(Trouble) as caught:
        background.stop(place)
    assert (caught.value.code, sent) == ("download-stuck", [15, 9])


def test_a_program_that_has_not_told_its_number_yet_is_ended_too(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(background, "_STOP_SECONDS", 0.4)
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append(pid))
    lock = Path(place.inside("lock"))
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Trouble, match="not told there"):
            background.stop(place)
        threading.Timer(0.1, lock.write_text, [str(os.getpid())]).start()
        with pytest.raises(Trouble, match="not even killed"):
            background.stop(place)
    assert set(sent) == {os.getpid()}


@pytest.mark.parametrize("told", ["0", "-1", "9" * 20])
def test_what_is_no_process_number_is_sent_no_signal(
    told: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 would be all of our own group."""
    sent: list[int] = []
    monkeypatch.setattr(background, "_STOP_SECONDS", 0.1)
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append(pid))
    lock = Path(place.inside("lock"))
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        lock.write_text(told)
        with pytest.raises(Trouble, match="not told there"):
            background.stop(place)
    assert sent == []


def test_a_listed_file_that_cannot_be_looked_at_is_neither_missing_nor_wrong(place: Place) -> None:
    files = (ListedFile("code/a.py", 1, "a" * 64),)
    (Path(place.folder) / "code").mkdir()
    assert [file.path for file in place.compare(files, recheck=False).missing] == ["code/a.py"]
    circle = Path(place.folder) / "code" / "a.py"
    for where in (circle, circle.with_name("a.py.bak")):
        circle.unlink(missing_ok=True)
        circle.write_text("other")
        where.unlink(missing_ok=True)
        where.symlink_to(where.name)
        for ask in (lambda: place.compare(files, recheck=False), lambda: worker.look(place, files)):
            with pytest.raises(OSError, match="symbolic links"):
                ask()


_LETS_GO_AND_STAYS = """
import signal, sys, time
from lingctl.node.fetch.place import Place
def end(*_): raise KeyboardInterrupt
signal.signal(signal.SIGTERM, end)
try:
    with Place(sys.argv[1]).locked():
        print(flush=True)
        time.sleep(600)
except KeyboardInterrupt:
    time.sleep(600)
"""


def test_a_program_that_has_let_go_of_its_lock_is_still_ended(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "_STOP_SECONDS", 1.0)
    words = [sys.executable, "-c", _LETS_GO_AND_STAYS, place.folder]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None and process.stdout.readline()
            assert background.stop(place)
            assert process.wait(10) == -9
        finally:
            process.kill()


def test_who_follows_a_download_that_stands_still_ends_with_who_listens(place: Place) -> None:
    background.StatusFile(place).write({"event": "started"})
    words = [sys.executable, "-m", "lingctl.node", "fetch", "follow", place.folder]
    with place.locked(), subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            while b"started" not in process.stdout.readline():
                assert process.poll() is None
            process.stdout.close()
            assert process.wait(60) == 1
        finally:
            process.kill()


def test_a_disk_that_ends_a_download_apart_is_told_as_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_: object) -> dict[str, object]:
        raise OSError(errno.ENOSPC, "No space left on device", place.inside("verified.json"))

    monkeypatch.setattr(program, "fill", fill)
    Path(place.inside("request.json")).write_text(json.dumps(Request("folder", "/srv").as_json()))
    with pytest.raises(OSError, match="No space"):
        program._fill(place)
    with pytest.raises(Trouble, match="the disk is full") as followed:
        background.follow(place, lambda _: None)
    assert (followed.value.code, followed.value.where) == ("disk-full", place.inside("verified.json"))
    assert "free some space" in followed.value.remedy


def test_a_setting_that_ends_a_download_apart_is_told_as_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exit status is that of a configuration, as it is where the list of files is asked for."""
    monkeypatch.setenv("MODELSCOPE_OFFLINE", "1")
    files = (ListedFile("a", 1, "a" * 64),)
    with pytest.raises(Trouble) as caught:
        worker.download(Request("modelscope", "a/b", files=files), place.folder, lambda _: None)
    assert (caught.value.code, caught.value.exit_status) == ("hub-offline", 2)
    background.StatusFile(place).write(caught.value.as_event())
    with pytest.raises(Trouble) as followed:
        background.follow(place, lambda _: None)
    assert followed.value.as_event() == caught.value.as_event()


def _tell_and(place: Place, work: Callable[[], object]) -> Callable[[], object]:
    """Work that first tells its process number."""

    def told() -> None:
        Path(place.inside("pid")).write_text(str(os.getpid()))
        work()

    return told


@pytest.mark.parametrize("how", ["by itself", "killed"])
def test_the_end_of_what_was_begun_apart_is_heard_of(place: Place, how: str) -> None:
    reading, writing = os.pipe()
    child = background.begin(place, _tell_and(place, lambda: os.read(reading, 1)))
    assert not child.ended()
    while not (number := Path(place.inside("pid"))).exists() or not number.read_text():
        assert not child.ended(0.02)
    pid = int(number.read_text())
    assert os.getsid(pid) == pid
    if how == "killed":
        os.kill(pid, signal.SIGKILL)
    else:
        os.write(writing, b"!")
    assert child.ended(60)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == (-9 if how == "killed" else 0)


def test_why_work_apart_failed_is_in_the_log(place: Place) -> None:
    def fail() -> None:
        raise Trouble("no disk at all", code="disk-error")

    child = background.begin(place, _tell_and(place, fail))
    assert child.ended(60)
    assert "no disk at all" in place.log_tail()
    _, status = os.waitpid(int(Path(place.inside("pid")).read_text()), 0)
    assert os.waitstatus_to_exitcode(status) == 1


@pytest.mark.parametrize("folder", ["this one's", "another's"])
def test_giving_is_ended_by_a_number_that_is_still_the_programs(place: Place, folder: str) -> None:
    words = [sys.executable, "-c", "print(flush=True); input()", place.folder]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        lock = Path(place.inside("serve"))
        lock.write_text(str(process.pid))
        asked = place.folder if folder == "this one's" else "/srv/weights/other"
        subprocess.run(["sh", "-c", shell("fetch/end_giving"), "sh", lock, asked], check=False)
        if folder == "this one's":
            assert process.wait(60) == -signal.SIGTERM
        else:
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(60) == 1  # it was told nothing, and read to the end
