"""What was measured of several contenders in turns, as lines of one table."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Row:
    """A line of the table: lingctl's median, another's, and of how many runs."""

    work: str
    ours: float
    unit: str = "s"
    beside: str = ""
    theirs: float | None = None
    runs: int = 1


@dataclass
class Runs:
    """What was measured of several contenders, by name."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def median(self, name: str) -> float:
        """The middle of a contender's runs."""
        return statistics.median(self.values[name])

    def row(self, work: str, ours: str, theirs: str = "", unit: str = "s") -> Row:
        """A line that holds ``ours`` beside ``theirs``."""
        there = theirs in self.values
        other = self.median(theirs) if there else None
        return Row(work, self.median(ours), unit, theirs if there else "", other, len(self.values[ours]))


def in_turns(contenders: Mapping[str, Callable[[], float]], seconds: float, most: int = 5) -> Runs:
    """Each contender once, then each again, until there are ``most`` runs or the time is used up."""
    runs, begun = Runs({name: [] for name in contenders}), time.monotonic()
    for number in range(most):
        for name, contender in contenders.items():
            runs.values[name].append(contender())
            print(f"{number + 1}: {name}: {runs.values[name][-1]:.2f}", file=sys.stderr, flush=True)
        took = time.monotonic() - begun
        if took + took / (number + 1) > seconds:
            break
    return runs


def machine() -> str:
    """The machine in a line."""
    about = Path("/proc/cpuinfo").read_text()
    model = next((line.partition(":")[2].strip() for line in about.splitlines() if "model name" in line), "")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1e6
    python = platform.python_version()
    return f"{os.cpu_count()} cores ({model or platform.machine()}), {memory:.0f} GB, Python {python}"


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| work | lingctl | beside | that | ratio | runs |", "|---|---|---|---|---|---|"]
    for row in rows:
        other = "" if row.theirs is None else f"{row.theirs:.2f} {row.unit}".strip()
        ratio = f"{row.ours / row.theirs:.2f}" if row.theirs else ""
        ours = f"{row.ours:.2f} {row.unit}".strip()
        lines.append(f"| {row.work} | {ours} | {row.beside} | {other} | {ratio} | {row.runs} |")
    return "\n".join(lines)
