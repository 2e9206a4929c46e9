"""What stands in a daemon's console before the end that is watched: the first errors of a start. Pure.

Sixteen ranks that lost a seventeenth print hundreds of kilobytes behind the line that says why.
"""

from __future__ import annotations

from lingctl.assets import shell
from lingctl.release.layout import Layout
from lingctl.remote.command import Command, script

# As many bytes as ``watch_command`` brings from the end.
WATCHED_BYTES = 40_000
_MOST_BYTES = 60_000
# Of a daemon that served, refused requests are most of its errors, and never the cause.
_REQUESTS = r"request_?[iI]d|http_handler\.cpp|single_req_"
# Errors, and what tells how far the daemon was when they came.
_WANTED = "|".join(
    (
        "ERROR",
        "Error",
        "Exception",
        "E[EIJLZ][0-9]{4}",
        "terminate called",
        r"what\(\):",
        "out of memory",
        "g_mainPid",
        "ConfigManager: Load",
        "Execute command",
        "GRPCCommunicator",
        "Registration succeeded",
        "InitModelConfig",
        "Daemon start success",
        "Received exit signal",
        "exited normally",
        "terminated by signal",
        r"\([0-9]+\) *\|",
    )
)
# Each with the line before it, for its time.
_EARLIER = shell("daemon/earlier")


def earlier_errors_command(layout: Layout) -> Command:
    """Ask for the error lines of the console before its watched end; nothing where that is all of it."""
    return script(
        _EARLIER,
        layout.console,
        WATCHED_BYTES,
        _MOST_BYTES,
        _REQUESTS,
        _WANTED,
        title="read the console's first errors",
    )
