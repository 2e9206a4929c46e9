"""logs: what the daemons print, from all nodes, each line with its node's name in front."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lingctl.engines import engine_of
from lingctl.errors import NodeError
from lingctl.inventory.cluster import Cluster
from lingctl.release.console import console_clock_command, read_console_clock
from lingctl.release.layout import Layout
from lingctl.release.site import Site, site_of
from lingctl.remote.command import Command, script
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.lines import LineCutter

LineListener = Callable[[str, str], None]
# See ``LogReader.lines_of``.
LineFilters = Callable[[datetime | None, timedelta, int | None], Callable[[str], bool]]

# A daemon prints while it serves, for weeks: of that much only the end is brought, and whole lines.
# It is less than the end that start.sh keeps of a long console.
_SHOW = """
test ! -L "$2" || { echo "$2 is a link: what it leads to is not shown" >&2; exit 1; }
test -e "$2" || { echo "there is no $2: nothing was started here yet" >&2; exit 1; }
if [ "$(wc -c <"$2")" -le "$3" ]; then tail -n "$1" "$2"; exit; fi
tail -c "$3" "$2" | tail -n +2 | tail -n "$1"
case $1 in +*) echo "only the last $(($3 / 1000000)) MB; what is kept is in $2 there" >&2;; esac
"""
_MOST_BYTES = 48_000_000
_LONGEST_LINE = 64 << 10
# sshd closes standard input when the connection ends; without that nothing would end a silent tail.
_FOLLOW = """
test ! -L "$3" || { echo "$3 is a link: what it leads to is not shown" >&2; exit 1; }
tail "$1" "$2" -F "$3" 2>/dev/null </dev/null & p=$!; trap "kill $p" EXIT HUP TERM; cat >/dev/null
"""
_A_DAY = 86_400
_DURATION = re.compile(r"([0-9]{1,9})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class WantedLogs:
    """Which lines."""

    lines: int = 100  # so many from the end; all that are wanted where a time or rank is given
    since: int | None = None  # so many seconds back, by the node's clock; None for no such limit
    rank: int | None = None  # only of this rank; None for all

    @property
    def tail(self) -> str:
        """What ``tail -n`` is told."""
        return str(self.lines) if self.since is None and self.rank is None else "+1"


def duration_seconds(text: str) -> int | None:
    """Seconds of ``90s``, ``10m``, ``2h`` or ``1d``; None for anything else."""
    found = _DURATION.fullmatch(text.strip())
    return int(found[1]) * _SECONDS[found[2]] if found else None


def node_of_rank(cluster: Cluster, rank: int) -> str:
    """The node that holds a rank. Raises IndexError: there is no such rank."""
    return cluster.nodes[rank // len(cluster.primary.devices)].name


def show_logs(group: Group, cluster: Cluster, wanted: WantedLogs, on_line: LineListener) -> None:
    """The wanted lines of every node's console.

    Raises:
        LingctlError: a node cannot be reached or has no log.
    """
    site, lines_of = site_of(cluster), engine_of(cluster).logs.lines_of
    for name, lines in group.all(lambda connection: _shown(connection, site, wanted, lines_of)).items():
        for line in lines:
            on_line(name, line)


def follow_logs(group: Group, cluster: Cluster, wanted: WantedLogs, on_line: LineListener) -> None:
    """The wanted lines and all that come, until interrupted."""
    site, lock, lines_of = site_of(cluster), threading.Lock(), engine_of(cluster).logs.lines_of

    def follow(connection: Connection) -> None:
        passes = _filter(connection, site, wanted, lines_of)

        def told(content: bytes, left_out: int) -> None:
            line = content.decode("utf-8", "replace")
            if passes(line):
                with lock:
                    on_line(connection.node, f"{line} ... ({left_out:,} more bytes)" if left_out else line)

        connection.run(
            _follow_command(site.layout, wanted),
            timeout=_A_DAY + 60,
            on_output=LineCutter(told, _LONGEST_LINE),
        )

    group.all(follow, together=True)


def _shown(connection: Connection, site: Site, wanted: WantedLogs, lines_of: LineFilters) -> list[str]:
    show = script(_SHOW, wanted.tail, site.layout.console, _MOST_BYTES, title="read the console")
    said = connection.run(show, timeout=300).checked(connection.node, "lingctl deploy")
    passes = _filter(connection, site, wanted, lines_of)
    left_out = [f"({note})" for note in said.stderr.splitlines() if note.startswith("only the last")]
    return left_out + [line for line in said.stdout.splitlines() if passes(line)]


def _filter(
    connection: Connection, site: Site, wanted: WantedLogs, lines_of: LineFilters
) -> Callable[[str], bool]:
    if wanted.since is None:
        return lines_of(None, timedelta(), wanted.rank)
    said = connection.run(console_clock_command(site), timeout=30).checked(connection.node).stdout
    clock = read_console_clock(said)
    if clock is None:
        raise NodeError(
            "it does not tell what time it is",
            where=connection.node,
            evidence=said[:200],
            code="clock-unread",
        )
    since = datetime.fromtimestamp(max(0.0, clock.now - wanted.since), UTC)
    return lines_of(since, clock.offset, wanted.rank)


def _follow_command(layout: Layout, wanted: WantedLogs) -> Command:
    much = ("-c", _MOST_BYTES) if wanted.tail == "+1" else ("-n", wanted.tail)
    return script(_FOLLOW, *much, layout.console, title="follow the console")
