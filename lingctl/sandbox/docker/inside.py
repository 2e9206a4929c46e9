"""The first process of a container, and what any process in one becomes."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from lingctl.sandbox.card_holders import NAME
from lingctl.sandbox.docker.store import Container
from lingctl.sandbox.docker.streams import exit_status, tell
from lingctl.sandbox.mounts import NEW_IPC, NEW_MOUNTS, NEW_UTS, die_with_parent, unshare
from lingctl.sandbox.root import Show, enter_root

_NO_FILE = "executable file not found in $PATH"
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_CREATE = (
    "failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process"
)


def be_container(container: Container, out: int, err: int, problem: int) -> NoReturn:
    """Process 1 of the container."""
    try:
        die_with_parent()
        unshare(NEW_MOUNTS | (0 if container.ipc == "host" else NEW_IPC) | _own_name(container))
        if container.network != "host":
            _bring_up_loopback()
            socket.sethostname(container.hostname)
        root = container.folder / "root"
        _write_names(container, root / "etc")
        (root / NAME.name).write_text("" if container.privileged else container.id)
        size = str(container.shm_size)
        enter_root(root, container.folder / "usr-local", _devices(container), _shown(container), size)
        os.dup2(out, 1)
        os.dup2(err, 2)
        if container.init:
            _be_init(container, problem)
        become(container.command, container.environment, container.directory, problem)
    except OSError as error:
        tell(problem, {"error": f"{_CREATE}: {error}: unknown.", "status": 125})
    finally:
        os._exit(125)


def _be_init(container: Container, problem: int) -> None:
    """What docker-init does: pass signals on, reap, end as its child ends."""
    child = os.fork()
    if child == 0:
        os.setsid()
        become(container.command, container.environment, container.directory, problem)
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
            os._exit(exit_status(status))


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


def become(words: Sequence[str], environment: Sequence[str], directory: str, problem: int) -> None:
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
            tell(problem, {"error": text, "status": 127})
            return
        os.set_inheritable(problem, False)
        os.execve(program, list(words), variables)
    except OSError as error:
        text = error.strerror.lower() if error.strerror else str(error)
        tell(problem, {"error": f'exec: "{words[0]}": {text}', "status": 126})


def _find(program: str, path: str) -> str | None:
    if "/" in program:
        return program if Path(program).exists() else None
    for folder in path.split(":"):
        candidate = Path(folder or ".") / program
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return str(candidate)
    return None
