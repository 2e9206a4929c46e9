"""status for people and for programs: once, or again and again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from lingctl.flows.look.status.cluster_status import NodeStatus
from lingctl.flows.look.status.remedy import what_to_type
from lingctl.output.documents import print_json, print_json_line
from lingctl.output.screen.live import LiveLines
from lingctl.output.screen.terminal import answers, cut, redraws, say, show, words
from lingctl.output.tables import Screen, print_table, screen_of, table_lines

_COLUMNS = (
    *("node", "container", "daemon", "processes", "ports", "release", "overlay", "npu-memory", "service"),
    "problem",
)
_MOST_OF_A_PROBLEM = 25  # where each node has one line
# What a narrow terminal can do without, least worth first.
_SPARE = ("overlay", "processes", "npu-memory", "ports", "container", "release")


def print_status(cluster: str, rows: Sequence[NodeStatus], unjudged: str, *, as_json: bool) -> None:
    """One look: the table; what was not judged, and what to type, are conversation."""
    if as_json:
        print_json("status", _content(cluster, rows, unjudged))
        return
    print_table(_COLUMNS, _cells(rows), spare=_SPARE)
    for line in _remarks(rows, unjudged):
        say(line)


def watch_status(
    cluster: str, looks: Iterable[Sequence[NodeStatus]], unjudged: str, seconds: float, *, as_json: bool
) -> None:
    """Every look: in place on a terminal, one behind the other in a pipe, as lines of JSON for a program."""
    out = answers()
    if as_json:
        for rows in looks:
            print_json_line("status", {"time": _now(), **_content(cluster, rows, unjudged)})
    elif redraws(out):
        _in_place(out, cluster, looks, unjudged, seconds)
    else:
        for rows in looks:
            head = words(f"{cluster}  {_now()}", "bold")
            for line in (head, *_lines(rows, unjudged, screen_of(out)), words("")):
                show(line, out=out)
            out.file.flush()


def _in_place(
    out: Console, cluster: str, looks: Iterable[Sequence[NodeStatus]], unjudged: str, seconds: float
) -> None:
    live = LiveLines(out)
    seen = [words(f"{cluster}  looking ...", "dim")]
    try:
        live.draw(_fitting(seen, out))
        for rows in looks:
            head = words(f"{cluster}  {_now()}  every {seconds:g} s; Ctrl-C ends it", "dim")
            seen = [head, *_on_screen(rows, unjudged, out)]
            live.draw(_fitting(seen, out))
    finally:
        live.end(_fitting(seen, out))


def _on_screen(rows: Sequence[NodeStatus], unjudged: str, out: Console) -> list[Text]:
    """All nodes, or as many as the terminal has room for in a line each, those that are not well first."""
    width, height = out.size
    screen = Screen(width - 1, height)
    lines = _lines(rows, unjudged, screen)
    by_need = sorted(rows, key=lambda row: row.healthy)
    for room in range(min(len(rows), height), 0, -1):
        if len(lines) < height - 1:
            break
        gone = by_need[room:]
        well = sum(row.healthy for row in gone)
        more = f"({len(gone)} more nodes, {well} of them well; a higher window shows them, or lingctl status)"
        short = [
            (*cells, cut(words(str(problem)), _MOST_OF_A_PROBLEM).plain)
            for *cells, problem in _cells(by_need[:room])
        ]
        table = table_lines(_COLUMNS, short, screen, spare=_SPARE)
        lines = [*table, *([words(more, "dim")] if gone else []), *map(words, _remarks(rows, unjudged))]
    return lines


def _fitting(lines: Sequence[Text], out: Console) -> list[Text]:
    """No more lines than the terminal has, and none that is wider."""
    width, height = out.size
    return [cut(line, width) for line in lines[: max(1, height - 1)]]


def _lines(rows: Sequence[NodeStatus], unjudged: str, screen: Screen | None) -> list[Text]:
    table = table_lines(_COLUMNS, _cells(rows), screen, spare=_SPARE)
    return [*table, *(words(line) for line in _remarks(rows, unjudged))]


def _remarks(rows: Sequence[NodeStatus], unjudged: str) -> list[str]:
    todo = what_to_type(rows)
    return [line for line in (unjudged, f"fix: {todo}" if todo else "") if line]


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _content(cluster: str, rows: Sequence[NodeStatus], unjudged: str) -> dict[str, object]:
    nodes = [row.as_json() for row in rows]
    return {"cluster": cluster, "nodes": nodes, "unjudged": unjudged, "fix": what_to_type(rows)}


def _cells(rows: Sequence[NodeStatus]) -> list[tuple[object, ...]]:
    return [
        (
            row.node,
            row.container if row.reached else "unreachable",
            row.daemon,
            _or_unknown(row.processes, row.reached),
            _or_unknown(row.ports and " ".join(map(str, row.ports)), row.reached),
            row.release,
            row.overlay,
            _memory(row.memory, row.reached),
            row.service,
            "; ".join(row.problems),
        )
        for row in rows
    ]


def _or_unknown(value: object, reached: bool) -> str:
    if not reached:
        return ""
    return "unknown" if value is None else str(value or "-")


def _memory(memory: Mapping[int, int] | None, reached: bool) -> str:
    if not memory:
        return "unknown" if reached else ""
    least, most = min(memory.values()), max(memory.values())
    return f"{most / 1000:.1f} GB" if most - least < 1000 else f"{least / 1000:.1f} to {most / 1000:.1f} GB"
