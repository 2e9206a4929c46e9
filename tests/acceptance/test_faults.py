"""Each fault of the sandbox makes exactly the right lines of an acceptance fail; the whole table is
``make acceptance-faults``, a few rows are in ``make test``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lingctl.flows.accept.parts import PARTS
from lingctl.sandbox.faults import FAULTS, find_fault
from tests.acceptance.table import FAULT_TABLE, NoticedBy
from tests.sandbox.live import Live, sandbox

pytestmark = pytest.mark.sandbox
WHOLE = os.environ.get("LINGCTL_ACCEPTANCE") == "all"
NAMES = tuple(part.name for part in PARTS)
GOOD = ("pass", "note")
# Rows of ``make test``: the parts that notice the fault, and one that must not.
QUICK = {
    "link-down": ("versions", "state", "cards"),
    "card-miscomputes": ("cards",),
    "driver-differs": ("versions",),
    "image-missing": ("versions", "state"),
}


def test_every_fault_has_a_row():
    assert sorted(row.fault.partition("=")[0] for row in FAULT_TABLE) == sorted(one.name for one in FAULTS)
    assert all(set(row.parts) <= set(NAMES) for row in FAULT_TABLE)
    assert all(bool(row.parts) != bool(row.harmless) for row in FAULT_TABLE)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Two nodes with two cards each and a service."""
    options = ("--nodes", "2", "--devices", "2", "--model", "lite", "--mindie", "3.0.0")
    with sandbox(tmp_path_factory.mktemp("accepted") / "sandbox", *options) as live:
        deployed = live.lingctl("deploy", "--yes", "--no-smoke-test")
        assert deployed.status == 0, deployed.said
        yield live


def verdicts(live: Live, folder: Path, parts: tuple[str, ...]) -> dict[str, str]:
    """What became of these parts."""
    only = [word for part in parts for word in ("--only", part)]
    few = ("--requests", "2", "--max-concurrency", "1", "--soak", "1")
    done = live.lingctl("accept", "--yes", "--json", *few, *only, "--output", folder, timeout=1200)
    assert done.status in (0, 3), done.said
    return {part["name"]: part["verdict"] for part in done.document["parts"] if part["verdict"] != "skipped"}


def expected(row: NoticedBy, parts: tuple[str, ...]) -> dict[str, str]:
    return {part: verdict for part, verdict in row.parts.items() if part in parts}


def parts_of(row: NoticedBy) -> tuple[str, ...]:
    """Of the whole table. Only a fault of the engine can show under load or after a restart and not without;
    the soak is the load again, and takes a minute."""
    without = ("soak",) if find_fault(row.fault.partition("=")[0]).of_mindie else ("load", "soak", "restart")
    return tuple(name for name in NAMES if name not in without)


ROWS = [row for row in FAULT_TABLE if WHOLE or row.fault in QUICK]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_a_fault_makes_the_right_lines_fail(served: Live, tmp_path: Path, row: NoticedBy):
    parts = parts_of(row) if WHOLE else QUICK[row.fault]
    try:
        with served.broken(row.node, row.fault):
            found = verdicts(served, tmp_path / "report", parts)
    finally:
        # What was taken down comes up again; nothing where all is as it was.
        back = served.lingctl("deploy", "--yes", "--no-smoke-test") if WHOLE else None
    assert {part: verdict for part, verdict in found.items() if verdict not in GOOD} == expected(row, parts)
    assert back is None or back.status == 0, back.said


@pytest.mark.skipif(not WHOLE, reason="the whole protocol takes minutes: make acceptance-faults")
@pytest.mark.parametrize("nodes", ["1", "2"])
def test_the_whole_protocol_passes(tmp_path: Path, nodes: str):
    options = ("--nodes", nodes, "--devices", "2", "--model", "lite", "--mindie", "3.0.0")
    with sandbox(tmp_path / "sandbox", *options) as live:
        assert live.lingctl("deploy", "--yes", "--no-smoke-test").status == 0
        found = verdicts(live, tmp_path / "report", NAMES)
    # The soak compares its beginning and end on a machine that others use too.
    assert {part: found[part] for part in found if found[part] not in GOOD and part != "soak"} == {}
    assert found["soak"] in (*GOOD, "warning")
