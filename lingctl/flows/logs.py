"""logs: what the daemons print, from all nodes, each line with its node's name in front."""

from __future__ import annotations

import threading
from collections.abc import Callable

from lingctl.inventory.cluster import Cluster
from lingctl.release.layout import layout_of
from lingctl.remote.command import Command, script
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group

LineListener = Callable[[str, str], None]

_SHOW = (
    'test -e "$2" || { echo "there is no $2: nothing was started here yet" >&2; exit 1; }; tail -n "$1" "$2"'
)
_FOLLOW = 'tail -n "$1" -F "$2" 2>/dev/null & p=$!; trap "kill $p" EXIT HUP TERM PIPE; sleep "$3"'
_A_DAY = 86_400


def show_logs(group: Group, cluster: Cluster, lines: int, on_line: LineListener) -> None:
    """The last lines of every node's console.

    Raises:
        LingctlError: a node cannot be reached or has no log.
    """
    for name, text in group.all(lambda connection: _last_lines(connection, cluster, lines)).items():
        for line in text.splitlines():
            on_line(name, line)


def follow_logs(group: Group, cluster: Cluster, lines: int, on_line: LineListener) -> None:
    """The last lines and all that come, until interrupted.

    Raises:
        LingctlError: a node cannot be reached.
    """
    lock = threading.Lock()

    def follow(connection: Connection) -> None:
        splitter = _Lines(lambda line: _locked(lock, on_line, connection.node, line))
        connection.run(_follow_command(cluster, lines), timeout=_A_DAY + 60, on_output=splitter)

    group.all(follow)


def _last_lines(connection: Connection, cluster: Cluster, lines: int) -> str:
    show = script(_SHOW, lines, layout_of(cluster).console, title="read the console")
    return connection.run(show, timeout=60).checked(connection.node, "lingctl deploy").stdout


def _follow_command(cluster: Cluster, lines: int) -> Command:
    return script(_FOLLOW, lines, layout_of(cluster).console, _A_DAY, title="follow the console")


def _locked(lock: threading.Lock, on_line: LineListener, node: str, line: str) -> None:
    with lock:
        on_line(node, line)


class _Lines:
    """Cuts a stream of bytes into lines."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""

    def __call__(self, part: bytes) -> None:
        *lines, self._rest = (self._rest + part).split(b"\n")
        for line in lines:
            self._on_line(line.decode("utf-8", "replace"))
