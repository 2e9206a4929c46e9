"""How 3.0.0 ends: after a signal, a child's death or a crash; by an abort, which a shell shows as 134.

Seen on the real 3.0.0 on a CPU, one node and two: the order of lines, what health and the ports say
meanwhile, and that a stopped slave leaves its worker behind (in 11 of 13 stops; here always, unless a
fault says otherwise).
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.http.listeners import ListenError, Listeners
from lingctl.sandbox.engine.machine.processes import ended_children
from lingctl.sandbox.engine.machine.shared_memory import SharedMemory
from lingctl.sandbox.engine.machine.site import this_site
from lingctl.sandbox.engine.nodes import world
from lingctl.sandbox.engine.requests.service import Service
from lingctl.sandbox.engine.start.started import Started
from lingctl.sandbox.engine.words import last_words

# Of the handler, before it kills the group.
_ENDPOINT_SECONDS = 5.0
# The stages of a stop are far enough apart to be seen where time runs fast.
_LEAST_STAGE = 0.3
# The fault: a stopped slave ends its worker.
TAKES_WORKER = "follower-takes-its-worker"
_WAITS = 3


@dataclass(frozen=True, slots=True)
class Fate:
    """What ends the daemon."""

    number: int  # a signal; SIGCHLD for a child's death
    children: tuple[tuple[int, int], ...] = ()  # those that died, with their wait statuses
    # of a worker that was killed while it loaded the console says nothing (seen on a slave)
    silent: bool = False
    raised: bool = False  # the daemon brought it on itself: a C++ exception or a wrong address


class Ending:
    """The end of one daemon.

    Args:
        started: None where it was not yet configured.
        service: None on a slave and while starting.
        up: whether it had said that it started.
    """

    def __init__(
        self,
        console: Console,
        started: Started | None,
        service: Service | None,
        listeners: Listeners,
        workers: list[int],
        memory: SharedMemory,
        *,
        up: bool,
    ) -> None:
        self._console, self._started, self._service = console, started, service
        self._listeners, self._workers, self._memory = listeners, workers, memory
        self._up = up
        self._scale = this_site().time_scale

    def run(self, fate: Fate) -> NoReturn:
        """End as that fate wants it."""
        if fate.number == signal.SIGFPE:
            # Nobody handles it: a shell shows 136.
            signal.signal(signal.SIGFPE, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGFPE)
        if self._service is not None:
            self._service.health.turn_abnormal()
        if self._started is not None:
            self._started.group.freeze()
        if fate.number == signal.SIGCHLD:
            self._after_child(fate)
        else:
            self._after_signal(fate)
        self._abort()

    @property
    def _slave(self) -> bool:
        return self._up and self._started is not None and not self._started.is_master

    def _after_child(self, fate: Fate) -> None:
        console = self._console
        if fate.silent:
            console.err(f"Daemon is killing, please wait about {last_words.SUBPROCESS_SECONDS} seconds...")
            self._end_group()
            last_words.all_ended(console)
            self._memory.remove()
            return
        last_words.children_ended(fate.children, console, kills=not self._slave)
        if self._slave:
            # Its endpoint's end throws before the handler has come to kill the group (seen).
            console.err("terminate called without an active exception")
            self._memory.remove()
            return
        if self._up:
            self._say_finalised()
            last_words.turned_abnormal(console)
            self._finalise()
            last_words.workers_told((), console)
        last_words.group_killed(console)
        self._wait_for_children()

    def _after_signal(self, fate: Fate) -> None:
        console = self._console
        last_words.received(fate.number, console)
        stopped = fate.number in (signal.SIGTERM, signal.SIGINT)
        if stopped and self._service is not None:
            self._service.stopping.set()
        if not self._up:
            last_words.signal_handled(console)
            self._pause(_ENDPOINT_SECONDS)
            last_words.group_killed(console)
            self._wait_for_children()
            return
        last_words.turned_abnormal(console)
        self._finalise()
        if self._slave:
            self._leave_worker()
            return
        if fate.number == signal.SIGSEGV:
            last_words.workers_told((), console)
            last_words.signal_handled(console)
            self._pause(_ENDPOINT_SECONDS)
        else:
            self._say_finalised()
            self._stop_workers()
        last_words.group_killed(console)
        self._wait_for_children(business=fate.raised, ports=fate.number != signal.SIGSEGV)

    def _finalise(self) -> None:
        assert self._started is not None
        last_words.engine_finalised(self._started.raw.backend["backendName"], self._console)

    def _say_finalised(self) -> None:
        if self._started is not None and self._started.is_master:
            world.say_finalised(self._started.registration)

    def _stop_workers(self) -> None:
        console = self._console
        last_words.workers_told(self._workers, console)
        for pid in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        last_words.signal_handled(console)
        self._pause(0.4)
        last_words.children_ended(ended_children(), console)

    def _leave_worker(self) -> None:
        """A slave's end throws: its worker lives on, with its card and its segments."""
        console = self._console
        last_words.slave_cannot_finalise(console)
        last_words.signal_handled(console)
        last_words.received(signal.SIGABRT, console)
        last_words.signal_handled(console)
        self._pause(_ENDPOINT_SECONDS)
        if TAKES_WORKER in this_site().faults:
            last_words.group_killed(console)
            self._wait_for_children()
        else:
            last_words.group_killed(console, parent=False)

    def _wait_for_children(self, *, business: bool = False, ports: bool = False) -> None:
        console = self._console
        ended = self._end_group()
        if ended:
            last_words.children_ended(ended, console)
        if not self._workers:
            last_words.all_ended(console)
            return
        for second in range(1, _WAITS + 1):
            self._pause(1.0)
            last_words.still_waiting(second, console)
            if second == 1 and self._up:
                last_words.channels_ended(console)
                if ports:
                    last_words.http_stops(console)
                    self._listeners.close(business=business)
        self._memory.remove()
        last_words.segments_cleaned(console)
        last_words.all_ended(console)

    def _end_group(self) -> list[tuple[int, int]]:
        """SIGTERM to the rest of the process group, SIGKILL to what does not end; all reaped."""
        others = group_members(os.getpgrp())
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            ended: list[tuple[int, int]] = []
            deadline = time.monotonic() + max(1.0, last_words.SUBPROCESS_SECONDS * self._scale)
            while time.monotonic() < deadline:
                others = group_members(os.getpgrp())
                ended += ended_children()
                if not others:
                    return ended
                time.sleep(0.01)
        return ended

    def _pause(self, seconds: float) -> None:
        time.sleep(max(_LEAST_STAGE, seconds * self._scale) if self._up else seconds * self._scale)

    def _abort(self) -> NoReturn:
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        os.abort()


def group_members(group: int) -> list[int]:
    """The other processes of a process group."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            pid = int(path.parent.name)
            if int(fields[2]) == group and pid != os.getpid() and fields[0] != "Z":
                found.append(pid)
    return found


def say_abnormal(console: Console) -> None:
    """What a poll of health leaves in the console while the service is abnormal."""
    console.server("ERROR", "[MIE04E020614] [endpoint] Service is abnormal", "http_handler.cpp:835")


def say_normal(console: Console) -> None:
    """What the health checker says when its first interval is over."""
    head = "[health_checker] HealthChecker:"
    text = f"{head} Status changed from SERVICE_INIT to SERVICE_NORMAL"
    console.server("INFO", text, "health_checker.cpp:600")
    text = f"{head} Simulate infer health task is not enabled"
    console.server("INFO", text, "health_checker.cpp:364")


_LISTEN_LINES = {
    "business": (252, "business ip and port"),
    "management": (269, "management ip and port"),
    "metrics": (286, "management ip and metrics port"),
}


def say_listen_error(error: ListenError, console: Console) -> None:
    """The words of a port that is not free, or of an address that is not this host's."""
    source = "http_server.cpp"
    if error.occupied:
        text = "Socket bind failed, bind_result is -1. Address already in use"
        console.server("ERROR", f"[MIE04E020407] [endpoint] {text}", f"{source}:235")
        text = "Management or Business or Metrics Http server listen port is occupied"
        console.server("ERROR", f"[MIE04E020407] [endpoint] {text}", f"{source}:402")
    else:
        for one in error.wanted:
            line, what = _LISTEN_LINES[one.first_role]
            text = f"Failed to listen {one.address}:{one.port}, please check if {what} are legal."
            console.server("ERROR", f"[MIE04E02041C] [endpoint] {text}", f"{source}:{line}")
        console.server("INFO", "[endpoint] Https server stop start.", f"{source}:462")
        console.server("INFO", "[endpoint] Https server stop sucess.", f"{source}:482")
    last_words.endpoint_failed(console, why="Failed to start http wrapper", place="endpoint.cpp:115")
