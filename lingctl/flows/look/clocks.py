"""How far the clocks apart are that stamp the lines of the nodes' consoles."""

from __future__ import annotations

import time

from lingctl.release.console import console_clock_command, read_console_clock
from lingctl.release.site import Site
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group

# What the way of an answer may make of equal clocks, in seconds; no order of events hangs on it.
_EQUAL = 1.0


def clocks_apart(group: Group, site: Site) -> dict[str, float]:
    """Seconds by which each node's clock is ahead of the first node's, zones included.

    Args:
        site: whose consoles.

    Returns:
        Nothing for a node that could not be asked, and nothing at all where that is the first one.
    """

    def ask(connection: Connection) -> float | None:
        asked = time.time()
        said = connection.run(console_clock_command(site), timeout=30).stdout
        clock = read_console_clock(said)
        return None if clock is None else clock.shown - (asked + time.time()) / 2

    shown = {node: ahead for node, ahead in group.map(ask).items() if isinstance(ahead, float)}
    first = shown.get(site.nodes[0])
    if first is None:
        return {}
    apart = {node: ahead - first for node, ahead in shown.items()}
    return {node: seconds if abs(seconds) > _EQUAL else 0.0 for node, seconds in apart.items()}
