"""What containerd's shim does: outlive the command, keep the log, note the end.

A supervisor keeps the command's own descriptors only for as long as the command lives: when that is killed,
its terminal or connection is free at once, and what runs in the container goes on.
"""

from __future__ import annotations

import json
import os
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NoReturn

from lingctl.sandbox import card_holders
from lingctl.sandbox.docker.inside import be_container, become
from lingctl.sandbox.docker.store import LOCK, Container, remove, set_run, started_ticks
from lingctl.sandbox.docker.streams import exit_status, point, pump, tell
from lingctl.sandbox.mounts import NEW_IPC, NEW_MOUNTS, NEW_NET, NEW_PIDS, NEW_UTS, join_namespace, unshare
from lingctl.sandbox.state import locked

_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def now() -> str:
    """The time as docker writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "") + "000Z"


class Reports:
    """What a supervisor tells its command, a JSON document a line.

    Attributes:
        pid: of the supervisor.
    """

    def __init__(self, supervise: Callable[[int, int], NoReturn]) -> None:
        heard, said = os.pipe()
        life, self._life = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(heard)
            os.close(self._life)
            os.setsid()
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            try:
                supervise(said, life)
            except OSError as error:
                tell(said, {"error": str(error), "status": 126})
            except BaseException:  # The last frame of a forked process: whatever it is, it is shown here.
                traceback.print_exc()
            finally:
                os._exit(125)
        os.close(said)
        os.close(life)
        self._lines: IO[str] = os.fdopen(heard)

    def next(self) -> dict[str, Any]:
        """The next report; an error if the supervisor has ended without one."""
        text = self._lines.readline() or '{"error": "the supervisor ended", "status": 125}'
        found: dict[str, Any] = json.loads(text)
        return found


@dataclass(frozen=True)
class Execution:
    """Another process that is to run in a running container."""

    container: Container
    words: Sequence[str]
    environment: Sequence[str]  # ``NAME=value`` each
    directory: str
    detach: bool
    interactive: bool  # whether it has the command's standard input


def supervise_container(container: Container, said: int, life: int, attach: bool) -> NoReturn:
    """Start the first process, and stay until it ends."""
    point(0, os.devnull)
    (container.folder / "supervisor").write_text(f"{os.getpid()} {started_ticks(os.getpid())}")
    unshare(NEW_PIDS if container.network == "host" else NEW_PIDS | NEW_NET)
    holds = card_holders.begin(container.id)
    out, err, problems = os.pipe(), os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_child((said, life, problems[0], out[0], err[0]))
        be_container(container, out[1], err[1], problems[1])
    problem = _parent((out[1], err[1]), problems)
    if problem:
        os.waitpid(pid, 0)
        set_run(container, error=problem["error"], exit_code=problem["status"])
        tell(said, problem)
        os._exit(125)
    set_run(
        container,
        status="running",
        pid=pid,
        started_ticks=started_ticks(pid),
        started_at=now(),
        exit_code=0,
        error="",
    )
    tell(said, {"pid": pid})
    if not attach:
        os.close(said)
        point(1, os.devnull)
        point(2, os.devnull)
    _keep_log(container, out[0], err[0], life if attach else None)
    status = exit_status(os.waitpid(pid, 0)[1])
    os.close(holds)  # before anybody hears of the end
    set_run(container, status="exited", pid=0, exit_code=status, finished_at=now())
    if container.auto_remove:
        with locked(LOCK):
            remove(container)
    if attach:
        tell(said, {"exit": status})
    os._exit(0)


def supervise_exec(execution: Execution, said: int, life: int) -> NoReturn:
    """Run another process in a container."""
    join(execution.container.run.pid)
    out, err, problems = os.pipe(), os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_child((said, life, problems[0], out[0], err[0]))
        os.setsid()
        enter_exec(execution, problems[1], (out[1], err[1]))
    problem = _parent((out[1], err[1]), problems)
    if not execution.interactive:
        point(0, os.devnull)
    tell(said, problem or {"pid": pid})
    if problem:
        os.waitpid(pid, 0)
    elif not execution.detach:
        pump({out[0]: 1, err[0]: 2}, life, process=os.pidfd_open(pid))
        tell(said, {"exit": exit_status(os.waitpid(pid, 0)[1])})
    os._exit(0)


def enter_exec(execution: Execution, problem: int, outputs: tuple[int, int] | None = None) -> NoReturn:
    """The last steps of a process that was forked into the container's process ids."""
    try:
        join_namespace(f"/proc/{execution.container.run.pid}/ns/mnt", NEW_MOUNTS)
        if execution.detach or not execution.interactive:
            point(0, os.devnull)
        if outputs is not None:
            os.dup2(outputs[0], 1)
            os.dup2(outputs[1], 2)
        if execution.detach:
            point(1, os.devnull)
            point(2, os.devnull)
        become(execution.words, execution.environment, execution.directory, problem)
    except OSError as error:
        tell(problem, {"error": str(error), "status": 126})
    finally:
        os._exit(126)


def join(pid: int) -> None:
    """Have the next forked process run in the namespaces of a container's first process, but its files."""
    space = f"/proc/{pid}/ns"
    for name, kind in (("ipc", NEW_IPC), ("uts", NEW_UTS), ("net", NEW_NET), ("pid", NEW_PIDS)):
        # One that is shared need not be joined, and without all rights on the machine may not be.
        if not Path(f"{space}/{name}").samefile(f"/proc/self/ns/{name}"):
            join_namespace(f"{space}/{name}", kind)


def _be_child(descriptors: Sequence[int]) -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    for descriptor in descriptors:
        os.close(descriptor)


def _parent(outputs: tuple[int, int], problems: tuple[int, int]) -> dict[str, Any]:
    """Let go of the child's ends, and hear whether it became what it should."""
    for descriptor in (*outputs, problems[1]):
        os.close(descriptor)
    with os.fdopen(problems[0]) as reports:
        found: dict[str, Any] = json.loads(reports.readline() or "{}")
    return found


def _keep_log(container: Container, out: int, err: int, life: int | None) -> None:
    """Write what the container prints to its log, line by line, and pass it on where somebody listens."""
    names = {out: "stdout", err: "stderr"}
    pending = {out: b"", err: b""}
    with container.log.open("a") as log:

        def heard(source: int, data: bytes) -> None:
            *lines, rest = (pending[source] + data).split(b"\n")
            whole = [line + b"\n" for line in lines] + ([rest] if rest and not data else [])
            pending[source] = rest
            for line in whole:
                entry = {"log": line.decode("utf-8", "replace"), "stream": names[source], "time": now()}
                log.write(json.dumps(entry) + "\n")
            log.flush()

        pump({out: 1, err: 2}, life, heard)
