"""Runs a node's tools without the start of a Python: a call then costs a thirtieth of its time.

A check of the network asks hccn_tool some hundred times, and a Python that starts anew and reads its modules
needs 100 ms of a processor each time. So the command on a node is a small client
(``interpreter.tool_script``): it tells this server that it is there; the server takes its words, environment,
folder and streams from it, and tells how it ended. A call that only looks is answered by the server itself
(``tool_looks``); for any other it forks a process, a tenth of a start. What is killed is ended: when the
client goes away, so does its process.

Called from elsewhere (a container sees other files), or where it needs the caller's terminal or signals, the
client is told to do the work itself, as it does where there is no server.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from lingctl.sandbox.interpreter import PERLS_OWN, TOOLS
from lingctl.sandbox.mounts import descriptor_of, die_with_parent
from lingctl.sandbox.node.tool_looks import look

TAKEN, REFUSED = b"y", b"n"
_TOOLS = ("hccn_tool", "npu_smi", "docker")
_PEER = struct.Struct("=3i")
_STATUS = struct.Struct("=i")


@dataclass(frozen=True, slots=True)
class _Request:
    """The process that called a tool, and what it was started with."""

    pid: int
    user: int
    group: int
    words: Sequence[str]
    environment: dict[bytes, bytes]
    folder: Path
    mask: int


def start_tools(*not_ours: int) -> int:
    """Start the server as a process of its own, while this one has one thread; gives its pid.

    Args:
        not_ours: descriptors that it should not keep open.
    """
    ready, up = os.pipe()
    server = os.fork()
    if server == 0:
        for number in (*not_ours, ready):
            os.close(number)
        die_with_parent()
        _serve(up)
        os._exit(0)
    os.close(up)
    os.read(ready, 1)
    os.close(ready)
    return server


def _serve(up: int) -> None:
    modules = {name: importlib.import_module(f"lingctl.sandbox.tools.{name}") for name in _TOOLS}
    # What was imported is never garbage, and a forked process that looked for some would copy all of it.
    gc.collect()
    gc.freeze()
    Path(TOOLS).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(TOOLS)
    Path(TOOLS).chmod(0o666)
    listener.listen(64)
    os.close(up)
    with selectors.DefaultSelector() as ready:
        ready.register(listener, selectors.EVENT_READ, lambda: _take(listener, ready, modules))
        while True:
            for key, _ in ready.select():
                key.data()


def _take(listener: socket.socket, ready: selectors.BaseSelector, modules: Mapping[str, ModuleType]) -> None:
    client, _ = listener.accept()
    client.settimeout(10)
    streams: list[int] = []
    try:
        request = _read(client, streams)
        if not (_needs_no_more(request.words, streams) and _sees_the_same(request.pid)):
            client.sendall(REFUSED)
            client.close()
            return
        if not (request.user or request.group or b"TZ" in request.environment):
            status = look(modules[request.words[0]], request.words[1:], streams)
            if status is not None:
                client.sendall(TAKEN + _STATUS.pack(status))
                client.close()
                return
        client.sendall(TAKEN)
        pid = os.fork()
        if pid == 0:
            _become(request, streams, modules)
    except (OSError, EOFError, ValueError):
        client.close()
        return
    finally:
        for stream in streams:
            os.close(stream)
    _watch(pid, client, ready)


def _read(client: socket.socket, streams: list[int]) -> _Request:
    skipped = int(client.recv(1) or b"-")
    pid, user, group = _PEER.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    process = Path(f"/proc/{pid}")
    handle = os.pidfd_open(pid)
    try:
        streams += [descriptor_of(handle, number) for number in (0, 1, 2)]
    finally:
        os.close(handle)
    words = (process / "cmdline").read_bytes().split(b"\0")[skipped:-1]
    variables = (line.partition(b"=") for line in (process / "environ").read_bytes().split(b"\0") if line)
    return _Request(
        pid=pid,
        user=user,
        group=group,
        words=[os.fsdecode(word) for word in words],
        environment={name: value for name, _, value in variables if name != PERLS_OWN},
        folder=(process / "cwd").readlink(),
        mask=int((process / "status").read_text().partition("\nUmask:")[2].split()[0], 8),
    )


def _needs_no_more(words: Sequence[str], streams: Sequence[int]) -> bool:
    """Whether the streams alone will do: no terminal to be the master of, no signals to be passed on."""
    if words[0] != "docker":
        return True
    attached = "run" in words[1:3] and not {"-d", "--detach"}.intersection(words)
    return not attached and not os.isatty(streams[0])


def _sees_the_same(pid: int) -> bool:
    own, other = (Path(f"/proc/{who}/ns/mnt").readlink() for who in ("self", pid))
    return own == other


def _become(request: _Request, streams: Sequence[int], modules: Mapping[str, ModuleType]) -> None:
    """Do the work in this forked process, and end."""
    status = 1
    try:
        die_with_parent()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.closerange(3, 1024)
        os.umask(request.mask)
        os.environb.clear()
        os.environb.update(request.environment)
        os.chdir(request.folder)
        if (request.user, request.group) != (0, 0):
            os.setgroups([])
            os.setresgid(request.group, request.group, request.group)
            os.setresuid(request.user, request.user, request.user)
        status = modules[request.words[0]].main(list(request.words[1:]))
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # the last frame of a forked process: it is told as an interpreter would
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(status or 0)


def _watch(pid: int, client: socket.socket, ready: selectors.BaseSelector) -> None:
    handle = os.pidfd_open(pid)

    def gone() -> None:
        if client.fileno() < 0:
            return  # both ended at once
        ready.unregister(client)
        os.kill(pid, signal.SIGKILL)  # its end is heard of below

    def ended() -> None:
        _, status = os.waitpid(pid, 0)
        ready.unregister(handle)
        with contextlib.suppress(KeyError):
            ready.unregister(client)
        os.close(handle)
        with contextlib.suppress(OSError):
            client.sendall(_STATUS.pack(os.waitstatus_to_exitcode(status)))
        client.close()

    ready.register(handle, selectors.EVENT_READ, ended)
    ready.register(client, selectors.EVENT_READ, gone)
