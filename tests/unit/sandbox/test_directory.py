"""A sandbox's directory, as somebody names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingctl.errors import SandboxError
from lingctl.sandbox.lifecycle import down, running


def test_links_that_lead_in_a_circle_hold_no_sandbox(tmp_path: Path) -> None:
    circle = tmp_path / "circle"
    circle.symlink_to("circle")
    with pytest.raises(SandboxError, match="no sandbox runs there"):
        running(circle)
    assert not down(circle)
