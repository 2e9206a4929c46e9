"""One look at a node's daemon: is its process there, what did it print, how did it end."""

from __future__ import annotations

from dataclasses import dataclass

from lingctl.engine.logs import LogReader
from lingctl.release.daemon import need_known, read_watch, watch_command
from lingctl.release.site import Site
from lingctl.remote.connection import Connection


@dataclass(frozen=True, slots=True)
class DaemonSight:
    """One look at a node's daemon."""

    alive: bool  # whether its process is there
    exit_status: str  # how it ended, as text, or empty
    console: str  # the end of what it printed, with its success line, if there was one, before it
    # whether it printed its success line: necessary, and not yet an answer to a request
    succeeded: bool = False


def look_at_daemon(connection: Connection, site: Site) -> DaemonSight:
    """Look once. Raises NodeError: it is not known whether it is there."""
    said = connection.run(watch_command(site, connection.node), timeout=30).stdout
    state, status, console = read_watch(said)
    need_known(state, connection.node)
    # An empty word is in every text: a daemon that prints none counts as loaded.
    return DaemonSight(state.pid is not None, status, console, site.loaded[connection.node] in console)


def how_it_ended(sight: DaemonSight, logs: LogReader) -> str:
    """How a daemon that nobody stopped ended, as far as its console's end and its exit status tell."""
    told = logs.explain(sight.console, status=sight.exit_status)
    cause = told[0].words if told else logs.exit_meaning(sight.exit_status)
    how = f"the daemon ended (exit status {sight.exit_status or 'unknown'})"
    return f"{how}: {cause}" if cause else how
