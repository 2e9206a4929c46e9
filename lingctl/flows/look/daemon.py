"""One look at a node's daemon: is its process there, what did it print, how did it end."""

from __future__ import annotations

from dataclasses import dataclass

from lingctl.mindie.failures import exit_meaning, explain
from lingctl.release.daemon import SUCCESS, need_known, read_watch, watch_command
from lingctl.release.site import Site
from lingctl.remote.connection import Connection


@dataclass(frozen=True, slots=True)
class DaemonSight:
    """One look at a node's daemon.

    Attributes:
        alive: whether its process is there.
        exit_status: how it ended, as text, or empty.
        console: the end of what it printed, with its success line, if there was one, before it.
    """

    alive: bool
    exit_status: str
    console: str

    @property
    def succeeded(self) -> bool:
        """Whether it printed its success line: necessary, and not yet an answer to a request."""
        return SUCCESS in self.console


def look_at_daemon(connection: Connection, site: Site) -> DaemonSight:
    """Look once.

    Raises:
        NodeError: it is not known whether it is there.
    """
    said = connection.run(watch_command(site), timeout=30).stdout
    state, status, console = read_watch(said)
    need_known(state, connection.node)
    return DaemonSight(state.pid is not None, status, console)


def how_it_ended(sight: DaemonSight) -> str:
    """How a daemon that nobody stopped ended, as far as its console's end and its exit status tell."""
    told = explain(sight.console, status=sight.exit_status)
    cause = told[0].cause if told else exit_meaning(sight.exit_status)
    how = f"the daemon ended (exit status {sight.exit_status or 'unknown'})"
    return f"{how}: {cause}" if cause else how
