"""logs: what the daemons print, from all nodes, each line with its node's name in front."""

from __future__ import annotations

import re
import shlex
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lingctl.assets import shell
from lingctl.engine.words.line_filter import LineFilter
from lingctl.engines import engine_of
from lingctl.errors import NodeError, UsageError
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.layout import Layout
from lingctl.release.console import console_clock_command, read_console_clock
from lingctl.release.site import Site, site_of
from lingctl.remote.command import Command, script
from lingctl.remote.completed import Completed
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.wire.lines import LineCutter

RankOf = Callable[[str], int | None]
"""The rank that a line is about, as its engine tells; see ``LogReader``."""

_SHOW = shell("logs/show")
_NOTHING_YET = "nothing was started here yet"
_FOLLOW = shell("logs/follow")
# A daemon prints while it serves, for weeks: of that much only the end is brought, and whole lines.
# It is less than the end that start.sh keeps of a long console.
_MOST_BYTES = 48_000_000
_LONGEST_LINE = 64 << 10
_LONGEST_PATTERN = 1_000
_NO_EXPRESSION = 65  # exit status of shell/logs/matching.sh
_A_DAY = 86_400
_DURATION = re.compile(r"([0-9]{1,9})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
# What Python's expressions have and POSIX's lack, or awk takes for something else: refused, not misread.
_NOT_POSIX = re.compile(r"\\[A-Za-z0-9]|\(\?|[*+?}][?+]")


@dataclass(frozen=True, slots=True)
class WantedLogs:
    """Which lines."""

    lines: int = 100  # so many from the end; all that are wanted where a time or rank is given
    since: int | None = None  # so many seconds back, by the node's clock; None for no such limit
    rank: int | None = None  # only of this rank; None for all
    pattern: str = ""  # only lines that hold this; POSIX extended, and looked for on the node
    stamped: bool = False  # whether times are wanted too, which need the node's clock

    @property
    def tail(self) -> str:
        """What ``tail -n`` is told."""
        return str(self.lines) if self.since is None and self.rank is None else "+1"

    @property
    def context(self) -> str:
        """What ``matching`` is told: a rank shows in lines far before."""
        return "all" if self.rank is not None else ""


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line of a node's console."""

    node: str
    text: str
    file: str = ""  # where it stands on the node; empty for a remark of ours
    time: datetime | None = None  # when it was printed, as far as it or a line before it tells
    rank: int | None = None  # whose it is, as far as it or its process told

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        time = self.time.isoformat() if self.time is not None else None
        return {"node": self.node, "rank": self.rank, "file": self.file, "time": time, "text": self.text}


LineListener = Callable[[ShownLine], None]


def need_pattern(text: str) -> str:
    """The pattern itself. Raises UsageError: it is no expression that every node understands alike."""
    why = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", FutureWarning
            )  # of [[:digit:]], which POSIX has and Python may get
            re.compile(text)
    except re.error as error:
        why = str(error)
    if found := _NOT_POSIX.search(text):
        why = why or f"{found[0]} is no part of a POSIX extended expression"
    if not text or len(text) > _LONGEST_PATTERN or not text.isprintable():
        why = why or f"it has to be one line of up to {_LONGEST_PATTERN:,} characters"
    if why:
        raise _no_expression(text, why)
    return text


def _no_expression(pattern: str, why: str) -> UsageError:
    return UsageError(
        f"{pattern[:100]!r} is no valid expression", where="--grep", evidence=why, code="log-pattern"
    )


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
        UsageError: a node does not take the pattern.
    """
    site, rank_of = site_of(cluster), engine_of(cluster).logs.rank_of
    for lines in group.all(lambda connection: _shown(connection, site, wanted, rank_of)).values():
        for line in lines:
            on_line(line)


def follow_logs(group: Group, cluster: Cluster, wanted: WantedLogs, on_line: LineListener) -> None:
    """The wanted lines and all that come, until interrupted. Raises UsageError: as ``show_logs``."""
    site, lock, rank_of = site_of(cluster), threading.Lock(), engine_of(cluster).logs.rank_of

    def follow(connection: Connection) -> None:
        read = _reading(connection, site, wanted, rank_of)

        def told(content: bytes, left_out: int) -> None:
            line = read(content.decode("utf-8", "replace"), left_out)
            if line is not None:
                with lock:
                    on_line(line)

        done = connection.run(
            _follow_command(site.layout, wanted),
            timeout=_A_DAY + 60,
            on_output=LineCutter(told, _LONGEST_LINE),
        )
        _need_expression(done, wanted)

    group.all(follow, together=True)


def _reading(
    connection: Connection, site: Site, wanted: WantedLogs, rank_of: RankOf
) -> Callable[[str, int], ShownLine | None]:
    """Gives the line that is wanted for each that a node's script prints; so many bytes of it were cut."""
    sieve = _sieve(connection, site, wanted, rank_of)

    def read(line: str, left_out: int) -> ShownLine | None:
        matches = True
        if wanted.pattern:
            matches, line = line[:1] == "+", line[1:]
        if not sieve(line) or not matches:
            return None
        text = f"{line} ... ({left_out:,} more bytes)" if left_out else line
        return ShownLine(connection.node, text, site.layout.console, sieve.time, sieve.of_rank)

    return read


def _shown(connection: Connection, site: Site, wanted: WantedLogs, rank_of: RankOf) -> list[ShownLine]:
    words = (wanted.tail, site.layout.console, _MOST_BYTES, wanted.pattern, wanted.context)
    done = connection.run(script(_SHOW, *words, title="read the console"), timeout=300)
    _need_expression(done, wanted)
    look = f"see what is wrong with it there: ls -l {shlex.quote(site.layout.console)}"
    said = done.checked(connection.node, "lingctl deploy" if _NOTHING_YET in done.stderr else look)
    read = _reading(connection, site, wanted, rank_of)
    notes = [note for note in said.stderr.splitlines() if note.startswith("only the last")]
    told = said.stdout.split("\n")[:-1] if wanted.pattern else said.stdout.splitlines()
    lines = [line for one in told if (line := read(one, 0)) is not None]
    if wanted.tail != "+1":
        lines = lines[max(0, len(lines) - wanted.lines) :]
    return [*(ShownLine(connection.node, f"({note})") for note in notes), *lines]


def _need_expression(done: Completed, wanted: WantedLogs) -> None:
    if wanted.pattern and done.exit_status == _NO_EXPRESSION:
        raise _no_expression(wanted.pattern, done.last_words())


def _sieve(connection: Connection, site: Site, wanted: WantedLogs, rank_of: RankOf) -> LineFilter:
    if wanted.since is None and not wanted.stamped:
        return LineFilter(None, timedelta(), wanted.rank, rank_of)
    said = connection.run(console_clock_command(site), timeout=30).checked(connection.node).stdout
    clock = read_console_clock(said)
    if clock is None:
        raise NodeError(
            "it does not tell what time it is",
            where=connection.node,
            evidence=said[:200],
            code="clock-unread",
        )
    now = datetime.fromtimestamp(clock.now, UTC)
    since = None if wanted.since is None else datetime.fromtimestamp(max(0.0, clock.now - wanted.since), UTC)
    return LineFilter(since, clock.offset, wanted.rank, rank_of, now)


def _follow_command(layout: Layout, wanted: WantedLogs) -> Command:
    much = ("-c", _MOST_BYTES) if wanted.tail == "+1" else ("-n", wanted.tail)
    words = (layout.console, wanted.pattern, wanted.context)
    return script(_FOLLOW, *much, *words, title="follow the console")
