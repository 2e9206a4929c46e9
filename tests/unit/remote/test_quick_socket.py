"""The socket under SSH, also where the system lacks what Linux alone has."""

from __future__ import annotations

import importlib.util
import itertools
import os
import socket
import threading
from types import ModuleType

import pytest

from lingctl.node import workers
from lingctl.remote.ssh import quick_socket


def _loaded_anew(module: ModuleType) -> ModuleType:
    """A second copy of it: what it asks of the system at import is asked again."""
    spec = importlib.util.spec_from_file_location("a_second_copy", str(module.__file__))
    assert spec is not None and spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy


def test_a_system_without_linux_own_options_connects_and_hears(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(socket, "TCP_QUICKACK")
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT")
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = _loaded_anew(quick_socket).connect(*server.getsockname(), timeout=5)
        there, _ = server.accept()
        with here, there:
            there.sendall(b"answer")
            assert here.recv(100) == b"answer"


def test_a_system_that_does_not_tell_which_cores_are_ours_still_works(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert workers.threads() == 8


def test_on_linux_the_kernel_gives_a_silent_peer_up_after_twenty_seconds():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        quick_socket.connect(*server.getsockname(), timeout=5) as here,
    ):
        assert here.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000


def test_what_came_ahead_is_given_in_order_and_whole_however_little_is_asked_for():
    sent = bytes(range(256)) * 1200
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        quick_socket.connect(*server.getsockname(), timeout=5) as here,
    ):
        there, _ = server.accept()
        sending = threading.Thread(target=lambda: (there.sendall(sent), there.close()))
        sending.start()
        sizes, got = itertools.cycle((1, 7, 100_000, 4096)), b""
        while part := here.recv(size := next(sizes)):
            assert len(part) <= size
            got += part
        sending.join()
    assert got == sent
