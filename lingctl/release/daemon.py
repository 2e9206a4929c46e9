"""Starting, stopping and looking at the daemon, as commands for its node. Pure.

A process id alone is not trusted: after a restart of the container it may belong to something else. So the
time at which the process started is kept beside it, and both must match.
"""

from __future__ import annotations

from dataclasses import dataclass

from lingctl.assets import shell
from lingctl.errors import NodeError
from lingctl.release.console import WATCHED_BYTES
from lingctl.release.site import Site
from lingctl.remote.command import Command
from lingctl.remote.runtime import runtime_script
from lingctl.remote.wire.numbers import whole_number

_LOOK = shell("daemon/look")
_LOOK_INSIDE = shell("daemon/look_inside")
_WATCH = shell("daemon/watch")
# Error lines of its other logs, of this start only.
_ERRORS = """
inside=$1 name=$2
shift 2
"$runtime" exec "$name" sh -c "$inside" sh "$@" 2>/dev/null || true
"""
_ERRORS_INSIDE = shell("daemon/errors_inside")
_STOP = shell("daemon/stop")
_STOP_INSIDE = shell("daemon/stop_inside")
_START = shell("daemon/start")
_START_INSIDE = shell("daemon/start_inside")
_LOG_SIZES_INSIDE = shell("daemon/log_sizes_inside")
_COUNT = """
start=$(sed -n 2p "$4" 2>/dev/null)
"$runtime" exec "$2" sh -c "$1" sh "$3" "$start" "$5" 2>/dev/null
"""
_COUNT_INSIDE = shell("daemon/count_inside")
_PAUSE_SECONDS = 10
# The longest that ``start_command`` may take: start.sh waits for the last run's ports, which linger a minute.
START_SECONDS = 150
# In the container; what CANN, HCCL and ATB write, whatever the engine.
ASCEND_LOGS, ATB_LOGS = "/root/ascend/log", "/root/atb/log"
_ERROR_LOGS = (f"{ASCEND_LOGS}/debug/plog", f"{ASCEND_LOGS}/run/plog", ATB_LOGS)


@dataclass(frozen=True, slots=True)
class DaemonState:
    """What ``look_command`` tells."""

    pid: int | None  # its process in the container, or None when it is not there or that is unknown
    started: str  # digest of the release that it was started with; empty when it was stopped on request
    unknown: str = ""  # why it is not known whether it is there; empty where it is


def look_command(site: Site) -> Command:
    """Ask whether the daemon is there; ``read_look`` reads the answer."""
    layout = site.layout
    return _asked(site, "look at the daemon", _LOOK, _LOOK_INSIDE, layout.pid, layout.started)


def read_look(answer: str) -> DaemonState:
    """The answer to ``look_command``."""
    first, _, rest = answer.partition("\n")
    words = first.split()
    started = rest.partition("\n")[0].strip()
    pid = whole_number(words[1]) if words[:1] == ["alive"] and len(words) > 1 else None
    if pid is not None:
        return DaemonState(pid, started)
    unknown = "" if words == ["dead"] else first.removeprefix("unknown ") or "the node said nothing"
    return DaemonState(None, started, unknown)


def need_known(state: DaemonState, node: str) -> DaemonState:
    """The state, if it is known.

    Raises:
        NodeError: it is not (code ``daemon-unknown``); a daemon that may serve is not taken for dead.
    """
    if state.unknown:
        raise NodeError(
            "it is not known whether the daemon runs",
            where=node,
            evidence=state.unknown,
            code="daemon-unknown",
        )
    return state


def processes_command(site: Site) -> Command:
    """Ask how many processes the daemon has, itself included, or left when it ended; nothing is told where
    that is not known."""
    layout, names = site.layout, " ".join(site.process_names)
    return _asked(site, "count its processes", _COUNT, _COUNT_INSIDE, layout.pid, layout.started, names)


def watch_command(site: Site, node: str) -> Command:
    """Ask whether the daemon is there, how it ended, and what it printed; ``read_watch`` reads the answer."""
    layout = site.layout
    files = (layout.pid, layout.started, layout.exit_status, layout.console)
    return _asked(site, "look at the daemon", _WATCH, _LOOK_INSIDE, *files, site.loaded[node], WATCHED_BYTES)


def read_watch(answer: str) -> tuple[DaemonState, str, str]:
    """The answer to ``watch_command``: the daemon, its exit status as text (or empty), its console's end with
    the success line before it."""
    look, digest, status, console = (*answer.split("\n", 3), "", "", "", "")[:4]
    return read_look(f"{look}\n{digest}"), status.strip(), console


def errors_command(site: Site) -> Command:
    """Ask for the error lines that CANN's, ATB's and the engine's own logs got since the last start."""
    words = (site.layout.pid, site.layout.log_sizes, *site.log_places, *_ERROR_LOGS)
    return _asked(site, "read the error logs", _ERRORS, _ERRORS_INSIDE, *words)


def stop_command(site: Site, node: str) -> Command:
    """Ask the daemon to end, wait, and only then use force on what is left of it."""
    layout, names = site.layout, " ".join(site.process_names)
    words = (layout.pid, layout.started, site.timeouts.stop, names, _PAUSE_SECONDS)
    return _asked(site, "stop the daemon", _STOP, _STOP_INSIDE, *words, *site.cards[node])


def stop_seconds(site: Site) -> float:
    """The longest that ``stop_command`` may take."""
    return site.timeouts.stop + _PAUSE_SECONDS + 90


def start_command(site: Site, digest: str) -> Command:
    """Start the daemon in its container, as the release of that digest; returns when it has a process id."""
    layout, logs = site.layout, (*site.log_places, ASCEND_LOGS, ATB_LOGS)
    words = (layout.start, layout.run, digest, _LOG_SIZES_INSIDE, *logs)
    return _asked(site, "start the daemon", _START, _START_INSIDE, *words)


def _asked(site: Site, title: str, body: str, inside: str, *words: str | int) -> Command:
    """A script for the node that gives another to the container."""
    return runtime_script(site.runtime, body, inside, site.container, *words, title=title)
