"""Machines that give files to each other, in one process: chains, lost machines, strangers, damaged bytes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from lingctl.flows.weights.spread.certificates import Authority
from lingctl.flows.weights.spread.chains import chains, givers, upstreams
from lingctl.node.fetch import worker
from lingctl.node.fetch.answers import Fetched
from lingctl.node.fetch.listing import ListedFile
from lingctl.node.fetch.peers import serve, wire
from lingctl.node.fetch.peers import source as peer
from lingctl.node.fetch.peers.serve import FileServer
from lingctl.node.fetch.peers.source import PeerSource
from lingctl.node.fetch.peers.wire import Channel, context
from lingctl.node.fetch.place import Place
from lingctl.node.fetch.request import Request, Upstream
from lingctl.node.trouble import Trouble

FILES = {"a.safetensors": 5_000_000, "b.safetensors": 1_300_000, "config.json": 40, "empty": 0}


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_PAUSE", 0.05)


@pytest.fixture
def authority() -> Authority:
    return Authority()


def _contents() -> dict[str, bytes]:
    chance = random.Random(3)
    return {name: chance.randbytes(size) for name, size in FILES.items()}


def _listing() -> tuple[ListedFile, ...]:
    return tuple(
        ListedFile(name, len(content), hashlib.sha256(content).hexdigest())
        for name, content in sorted(_contents().items())
    )


def _fill(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, content in _contents().items():
        (folder / name).write_bytes(content)


def _keys(folder: Path, authority: Authority, which: str, name: str) -> None:
    tls = folder / ".download" / "tls"
    tls.mkdir(parents=True, exist_ok=True)
    (tls / "ca.pem").write_bytes(authority.certificate)
    (tls / f"{which}.pem").write_bytes(authority.issue(name))


@contextmanager
def _giving(folder: Path, authority: Authority, name: str) -> Iterator[Upstream]:
    folder.mkdir(parents=True, exist_ok=True)
    _keys(folder, authority, "serve", name)
    place = Place(str(folder))
    tls = context(place.inside("tls"), "serve", server=True)
    server = FileServer(place, _listing(), tls, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve, kwargs={"idle": 60}, daemon=True)
    thread.start()
    try:
        yield Upstream(name, "127.0.0.1", server.port)
    finally:
        while thread.is_alive():
            # As if nobody had been connected for long: it ends at its next look.
            server._busy_at = time.monotonic() - 61
            thread.join(0.1)


def _take(folder: Path, authority: Authority, *upstreams: Upstream) -> Fetched:
    folder.mkdir(parents=True, exist_ok=True)
    _keys(folder, authority, "fetch", "taker")
    request = Request(source="peer", repository="", files=_listing(), upstreams=upstreams)
    return worker.download(request, str(folder), lambda _: None)


def _is_whole(folder: Path) -> bool:
    return all((folder / name).read_bytes() == content for name, content in _contents().items())


def test_a_chain_of_three_moves_bytes_while_they_arrive(tmp_path: Path, authority: Authority) -> None:
    _fill(tmp_path / "first")
    with ExitStack() as stack:
        first = stack.enter_context(_giving(tmp_path / "first", authority, "node-0"))
        second = stack.enter_context(_giving(tmp_path / "second", authority, "node-1"))
        results: list[Fetched] = []
        last = threading.Thread(
            target=lambda: results.append(_take(tmp_path / "third", authority, second)), daemon=True
        )
        last.start()
        time.sleep(0.2)
        _take(tmp_path / "second", authority, first)
        last.join(60)
    assert _is_whole(tmp_path / "second")
    assert _is_whole(tmp_path / "third")
    assert results[0].fetched_files == len(FILES)


def test_a_lost_machine_is_passed_over(tmp_path: Path, authority: Authority) -> None:
    _fill(tmp_path / "first")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = Upstream("node-9", "127.0.0.1", closed.getsockname()[1])
    with _giving(tmp_path / "first", authority, "node-0") as first:
        _take(tmp_path / "taker", authority, dead, first)
    assert _is_whole(tmp_path / "taker")


def test_goes_on_from_what_is_there(tmp_path: Path, authority: Authority) -> None:
    _fill(tmp_path / "first")
    staged = tmp_path / "taker" / ".download" / "files"
    staged.mkdir(parents=True)
    (staged / "a.safetensors.part").write_bytes(_contents()["a.safetensors"][:4_000_000])
    sent = 0
    send = Channel.send_frame

    def counting(self: Channel, buffer: bytearray, count: int) -> None:
        nonlocal sent
        sent += count
        send(self, buffer, count)

    with pytest.MonkeyPatch.context() as patch, _giving(tmp_path / "first", authority, "node-0") as first:
        patch.setattr(Channel, "send_frame", counting)
        _take(tmp_path / "taker", authority, first)
    assert _is_whole(tmp_path / "taker")
    assert sent == sum(FILES.values()) - 4_000_000


def test_a_part_that_is_cut_while_it_is_read_is_asked_for_again(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(tmp_path / "first")
    staged = tmp_path / "taker" / ".download" / "files"
    staged.mkdir(parents=True)
    part = staged / "a.safetensors.part"
    part.write_bytes(_contents()["a.safetensors"][:4_000_000])
    look = os.fstat

    def cut_once_looked_at(descriptor: int) -> os.stat_result:
        found = look(descriptor)
        if found.st_size == 4_000_000:
            os.truncate(part, 1_500_000)
        return found

    monkeypatch.setattr(peer.os, "fstat", cut_once_looked_at)
    with _giving(tmp_path / "first", authority, "node-0") as first:
        _take(tmp_path / "taker", authority, first)
    assert _is_whole(tmp_path / "taker")


def test_what_did_not_come_is_named_by_its_own_name(tmp_path: Path, authority: Authority) -> None:
    """Though another file is under way over another connection when it fails."""
    both, failed = threading.Barrier(2, timeout=60), threading.Event()

    class Broken:
        def send_line(self, asked: dict[str, object]) -> None:
            both.wait()
            if asked["path"] == "config.json":
                failed.wait(60)

        def receive_frame(self, buffer: memoryview) -> int:
            failed.set()
            raise ConnectionError("gone")

        def close(self) -> None:
            pass

    place = Place(str(tmp_path / "taker"))
    _keys(tmp_path / "taker", authority, "fetch", "taker")
    (tmp_path / "taker" / ".download" / "files").mkdir()
    source = PeerSource(Request(source="peer", repository="", files=_listing()), place)
    source._connect = Broken
    files = tuple(file for file in _listing() if file.path in ("a.safetensors", "config.json"))
    failures = source.fetch(files, place, lambda *_: None, lambda *_: None)
    assert sorted(failure.path for failure in failures) == ["a.safetensors", "config.json"]


def test_a_damaged_beginning_is_noticed_and_fetched_again(tmp_path: Path, authority: Authority) -> None:
    _fill(tmp_path / "first")
    staged = tmp_path / "taker" / ".download" / "files"
    staged.mkdir(parents=True)
    (staged / "a.safetensors.part").write_bytes(b"\0" * 4_000_000)
    with _giving(tmp_path / "first", authority, "node-0") as first:
        _take(tmp_path / "taker", authority, first)
    assert _is_whole(tmp_path / "taker")


def test_a_machine_with_other_bytes_never_gets_them_in(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_FRUITLESS_TRIES", 1)
    _fill(tmp_path / "first")
    (tmp_path / "first" / "b.safetensors").write_bytes(b"\1" * FILES["b.safetensors"])
    with _giving(tmp_path / "first", authority, "node-0") as first, pytest.raises(Trouble) as caught:
        _take(tmp_path / "taker", authority, first)
    assert caught.value.code == "wrong-bytes"
    assert not (tmp_path / "taker" / "b.safetensors").exists()


def _all_of(sock: socket.socket) -> bytes:
    """What the other side says until it hangs up."""
    said = b""
    with contextlib.suppress(OSError):
        while part := sock.recv(4096):
            said += part
    return said


def _asked(tls: ssl.SSLContext, raw: socket.socket) -> bytes:
    """What a server gives to whoever asks with these settings."""
    try:
        with tls.wrap_socket(raw) as safe:
            safe.sendall(b'{"path": "config.json", "offset": 0}\n')
            return _all_of(safe)
    except OSError:
        return b""


def test_strangers_get_nothing(tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_FRUITLESS_TRIES", 1)
    _fill(tmp_path / "first")
    with _giving(tmp_path / "first", authority, "node-0") as first:
        with socket.create_connection((first.host, first.port), timeout=5) as plain:
            plain.sendall(b'{"path": "config.json", "offset": 0}\n')
            assert not _all_of(plain).count(_contents()["config.json"])
        nameless = ssl.create_default_context()
        nameless.check_hostname, nameless.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((first.host, first.port), timeout=5) as raw:
            assert not _asked(nameless, raw).count(_contents()["config.json"])
        with pytest.raises(Trouble) as caught:
            _take(tmp_path / "taker", Authority(), first)
    assert caught.value.code == "spread-unreachable"


def test_strangers_who_say_nothing_keep_nobody_waiting(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a node that lingctl pushes to, another program of it takes the connection first."""
    monkeypatch.setattr(peer, "_HANDSHAKE_SECONDS", 0.3)
    place = Place(str(tmp_path / "taker"))
    _keys(tmp_path / "taker", authority, "fetch", "taker")
    source = PeerSource(Request(source="push", repository="", files=_listing()), place)
    accept = source._pushed()
    port = json.loads((tmp_path / "taker" / ".download" / "port.json").read_text())["port"]
    with socket.create_connection(("127.0.0.1", port)), pytest.raises(Trouble) as caught:
        accept()
    assert caught.value.code == "spread-unreachable"


def test_more_connections_than_machines_can_have_are_refused(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "_MOST_CONNECTIONS", 3)
    _fill(tmp_path / "first")
    with _giving(tmp_path / "first", authority, "node-0") as first, ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(socket.create_connection((first.host, first.port)))
        with socket.create_connection((first.host, first.port)) as refused:
            refused.settimeout(10)
            assert refused.recv(1) == b""


def test_who_reads_long_what_it_has_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it asks for the rest of a file, a machine sums what is there: minutes on a slow disk."""
    monkeypatch.setattr(wire, "SILENCE_SECONDS", 0.1)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        late = threading.Timer(0.5, theirs.sendall, [b'{"path": "a", "offset": 5}\n'])
        late.start()
        assert Channel(ours).receive_line() == {"path": "a", "offset": 5}
        theirs.sendall(b'{"path"')
        with pytest.raises(TimeoutError):
            Channel(ours).receive_line()


def test_a_machine_cannot_pretend_to_be_another(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_FRUITLESS_TRIES", 1)
    _fill(tmp_path / "first")
    with _giving(tmp_path / "first", authority, "node-0") as first, pytest.raises(Trouble) as caught:
        _take(tmp_path / "taker", authority, first._replace(name="node-5"))
    assert caught.value.code == "spread-unreachable"


def test_only_listed_files_are_given(tmp_path: Path, authority: Authority) -> None:
    _fill(tmp_path / "first")
    (tmp_path / "secret").write_bytes(b"x" * 100)
    with _giving(tmp_path / "first", authority, "node-0") as first:
        folder = tmp_path / "taker"
        _keys(folder, authority, "fetch", "taker")
        tls = context(str(folder / ".download" / "tls"), "fetch", server=False)
        with (
            socket.create_connection((first.host, first.port), timeout=5) as sock,
            tls.wrap_socket(sock, server_hostname="node-0") as safe,
        ):
            channel = Channel(safe)
            for path in ("../secret", str(tmp_path / "secret"), ".download/tls/ca.pem"):
                channel.send_line({"path": path, "offset": 0})
                assert channel.receive_frame(memoryview(bytearray(10))) == 0xFFFFFFFF


def test_a_taken_port_is_named(tmp_path: Path, authority: Authority) -> None:
    _keys(tmp_path, authority, "serve", "node-0")
    tls = context(str(tmp_path / ".download" / "tls"), "serve", server=True)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Trouble) as caught:
        FileServer(Place(str(tmp_path)), _listing(), tls, "127.0.0.1", taken.getsockname()[1])
    assert caught.value.code == "spread-listen"


def test_keys_are_gone_from_the_disk_once_read(tmp_path: Path, authority: Authority) -> None:
    _keys(tmp_path, authority, "serve", "node-0")
    context(str(tmp_path / ".download" / "tls"), "serve", server=True)
    assert [path.name for path in (tmp_path / ".download" / "tls").iterdir()] == ["ca.pem"]


def test_chains_are_even_and_ask_the_nearest_first() -> None:
    made = chains(["a", "b"], ["c", "d", "e"])
    assert made == (("a", "c", "e"), ("b", "d"))
    assert upstreams(made) == {"c": ("a",), "e": ("c", "a"), "d": ("b",)}
    assert givers(made) == ("a", "c", "b")
    with pytest.raises(ValueError, match="nobody"):
        chains([], ["a"])
