"""When one daemon of a group is gone: stop the others, which are of no use without it.

The real 3.0.0 was seen to wait for ever then, on every node and at every stage, without a word; its workers
hold their cards, and the primary's health stays 200 until its first request ends it. Containers, consoles
and logs stay.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from lingctl.errors import LingctlError
from lingctl.events import Event, Listener
from lingctl.release.daemon import stop_command, stop_seconds
from lingctl.release.site import Site
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group

_TASK = "stop the other daemons"


@dataclass(frozen=True, slots=True)
class Stopped:
    """What became of the others."""

    done: tuple[str, ...] = ()  # nodes whose daemon was stopped
    failed: tuple[tuple[str, str], ...] = ()  # nodes where that did not work, with the reason

    def __bool__(self) -> bool:
        return bool(self.done or self.failed)

    @property
    def words(self) -> str:
        """What was done and why, for people."""
        told = []
        if self.done:
            told.append(
                f"{', '.join(self.done)}: stopped too: without the others it would have waited for ever"
            )
        told += [f"{node}: could not be stopped: {reason}" for node, reason in self.failed]
        return "\n".join(told)

    @property
    def remedy(self) -> str:
        """What is left to do, empty where that is nothing."""
        return "lingctl stop  ends the daemons that still run" if self.failed else ""


def stop_rest(group: Group, site: Site, living: Collection[str], listener: Listener) -> Stopped:
    """Stop the daemons that still run."""
    if not living:
        return Stopped()
    seconds = stop_seconds(site)

    def stop(connection: Connection) -> None:
        listener(Event(_TASK, "started", connection.node))
        done = connection.run(stop_command(site, connection.node), timeout=seconds)
        done.checked(connection.node)
        listener(Event(_TASK, "done", connection.node))

    outcomes = Group({name: group[name] for name in living}).map(stop)
    failed = {name: one for name, one in outcomes.items() if isinstance(one, LingctlError)}
    for name, error in failed.items():
        listener(Event(_TASK, "failed", name, error.what))
    return Stopped(
        tuple(name for name in outcomes if name not in failed),
        tuple((name, error.what) for name, error in failed.items()),
    )
