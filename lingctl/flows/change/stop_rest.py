"""When one daemon of a group is gone: stop the others, which are of no use without it.

The real 3.0.0 was seen to wait for ever then, on every node and at every stage, without a word; its workers
hold their cards, and the primary's health stays 200 until its first request ends it. Containers, consoles
and logs stay.
"""

from __future__ import annotations

from collections.abc import Collection

from lingctl.errors import LingctlError
from lingctl.events import Event, Listener
from lingctl.release.daemon import stop_command, stop_seconds
from lingctl.release.site import Site
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group

_TASK = "stop the other daemons"


def stop_rest(
    group: Group, site: Site, living: Collection[str], listener: Listener
) -> dict[str, LingctlError | None]:
    """Stop the daemons that still run; by node, why one could not be stopped."""
    seconds = stop_seconds(site)

    def stop(connection: Connection) -> None:
        listener(Event(_TASK, "started", connection.node))
        try:
            command = stop_command(site, connection.node)
            connection.run(command, timeout=seconds).checked(connection.node)
        except LingctlError as error:
            listener(Event(_TASK, "failed", connection.node, error.what))
            raise
        listener(Event(_TASK, "done", connection.node))

    return group.only(living).map(stop)
