"""Two acceptances side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lingctl.errors import ConfigurationError
from lingctl.flows.accept.record import REPORT
from lingctl.inventory.given_file import read_given
from lingctl.node.foreign_json import foreign_json
from lingctl.paths import is_folder

_MOST_BYTES = 64 << 20
_FIGURES = ("output_tokens_per_second", "ttft_p90_ms", "tpot_p90_ms")


class ComparedRow(NamedTuple):
    """One thing in two acceptances."""

    name: str
    first: str
    second: str
    remark: str


def read_report(path: Path) -> Mapping[str, Any]:
    """The report in a folder or file. Raises ConfigurationError: there is none, or it is something else."""
    file = path / REPORT if is_folder(path) else path
    try:
        report = foreign_json(read_given(file, _MOST_BYTES, code="accept-report"))
        if report["document"] != "acceptance" or not all("name" in part for part in report["parts"]):
            raise KeyError("document")
    except FileNotFoundError as error:
        raise ConfigurationError(
            "there is no report of an acceptance", where=str(file), code="accept-report"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            "is no report of an acceptance",
            where=str(file),
            code="accept-report",
        ) from error
    return dict(report)


def compared(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[ComparedRow]:
    """What is the same and what is not: versions, verdicts, speed.

    Raises:
        ConfigurationError: one of them has been changed so that it is no report any more.
    """
    try:
        return list(_rows(first, second))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"a report is not understood: {error}",
            remedy="sha256sum -c SHA256SUMS in its folder tells whether it was changed",
            code="accept-report",
        ) from error


def _rows(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[ComparedRow]:
    for name in ("cluster", "model", "engine", "world_size", "configuration", "begun", "verdict"):
        yield _row(name, first.get(name), second.get(name), plain=name != "begun")
    parts = [{part["name"]: part for part in report["parts"]} for report in (first, second)]
    for name in dict.fromkeys((*parts[0], *parts[1])):
        verdicts = [part.get(name, {}).get("verdict") for part in parts]
        yield _row(f"part {name}", *verdicts)
    versions = [(part.get("versions", {}).get("data") or {}).get("nodes") or {} for part in parts]
    for node in dict.fromkeys((*versions[0], *versions[1])):
        for what in ("driver", "firmware", "runtime", "image"):
            values = [(nodes.get(node) or {}).get(what) for nodes in versions]
            if values != [None, None]:
                yield _row(f"{node} {what}", *values)
    loads = [
        {
            trial["concurrency"]: trial
            for trial in (part.get("load", {}).get("data") or {}).get("trials") or ()
        }
        for part in parts
    ]
    for concurrency in sorted(loads[0].keys() & loads[1].keys()):
        for figure in _FIGURES:
            pair = [load[concurrency].get(figure) for load in loads]
            yield _ratio(f"{figure} at {concurrency}", *pair)


def _row(name: str, first: object, second: object, *, plain: bool = True) -> ComparedRow:
    remark = "differs" if plain and first != second else ""
    return ComparedRow(name, _text(first), _text(second), remark)


def _ratio(name: str, first: object, second: object) -> ComparedRow:
    if not (isinstance(first, int | float) and isinstance(second, int | float) and first):
        return ComparedRow(name, _text(first), _text(second), "")
    return ComparedRow(name, _text(first), _text(second), f"x {second / first:.2f}")


def _text(value: object) -> str:
    return "-" if value is None else str(value)
