"""Processes as they show in ps: the daemon, one light worker for each card, and the tokenizers of 3.0.0."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

DAEMON = "mindieservice_daemon"
WORKERS = {"1.0.0": "mindie_llm_backend_connector", "3.0.0": "mindie_llm_backend"}
_PR_SET_NAME = 15
# Sent to a worker whose Python ends with an exception.
PYTHON_FAILS = signal.SIGUSR1


def _own_stat() -> list[str]:
    """/proc/self/stat behind the command's name: field 3 of proc(5) comes first."""
    return Path("/proc/self/stat").read_text().rpartition(")")[2].split()


def seconds_since_start() -> float:
    """How long this process has been there: what its start took, where it has only just got ready."""
    started = int(_own_stat()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def name_process(name: str) -> None:
    """The name that ``ps -o comm`` shows, cut to 15 characters by the kernel."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def _name_command_line(text: str) -> None:
    """Overwrite this process's command line as /proc shows it: arguments, and the environment behind."""
    fields = _own_stat()
    start, end = int(fields[45]), int(fields[48])
    if 0 < start < end:
        data = text.encode()[: end - start - 1]
        ctypes.memmove(start, data.ljust(end - start, b"\0"), end - start)


def start_worker(command: str, at_stop: Callable[[], None] | None = None) -> int:
    """Fork the worker of a card: it idles, and holds the card. Gives its pid.

    Args:
        command: its command line, which begins with its name.
        at_stop: 3.0.0: what a stopped worker does before it ends by signal 11, as the real one was seen to
            (which may have come from its stand-ins for a card). Without it a stopped worker just ends.
    """

    def stop(*_: object) -> None:
        if at_stop is None:
            os._exit(0)
        at_stop()
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGSEGV)

    def begin() -> None:
        signal.signal(signal.SIGTERM, stop)
        signal.signal(PYTHON_FAILS, lambda *_: os._exit(1))
        name_process(command.partition(" ")[0])
        _name_command_line(command)

    return _fork_idle(begin)


def start_tokenizer() -> int:
    """Fork a tokenizer process of 3.0.0, which keeps the daemon's command line. Gives its pid."""

    def begin() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        name_process("RunEP")

    return _fork_idle(begin)


def _fork_idle(begin: Callable[[], None]) -> int:
    """Fork a child without the daemon's sockets, files and handlers. Gives its pid."""
    pid = os.fork()
    if pid:
        return pid
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.closerange(3, 4096)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    begin()
    while True:
        time.sleep(3600)


def ended_children() -> list[tuple[int, int]]:
    """Children that have ended, reaped: pids with their wait statuses."""
    found: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if not pid:
            return found
        found.append((pid, status))


def end_of(status: int) -> tuple[int, int]:
    """A wait status as (exit code, signal), one of them 0."""
    return (0, os.WTERMSIG(status)) if os.WIFSIGNALED(status) else (os.WEXITSTATUS(status), 0)
