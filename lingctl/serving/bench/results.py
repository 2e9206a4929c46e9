"""Results that are kept, and two of them side by side."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lingctl.errors import ConfigurationError, UsageError
from lingctl.inventory.given_file import read_given
from lingctl.node.foreign_json import foreign_json
from lingctl.paths import is_file, is_folder, is_there

BenchResult = Mapping[str, Any]

COMPARE_COLUMNS = ("", "first", "second", "second / first")
# What is compared: its name, the way to it in a result, and its unit.
_FIGURES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("requests/s", ("metrics", "requests_per_second")),
    ("good requests/s", ("metrics", "good_requests_per_second")),
    ("input tokens/s", ("metrics", "input_tokens_per_second")),
    ("output tokens/s", ("metrics", "output_tokens_per_second")),
    ("TTFT p50 ms", ("metrics", "ttft", "p50")),
    ("TTFT p90 ms", ("metrics", "ttft", "p90")),
    ("TTFT p99 ms", ("metrics", "ttft", "p99")),
    ("first answer token p90 ms", ("metrics", "answer", "p90")),
    ("TPOT p50 ms", ("metrics", "tpot", "p50")),
    ("TPOT p90 ms", ("metrics", "tpot", "p90")),
    ("ITL p90 ms", ("metrics", "itl", "p90")),
    ("end to end p50 ms", ("metrics", "end_to_end", "p50")),
    ("end to end p99 ms", ("metrics", "end_to_end", "p99")),
    ("concurrency", ("metrics", "concurrency")),
    ("failed", ("metrics", "failed")),
)
# A result with every request of a long run is some megabytes.
_MOST_BYTES = 1 << 30
# What makes two results two things, where it differs.
_SAME = ("options", "model")


def check_results(path: Path) -> None:
    """Find out before the benchmark whether its result can be kept.

    Raises:
        UsageError: no such folder, or the file holds something else.
    """
    if not is_folder(path.absolute().parent):
        raise UsageError(f"--results {path}: no such folder", code="results-folder")
    if is_there(path) and path.stat().st_size:
        read_results(path)


def keep_result(path: Path, result: BenchResult) -> None:
    """Append a result, as one line. Raises OSError: it cannot be written; the file is as it was."""
    line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds"), **result}, default=str)
    length = path.stat().st_size if is_file(path) else 0
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    except OSError:
        with contextlib.suppress(OSError):  # a device has no length
            os.truncate(path, length)
        raise


def read_results(path: Path) -> list[BenchResult]:
    """The results of a file, in the order in which they were made.

    Raises:
        ConfigurationError: it cannot be read, or a line is no result of bench.
    """
    try:
        lines = read_given(path, _MOST_BYTES, code="results").decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(str(path), f"cannot be read: {error}") from error
    results: list[BenchResult] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            result = foreign_json(line)
        except ValueError as error:
            raise _unusable(f"{path}:{number}", f"not JSON: {error}") from error
        if not (isinstance(result, dict) and result.get("document") == "bench" and "metrics" in result):
            raise _unusable(f"{path}:{number}", "no result of lingctl bench")
        results.append(result)
    if not results:
        raise _unusable(str(path), "holds no results")
    return results


def last_two(paths: Sequence[Path]) -> tuple[BenchResult, BenchResult]:
    """The last result of each of two files, or the last two of one.

    Raises:
        UsageError: neither one file nor two, or one with a single result.
        ConfigurationError: a file is unusable.
    """
    if len(paths) not in (1, 2):
        raise UsageError("compare takes one file or two", code="compare-files")
    if len(paths) == 2:
        first, second = (read_results(path)[-1] for path in paths)
        return first, second
    results = read_results(paths[0])
    if len(results) < 2:
        raise UsageError(
            f"{paths[0]} holds one result; there is nothing to compare it with",
            remedy=f"lingctl bench --results {paths[0]} once more, or name another file too",
            code="compare-one",
        )
    return results[-2], results[-1]


@dataclass(frozen=True, slots=True)
class BenchComparison:
    """Two results side by side."""

    first: BenchResult
    second: BenchResult

    @property
    def differences(self) -> list[str]:
        """What is not the same about the two loads: then the figures do not tell one cause."""
        told = []
        for name in _SAME:
            one, other = self.first.get(name), self.second.get(name)
            if isinstance(one, dict) and isinstance(other, dict):
                keys = dict.fromkeys([*one, *other])
                told += [f"{k}: {one.get(k)} and {other.get(k)}" for k in keys if one.get(k) != other.get(k)]
            elif one != other:
                told.append(f"{name}: {one} and {other}")
        return told

    def rows(self) -> list[tuple[str, str, str, str]]:
        """One row per figure that both have."""
        rows = []
        for name, way in _FIGURES:
            one, other = _at(self.first, way), _at(self.second, way)
            if one is None or other is None or (not one and not other):
                continue
            ratio = f"{other / one:.3f}" if one else "-"
            rows.append((name, f"{one:.2f}", f"{other:.2f}", ratio))
        return rows

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        figures = {name: (_at(self.first, way), _at(self.second, way)) for name, way in _FIGURES}
        return {
            "figures": [
                {"name": name, "first": one, "second": other} for name, (one, other) in figures.items()
            ],
            "differences": self.differences,
        }


def _at(result: BenchResult, way: Sequence[str]) -> float | None:
    value: object = result
    for name in way:
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # What no measurement gives cannot be compared.
    return float(value) if abs(value) <= sys.float_info.max else None


def _unusable(where: str, why: str) -> ConfigurationError:
    remedy = "results are written by: lingctl bench --results FILE"
    return ConfigurationError(why, where=where, remedy=remedy, code="results")
