"""What stands in a daemon's console before the end that is watched: the first errors of a start. Pure.

Sixteen ranks that lost a seventeenth print hundreds of kilobytes behind the line that says why.
"""

from __future__ import annotations

from lingctl.assets import shell
from lingctl.engine.logs import Console
from lingctl.release.layout import Layout
from lingctl.remote.command import Command, script

# As many bytes as ``watch_command`` brings from the end.
WATCHED_BYTES = 40_000
_MOST_BYTES = 60_000
# Each with the line before it, for its time.
_EARLIER = shell("daemon/earlier")


def earlier_errors_command(layout: Layout, look_for: Console) -> Command:
    """Ask for the error lines of the console before its watched end; nothing where that is all of it."""
    return script(
        _EARLIER,
        layout.console,
        WATCHED_BYTES,
        _MOST_BYTES,
        look_for.requests,
        look_for.telling,
        title="read the console's first errors",
    )
