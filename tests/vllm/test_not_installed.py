"""Without the real vLLM the sandbox says what to type, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

from lingctl.sandbox.vllm import installation
from tests.sandbox.live import lingctl


def test_without_it_nothing_is_begun_and_the_command_that_installs_it_is_named(tmp_path: Path):
    environment = {installation.VARIABLE: str(tmp_path / "none")}
    refused = lingctl("sandbox", "up", "--engine", "vllm", "--dir", tmp_path / "box", environment=environment)
    assert refused.status == 1
    assert "is not installed" in refused.stderr and installation.COMMAND in refused.stderr
    assert not (tmp_path / "box").exists()
