"""Runs containers: one supervisor process for each, and its own namespaces for what runs inside."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from lingctl.sandbox.docker.images import Image
from lingctl.sandbox.docker.store import (
    Container,
    container_named,
    locked,
    remove,
    set_run,
    started_ticks,
)
from lingctl.sandbox.docker.trouble import DockerError
from lingctl.sandbox.mounts import (
    NEW_IPC,
    NEW_MOUNTS,
    NEW_NET,
    NEW_PIDS,
    NEW_UTS,
    die_with_parent,
    join_namespace,
    unshare,
)
from lingctl.sandbox.root import Show, enter_root

_NO_FILE = "executable file not found in $PATH"
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_CREATE = (
    "failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process"
)
_EXEC = "OCI runtime exec failed: exec failed: unable to start container process"


def now() -> str:
    """The time as docker writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "") + "000Z"


def make_root(container: Container, image: Image) -> None:
    """Give a new container its own copy of the image's files."""
    for part in image.tree.iterdir():
        if part.name != "usr":
            shutil.copytree(part, container.folder / "root" / part.name, symlinks=True)
    shutil.copytree(image.tree / "usr/local", container.folder / "usr-local", symlinks=True)
    _add_python(container.folder / "usr-local")
    etc = container.folder / "root/etc"
    etc.mkdir(exist_ok=True)
    for name in ("passwd", "group", "nsswitch.conf", "resolv.conf"):
        if not (etc / name).exists():
            shutil.copy(Path("/etc") / name, etc / name)


def _add_python(usr_local: Path) -> None:
    """The image's python3: the node's interpreter, with the image's packages."""
    program = usr_local / "bin/python3"
    program.parent.mkdir(parents=True, exist_ok=True)
    packages = "/usr/local/lib/python3.11/site-packages"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="${{PYTHONPATH:+$PYTHONPATH:}}{packages}" exec /.sandbox/base-python "$@"\n'
    )
    program.chmod(0o755)


def start(container: Container, *, attach: bool) -> int:
    """Start a container's first process.

    Args:
        container: one that does not run.
        attach: also pass its output on and wait for its end.

    Returns:
        0, or its exit status if attached.

    Raises:
        DockerError: it could not be started; it stays as it is.
    """
    _check_devices(container)
    for bind in container.binds:
        if not Path(bind.source).exists():
            Path(bind.source).mkdir(parents=True)
    heard, said = os.pipe()
    supervisor = os.fork()
    if supervisor == 0:
        os.close(heard)
        _supervise(container, said, attach)
    os.close(said)
    with os.fdopen(heard) as reports:
        first = json.loads(reports.readline() or '{"error": "the supervisor ended", "status": 125}')
        if "error" in first:
            os.waitpid(supervisor, 0)
            raise DockerError(f"Error response from daemon: {first['error']}", first["status"])
        if not attach:
            return 0
        _pass_signals_to(int(first["pid"]))
        last = json.loads(reports.readline() or '{"exit": 137}')
    return int(last["exit"])


def stop(container: Container, seconds: float) -> None:
    """Ask the first process to end, and kill it when the time is over."""
    if not container.running:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(container.run.pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while seconds < 0 or time.monotonic() < deadline:
        if _ended(container):
            return
        time.sleep(0.02)
    kill(container, signal.SIGKILL)


def kill(container: Container, number: int) -> None:
    """Send a signal to the first process; after a SIGKILL wait until the container has ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(container.run.pid, number)
    if number == signal.SIGKILL:
        deadline = time.monotonic() + 10
        while not _ended(container) and time.monotonic() < deadline:
            time.sleep(0.01)


def execute(
    container: Container,
    words: Sequence[str],
    *,
    environment: Sequence[str],
    directory: str,
    detach: bool,
    interactive: bool,
    terminal: bool,
) -> int:
    """Run another process in a running container.

    Returns:
        Its exit status; 0 at once if detached.
    """
    heard, said = os.pipe()
    space = f"/proc/{container.run.pid}/ns"
    for name, kind in (("ipc", NEW_IPC), ("uts", NEW_UTS), ("net", NEW_NET), ("pid", NEW_PIDS)):
        # One that is shared need not be joined, and without all rights on the machine may not be.
        if not Path(f"{space}/{name}").samefile(f"/proc/self/ns/{name}"):
            join_namespace(f"{space}/{name}", kind)
    pid = os.fork()
    if pid == 0:
        os.close(heard)
        try:
            join_namespace(f"{space}/mnt", NEW_MOUNTS)
            if not terminal:
                os.setsid()
            if detach or not interactive:
                _point(0, os.devnull)
            if detach:
                _point(1, os.devnull)
                _point(2, os.devnull)
            _become(words, [*container.environment, *environment], directory or container.directory, said)
        except OSError as error:
            _tell(said, {"error": str(error), "status": 126})
        os._exit(126)
    os.close(said)
    with os.fdopen(heard) as reports:
        problem = json.loads(reports.readline() or "{}")
    if problem:
        os.waitpid(pid, 0)
        raise DockerError(f"{_EXEC}: {problem['error']}: unknown", problem["status"])
    if detach:
        return 0
    return _status(os.waitpid(pid, 0)[1])


def _ended(container: Container) -> bool:
    found = container_named(container.id)
    return found is None or not found.running


def _check_devices(container: Container) -> None:
    for device in container.devices:
        if not Path(device.source).exists():
            raise DockerError(
                "Error response from daemon: error gathering device information while adding custom device "
                f'"{device.source}": no such file or directory',
                125,
            )


def _supervise(container: Container, said: int, attach: bool) -> NoReturn:
    """What containerd's shim does: outlive the command, keep the log, note the end."""
    status = 125
    try:
        os.setsid()
        _point(0, os.devnull)
        own = f"{os.getpid()} {started_ticks(os.getpid())}"
        (container.folder / "supervisor").write_text(own)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        flags = NEW_PIDS if container.network == "host" else NEW_PIDS | NEW_NET
        unshare(flags)
        out, err = os.pipe(), os.pipe()
        problem_in, problem_out = os.pipe()
        pid = os.fork()
        if pid == 0:
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            for descriptor in (said, problem_in, out[0], err[0]):
                os.close(descriptor)
            _be_container(container, out[1], err[1], problem_out)
        for descriptor in (out[1], err[1], problem_out):
            os.close(descriptor)
        with os.fdopen(problem_in) as reports:
            problem = json.loads(reports.readline() or "{}")
        if problem:
            os.waitpid(pid, 0)
            set_run(container, error=problem["error"], exit_code=problem["status"])
            _tell(said, problem)
            os._exit(125)
        ticks = started_ticks(pid)
        set_run(
            container, status="running", pid=pid, started_ticks=ticks, started_at=now(), exit_code=0, error=""
        )
        _tell(said, {"pid": pid})
        if not attach:
            os.close(said)
            _point(1, os.devnull)
            _point(2, os.devnull)
        _keep_log(container, out[0], err[0], attach)
        status = _status(os.waitpid(pid, 0)[1])
        set_run(container, status="exited", pid=0, exit_code=status, finished_at=now())
        if container.auto_remove:
            with locked():
                remove(container)
        if attach:
            _tell(said, {"exit": status})
    finally:
        os._exit(0 if status != 125 else 125)


def _be_container(container: Container, out: int, err: int, problem: int) -> NoReturn:
    """Process 1 of the container."""
    try:
        die_with_parent()
        unshare(NEW_MOUNTS | (0 if container.ipc == "host" else NEW_IPC) | _own_name(container))
        if container.network != "host":
            _bring_up_loopback()
            socket.sethostname(container.hostname)
        root = container.folder / "root"
        _write_names(container, root / "etc")
        size = str(container.shm_size)
        enter_root(root, container.folder / "usr-local", _devices(container), _shown(container), size)
        os.dup2(out, 1)
        os.dup2(err, 2)
        if container.init:
            _be_init(container, problem)
        _become(container.command, container.environment, container.directory, problem)
    except OSError as error:
        _tell(problem, {"error": f"{_CREATE}: {error}: unknown.", "status": 125})
    finally:
        os._exit(125)


def _be_init(container: Container, problem: int) -> None:
    """What docker-init does: pass signals on, reap, end as its child ends."""
    child = os.fork()
    if child == 0:
        os.setsid()
        _become(container.command, container.environment, container.directory, problem)
        os._exit(126)
    os.close(problem)
    for number in (
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGUSR1,
        signal.SIGUSR2,
    ):
        signal.signal(number, lambda number, _: os.kill(child, number))
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(_status(status))


def _own_name(container: Container) -> int:
    return 0 if container.network == "host" else NEW_UTS


def _bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))


def _write_names(container: Container, etc: Path) -> None:
    etc.mkdir(parents=True, exist_ok=True)
    (etc / "hostname").write_text(f"{container.hostname}\n")
    names = Path("/etc/hosts").read_text() if container.network == "host" else "127.0.0.1\tlocalhost\n"
    (etc / "hosts").write_text(names)


def _devices(container: Container) -> list[Show]:
    if container.privileged:
        every = [path for path in Path("/dev").iterdir() if path.is_char_device() and not path.is_symlink()]
        return [Show(path, path) for path in every if path.name.startswith(("davinci", "hisi", "devmm"))]
    return [Show(Path(device.source), Path(device.target)) for device in container.devices]


def _shown(container: Container) -> list[Show]:
    binds = [Show(Path(bind.source), Path(bind.target), bind.read_only) for bind in container.binds]
    return [Show(Path("/.sandbox"), Path("/.sandbox")), *binds]


def _become(words: Sequence[str], environment: Sequence[str], directory: str, problem: int) -> None:
    """Replace this process; returns only after it has told why that failed."""
    variables = dict(part.partition("=")[::2] for part in environment)
    program = _find(words[0], variables.get("PATH", ""))
    # Python ignores these two, and what is ignored stays so in the next program.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.umask(0o022)
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
        os.chdir(directory)
        if program is None:
            kind = "stat " + words[0] if "/" in words[0] else ""
            text = f"{kind}: no such file or directory" if kind else f'exec: "{words[0]}": {_NO_FILE}'
            _tell(problem, {"error": text, "status": 127})
            return
        os.set_inheritable(problem, False)
        os.execve(program, list(words), variables)
    except OSError as error:
        text = error.strerror.lower() if error.strerror else str(error)
        _tell(problem, {"error": f'exec: "{words[0]}": {text}', "status": 126})


def _find(program: str, path: str) -> str | None:
    if "/" in program:
        return program if Path(program).exists() else None
    for folder in path.split(":"):
        candidate = Path(folder or ".") / program
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return str(candidate)
    return None


def _keep_log(container: Container, out: int, err: int, attach: bool) -> None:
    """Write what the container prints to its log, line by line, until nobody in it can print any more."""
    streams = {out: ("stdout", 1), err: ("stderr", 2)}
    pending = {out: b"", err: b""}
    with container.log.open("a") as log:
        while streams:
            for ready in select.select(list(streams), [], [])[0]:
                data = os.read(ready, 65536)
                name, copy = streams[ready]
                if data and attach:
                    _write_all(copy, data)
                *lines, rest = (pending[ready] + data).split(b"\n")
                whole = [line + b"\n" for line in lines] + ([rest] if rest and not data else [])
                pending[ready] = rest
                for line in whole:
                    entry = {"log": line.decode("utf-8", "replace"), "stream": name, "time": now()}
                    log.write(json.dumps(entry) + "\n")
                log.flush()
                if not data:
                    del streams[ready]


def _write_all(descriptor: int, data: bytes) -> None:
    # Whoever read along may have left; the container goes on.
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(descriptor, data) :]


def _pass_signals_to(pid: int) -> None:
    def pass_on(number: int, _: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, pass_on)


def _point(descriptor: int, path: str) -> None:
    opened = os.open(path, os.O_RDWR)
    os.dup2(opened, descriptor)
    os.close(opened)


def _tell(descriptor: int, document: dict[str, object]) -> None:
    with contextlib.suppress(OSError):
        os.write(descriptor, json.dumps(document).encode() + b"\n")


def _status(waited: int) -> int:
    status = os.waitstatus_to_exitcode(waited)
    return 128 - status if status < 0 else status


def flush() -> None:
    """Empty Python's buffers before a fork, so that nothing is printed twice."""
    sys.stdout.flush()
    sys.stderr.flush()
