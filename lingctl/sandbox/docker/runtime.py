"""Starts, stops and enters containers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lingctl.sandbox.docker import supervisor
from lingctl.sandbox.docker.images import Image
from lingctl.sandbox.docker.store import Container, container_named
from lingctl.sandbox.docker.streams import exit_status, flush
from lingctl.sandbox.docker.supervisor import Execution, Reports
from lingctl.sandbox.docker.trouble import DockerError


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
    """The image's python3: the node's interpreter, with the image's packages and with those that lingctl has
    here, for the real image has numpy and tokenizers too."""
    program = usr_local / "bin/python3"
    program.parent.mkdir(parents=True, exist_ok=True)
    packages = "/usr/local/lib/python3.11/site-packages"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="${{PYTHONPATH:+$PYTHONPATH:}}{packages}" exec /.sandbox/python "$@"\n'
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
    flush()
    reports = Reports(lambda said, life: supervisor.supervise_container(container, said, life, attach))
    first = reports.next()
    if "error" in first:
        os.waitpid(reports.pid, 0)
        raise DockerError(f"Error response from daemon: {first['error']}", first["status"])
    if not attach:
        return 0
    _pass_signals_to(first["pid"])
    return int(reports.next().get("exit", 137))


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


def execute(execution: Execution, *, terminal: bool) -> int:
    """Run another process in a running container.

    Returns:
        Its exit status; 0 at once if detached.

    Raises:
        DockerError: it could not be run.
    """
    flush()
    if terminal and not execution.detach:
        return _execute_in_terminal(execution)
    reports = Reports(lambda said, life: supervisor.supervise_exec(execution, said, life))
    first = reports.next()
    if "error" in first:
        raise _not_run(first)
    return 0 if execution.detach else int(reports.next().get("exit", 137))


def _execute_in_terminal(execution: Execution) -> int:
    """The terminal is the command's own: the process uses it directly."""
    heard, said = os.pipe()
    supervisor.join(execution.container.run.pid)
    pid = os.fork()
    if pid == 0:
        os.close(heard)
        supervisor.enter_exec(execution, said)
    os.close(said)
    with os.fdopen(heard) as reports:
        problem = reports.readline()
    status = exit_status(os.waitpid(pid, 0)[1])
    if problem:
        raise _not_run(json.loads(problem))
    return status


def _not_run(report: Mapping[str, Any]) -> DockerError:
    text = "OCI runtime exec failed: exec failed: unable to start container process"
    return DockerError(f"{text}: {report['error']}: unknown", report["status"])


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


def _pass_signals_to(pid: int) -> None:
    def pass_on(number: int, _: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, pass_on)
