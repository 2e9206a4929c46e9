"""One look at a node's daemon: is its process there, what did it print, how did it end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lingctl.engine.interface import Engine
from lingctl.engine.logs import Diagnosis, LogReader
from lingctl.errors import LingctlError
from lingctl.release.console import earlier_errors_command
from lingctl.release.daemon import errors_command, need_known, read_watch, watch_command
from lingctl.release.site import Site
from lingctl.remote.command import Command
from lingctl.remote.connection import Connection
from lingctl.remote.probe import Question


@dataclass(frozen=True, slots=True)
class DaemonSight:
    """One look at a node's daemon."""

    alive: bool  # whether its process is there
    exit_status: str  # how it ended, as text, or empty
    console: str  # the end of what it printed, with its success line, if there was one, before it
    # whether it printed its success line: necessary, and not yet an answer to a request
    succeeded: bool = False
    earlier: str = ""  # what may tell of its console before that end, where it was asked for
    others: str = ""  # error lines of the node's other logs, where they were asked for
    started: bool = True  # whether it was started, and not stopped on request since

    @property
    def told(self) -> str:
        """All that was read, to be judged as one log."""
        # A form feed begins another log, whose first lines are not those of the console's last moment.
        return "\n".join((self.earlier, self.console, f"\f{self.others}"))


@dataclass(frozen=True, slots=True)
class DaemonSights:
    """One look at every node's daemon."""

    nodes: Mapping[str, DaemonSight]  # by name
    at: float  # when the first of them was seen, in seconds of ``time.monotonic``

    @property
    def all_loaded(self) -> bool:
        """Whether all are there and have loaded."""
        return all(sight.alive and sight.succeeded for sight in self.nodes.values())


def look_at_daemon(connection: Connection, site: Site) -> DaemonSight:
    """Look once. Raises NodeError: it is not known whether it is there."""
    asked = watch_command(site, connection.node)
    return sight_in(connection.run(asked, timeout=30).stdout, site, connection.node)


def sight_in(said: str, site: Site, node: str) -> DaemonSight:
    """What the answer to ``watch_command`` shows. Raises NodeError: it is not known whether it is there."""
    state, status, console = read_watch(said)
    need_known(state, node)
    # An empty word is in every text: a daemon that prints none counts as loaded.
    loaded = site.loaded[node] in console
    return DaemonSight(state.pid is not None, status, console, loaded, started=bool(state.started))


def watching(questions: Sequence[Question], site: Site, node: str) -> list[Question]:
    """The questions for a node's state, with what ``sight_in`` reads as the answer to that for its daemon."""
    watch = Question("daemon", watch_command(site, node), 30)
    return [watch if question.id == watch.id else question for question in questions]


def look_closer(connection: Connection, site: Site, engine: Engine, sight: DaemonSight) -> DaemonSight:
    """The same look, with the console before its end and the node's other logs, as far as they can be read:
    a node or container that is lost must not hide the cause."""
    return replace(
        sight,
        earlier=_read(connection, earlier_errors_command(site.layout, engine.logs.console)),
        others=_read(connection, errors_command(site)),
    )


def _read(connection: Connection, ask: Command) -> str:
    try:
        return connection.run(ask, timeout=60).stdout
    except LingctlError:
        return ""


def how_it_ended(sight: DaemonSight, logs: LogReader) -> str:
    """How a daemon that nobody stopped ended, as far as what was read and its exit status tell."""
    told = logs.explain(sight.told, status=sight.exit_status)
    cause = told[0].words if told else logs.exit_meaning(sight.exit_status)
    how = f"the daemon ended (exit status {sight.exit_status or 'unknown'})"
    return f"{how}: {cause}" if cause else how


def cause_in_words(found: Diagnosis, status: str, logs: LogReader) -> str:
    """The cause that was found, with what the exit status means where nothing known explains the end."""
    meaning = "" if found.explanation is not None else logs.exit_meaning(status)
    return f"{meaning}; {found.words}" if meaning else found.words
