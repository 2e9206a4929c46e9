"""Benchmarks run when somebody measures: what they take from lingctl is there all the same."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Also in a program that a benchmark holds as text.
_TAKEN = re.compile(r"^ *from (lingctl[\w.]*) import (?:\(([^)]*)\)|([^\n(]+))", re.MULTILINE)
PROGRAMS = sorted(path for folder in ("benchmarks", "demo") for path in (ROOT / folder).rglob("*.py"))


def names_of(found: re.Match[str]) -> list[str]:
    return [part.split(" as ")[0].strip() for part in (found[2] or found[3]).split(",") if part.strip()]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_what_a_benchmark_takes_is_there(path: Path) -> None:
    for found in _TAKEN.finditer(path.read_text("utf-8")):
        module = importlib.import_module(found[1])
        missing = [
            name
            for name in names_of(found)
            if not hasattr(module, name) and not (Path(module.__file__ or "").parent / f"{name}.py").is_file()
        ]
        assert not missing, f"{found[1]} has no {missing}"


def test_there_are_some_that_take_something() -> None:
    assert sum(len(_TAKEN.findall(path.read_text("utf-8"))) for path in PROGRAMS) > 15
