"""Starts lingctl, and programs of the tests, as processes that are forked and not started.

A start of Python that imports all of lingctl costs a quarter of a second of a processor and more, and tests
start it some hundred times. So each worker of pytest has a server that has imported everything; it forks for
each command and gives it what a start would have given it: arguments, environment, folder, streams, a session
or a terminal of its own, signals as they are by default. Where the environment changes the interpreter, the
real one is started. That the installed command does the same, tests/unit/cli and tests/contract show: they
start it.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import math
import os
import pkgutil
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from lingctl.sandbox.mounts import NEW_NET, join_namespace

ROOT = Path(__file__).resolve().parents[1]
LINGCTL = Path(sys.executable).with_name("lingctl")
_LENGTH, _PID = struct.Struct("=I"), struct.Struct("=i")
# Exit status, and the most memory it had, in KiB.
_ENDED = struct.Struct("=iI")
# What an interpreter reads when it starts, or a library when it is loaded.
_READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "OMP_", "OPENBLAS_", "TZ")
# Loaded on other machines or in processes of their own; numpy has no place in a command either.
_NOT_OURS = frozenset({"lingctl.__main__", "lingctl.node", "lingctl.sandbox"})
# What the emulated daemon imports before it answers its first request.
_ENGINE = ("lingctl.sandbox.engine.command", "jinja2.sandbox")


class Forked(subprocess.Popen[Any]):
    """As ``subprocess.Popen`` of lingctl or of ``python -m MODULE``, without the start.

    Args:
        words: ``LINGCTL``, ``sys.executable, "-m", MODULE`` or ``sys.executable, FILE``, and the arguments.
        terminal: standard input is a terminal, which becomes the process's own.
        network: file of a network namespace to run in.
        engine: it is the emulated engine, whose parts no command of ours has imported.
        options: what ``Popen`` takes; folder, environment, streams, session, group and umask are heeded.

    Attributes:
        peak_mb: the most memory it had, in MiB, once it has ended. It begins with the server's, which is that
            of lingctl with all it imports; what the worker of pytest has does not count.
    """

    peak_mb: float

    def __init__(
        self,
        words: Sequence[str | Path],
        *,
        terminal: bool = False,
        network: str = "",
        engine: bool = False,
        **options: Any,
    ) -> None:
        self._own_terminal, self._network, self._engine = terminal, network, engine
        self._ended = -1
        super().__init__(list(map(str, words)), **options)

    def _execute_child(
        self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell,
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite,
        restore_signals, gid, gids, uid, umask, start_new_session, process_group,
    ):  # fmt: skip
        environment = os.environ if env is None else env
        request = {
            "words": args,
            "folder": os.fspath(cwd or Path.cwd()),
            "environment": {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()},
            "session": start_new_session or self._own_terminal,
            "terminal": self._own_terminal,
            "network": self._network,
            "group": process_group,
            "umask": umask,
        }
        streams = [
            given if given != -1 else number for number, given in enumerate((p2cread, c2pwrite, errwrite))
        ]
        self._ended, told = os.pipe()
        try:
            self.pid = _server(self._engine).fork(request, [*streams, told])
        finally:
            os.close(told)
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)

    def _internal_poll(self, *_: object, **__: object) -> int | None:
        return self._hear(0)

    def _wait(self, timeout: float | None) -> int:
        status = self._hear(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return status

    def _hear(self, seconds: float | None) -> int | None:
        with self._waitpid_lock:
            if self.returncode is None and select.select([self._ended], [], [], seconds)[0]:
                said = os.read(self._ended, _ENDED.size)
                os.close(self._ended)
                # A server that was killed has nobody who could say it.
                self.returncode, peak = _ENDED.unpack(said) if said else (-signal.SIGKILL, math.nan)
                self.peak_mb = peak / 1024
            return self.returncode


def start(*words: str | Path, **options: Any) -> subprocess.Popen[Any]:
    """Lingctl with these words; ``options`` as ``subprocess.Popen`` takes them."""
    return started([LINGCTL, *words], **options)


def started(words: Sequence[str | Path], *, terminal: bool = False, **options: Any) -> subprocess.Popen[Any]:
    """``Forked``; started where it is another program, or the environment asks for another interpreter."""
    program = [str(word) for word in words[:2]]
    known = program[:1] == [str(LINGCTL)] or program == [sys.executable, "-m"]
    if known and _is_ours(options.get("env") or {}):
        return Forked(words, terminal=terminal, **options)
    if terminal:
        options["preexec_fn"] = _take_terminal
    return subprocess.Popen(list(map(str, words)), **options)


def run(
    *words: str | Path, stdin: str | None = None, timeout: float | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Lingctl with these words to its end; what it said, as text."""
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    streams["stdin"] = subprocess.DEVNULL if stdin is None else subprocess.PIPE
    with start(*words, **{**streams, **options}) as process:
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess([str(LINGCTL), *map(str, words)], process.returncode, out, err)


def import_lingctl() -> None:
    """Import what any verb imports when it runs."""
    names = ["lingctl"]
    while names:
        module = importlib.import_module(names.pop())
        for found in pkgutil.iter_modules(getattr(module, "__path__", []), f"{module.__name__}."):
            if found.name not in _NOT_OURS:
                names.append(found.name)
    for name in ("lingctl.sandbox.lifecycle", "lingctl.sandbox.faults"):
        importlib.import_module(name)


def _is_ours(environment: Mapping[str, str]) -> bool:
    """Whether the interpreter would be the same with it."""
    asked = (item for item in environment.items() if item[0].startswith(_READ_AT_START))
    return all(os.environ.get(name) == value for name, value in asked)


class _Server:
    """The asking side: one server of a kind for this process."""

    def __init__(self, engine: bool) -> None:
        ours, theirs = socket.socketpair()
        command = [
            sys.executable,
            "-m",
            "tests.forked",
            str(theirs.fileno()),
            *(["engine"] if engine else []),
        ]
        with theirs:
            self._process = subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()])
        self._socket = ours
        self._lock = threading.Lock()
        self._of = os.getpid()
        atexit.register(self._end)

    def fork(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        """Have it fork; gives the pid."""
        text = json.dumps(request).encode()
        with self._lock:
            socket.send_fds(self._socket, [_LENGTH.pack(len(text))], descriptors)
            self._socket.sendall(text)
            return int(_PID.unpack(self._socket.recv(_PID.size, socket.MSG_WAITALL))[0])

    def _end(self) -> None:
        if os.getpid() == self._of:
            self._socket.close()
            self._process.wait()


_servers: dict[bool, _Server] = {}
_servers_lock = threading.Lock()


def _server(engine: bool) -> _Server:
    with _servers_lock:
        if engine not in _servers:
            _servers[engine] = _Server(engine)
        return _servers[engine]


def _serve(asked: socket.socket) -> dict[str, Any] | None:
    """Fork as asked until nobody can ask any more; returns in each forked process too: what it is to do."""
    living: dict[int, tuple[int, int]] = {}
    while True:
        ready = select.select([asked, *living], [], [])[0]
        for handle in living.keys() & set(ready):
            pid, told = living.pop(handle)
            _, status, used = os.wait4(pid, 0)
            with contextlib.suppress(OSError):
                os.write(told, _ENDED.pack(os.waitstatus_to_exitcode(status), used.ru_maxrss))
            os.close(told)
            os.close(handle)
        if asked not in ready:
            continue
        head, descriptors, _, _ = socket.recv_fds(asked, _LENGTH.size, 4)
        if not head:
            return None
        request: dict[str, Any] = json.loads(asked.recv(_LENGTH.unpack(head)[0], socket.MSG_WAITALL))
        *streams, told = descriptors
        pid = os.fork()
        if pid == 0:
            asked.close()
            _prepare(request, streams)
            return request
        asked.sendall(_PID.pack(pid))
        living[os.pidfd_open(pid)] = (pid, told)
        for stream in streams:
            os.close(stream)


def _prepare(request: Mapping[str, Any], streams: Sequence[int]) -> None:
    """Give a forked process what a start would have given it."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, 4096)
    if request["network"]:
        join_namespace(request["network"], NEW_NET)
    if request["umask"] >= 0:
        os.umask(request["umask"])
    if request["session"]:
        os.setsid()
    if request["group"] >= 0:
        os.setpgid(0, request["group"])
    if request["terminal"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.stdin, sys.stdout, sys.stderr = (_python_stream(number) for number in range(3))


def _python_stream(descriptor: int) -> Any:
    """As Python makes it when it starts."""
    try:
        os.fstat(descriptor)
    except OSError:
        return None
    error = descriptor == 2
    return open(
        descriptor,
        "w" if descriptor else "r",
        buffering=1 if error or (descriptor and os.isatty(descriptor)) else -1,
        errors="backslashreplace" if error else None,
        closefd=False,
    )


def _take_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(number, signal.SIG_DFL)


def _run(words: list[str]) -> None:
    if words[0] == sys.executable and words[1] == "-m":
        sys.argv = words[2:]
        runpy.run_module(words[2], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words[words[0] == sys.executable :]
        runpy.run_path(sys.argv[0], run_name="__main__")


def _end_as(program: Callable[[], None]) -> NoReturn:
    """Run it and end as Python does, but leave what the server imported as it is: that takes longest."""
    status = 0
    try:
        program()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if not isinstance(end.code, int | None):
            print(end.code, file=sys.stderr)
    except BaseException as error:
        traceback.print_exc()
        status = 1
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except OSError:
            status = 120
    os._exit(status & 0xFF)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.argv[2:]:
        for part in _ENGINE:
            importlib.import_module(part)
    else:
        import_lingctl()
    gc.collect()
    gc.freeze()
    if (asked := _serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        _end_as(lambda: _run(asked["words"]))
