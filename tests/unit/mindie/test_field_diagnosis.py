"""Consoles of public reports: what deploy tells of a daemon that printed them and died.

The table and its logs are the field kit's, beside this checkout; its README explains the fields.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from lingctl.flows.change.watch_start import death
from lingctl.flows.look.daemon import DaemonSight
from lingctl.mindie.logs.console import CONSOLE
from lingctl.release.console import WATCHED_BYTES, earlier_errors_command
from lingctl.remote.command import Command
from lingctl.remote.local import LocalConnection
from tests.unit.release.conftest import cluster_of

KIT = Path(__file__).parents[4] / "shared" / "field" / "diagnosis"
CASES: list[dict[str, Any]] = (
    tomllib.loads((KIT / "cases.toml").read_text())["case"] if (KIT / "cases.toml").exists() else []
)

pytestmark = pytest.mark.skipif(not CASES, reason="the field kit is not beside this checkout")


@pytest.fixture(scope="session")
def long_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    subprocess.run([sys.executable, KIT / "make_logs.py", folder], check=True)
    return folder


def watched(path: Path) -> tuple[str, str]:
    """A console as the product reads it: its end, and the error lines before that."""
    cluster = cluster_of("node1")
    ask = earlier_errors_command(cluster.layout, CONSOLE).text.replace(cluster.layout.console, str(path))
    earlier = LocalConnection("node1").run(Command(ask)).stdout
    return path.read_bytes()[-WATCHED_BYTES:].decode("utf-8", "replace"), earlier


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_console_from_the_field_gets_its_verdict(case: dict[str, Any], long_logs: Path):
    files = case["logs"] if isinstance(case["logs"], dict) else {"node1": case["logs"]}
    read = {
        node: watched(next(f / name for f in (KIT, long_logs) if (f / name).exists()))
        for node, name in files.items()
    }
    error = death(
        cluster_of(*files),
        {node: DaemonSight(False, "", console, earlier=said) for node, (console, said) in read.items()},
    )
    told, whole = (
        f"{error.what}\n{error.remedy}",
        f"{error.what}\n{error.where}\n{error.evidence}\n{error.remedy}",
    )
    for pattern in case.get("cause", ()):
        assert re.search(pattern, told, re.IGNORECASE), (pattern, told)
    for pattern in case.get("not_cause", ()):
        assert not re.search(pattern, told, re.IGNORECASE), (pattern, told)
    for pattern in case.get("wants", ()):
        assert re.search(pattern, whole), (pattern, whole)
    assert re.search(case.get("line", ""), error.evidence), error.evidence
    assert error.where.startswith(case.get("node", "node1"))
    assert len(whole) <= case.get("output", 20_000)
