"""``lingctl accept`` as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingctl.cli.accept import _seconds
from tests.field import lingctl


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200)]
)
def test_a_soak_is_as_long_as_is_said(text: str, seconds: int):
    assert _seconds(text) == seconds


@pytest.mark.parametrize("text", ["30x", "1.5h", "-1", "", "٣"])
def test_what_is_no_time_is_told_before_any_node_is_asked(text: str, tmp_path: Path):
    (tmp_path / "hosts.yaml").write_text("name: demo\nmodel: Ling-lite\nnodes: [{address: 192.0.2.1}]\n")
    ran = lingctl("accept", f"--soak={text}", "--yes", "--nodes", tmp_path / "hosts.yaml")
    assert ran.status == 2
    assert "is not a time" in ran.text
    assert "write 90s, 30m, 2h" in ran.text
