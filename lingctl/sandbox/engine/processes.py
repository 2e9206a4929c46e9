"""Processes as they show in ps: the daemon, and one light worker for each card."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

DAEMON = "mindieservice_daemon"
WORKER = "mindie_llm_backend_connector"
_PR_SET_NAME = 15


def name_process(name: str) -> None:
    """The name that ``ps -o comm`` shows, cut to 15 characters by the kernel."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def _name_command_line(text: str) -> None:
    """Overwrite this process's command line as /proc shows it, as far as it has room."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    if 0 < start < end:
        data = text.encode()[: end - start - 1]
        ctypes.memmove(start, data.ljust(end - start, b"\0"), end - start)


def start_worker(rank: int, device: int) -> int:
    """Fork the worker of a card: it idles, holds the card, and ends on SIGTERM. Gives its pid."""
    pid = os.fork()
    if pid:
        return pid
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    name_process(WORKER)
    _name_command_line(f"{WORKER} --rank {rank} --npu {device}")
    while True:
        time.sleep(3600)


def dead_worker(pids: list[int]) -> tuple[int, int] | None:
    """A worker that has ended, reaped: its pid and wait status; None while all live."""
    for pid in pids:
        try:
            found, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            found, status = pid, 0
        if found:
            pids.remove(pid)
            return pid, status
    return None
