"""One emulated cluster for all tests that need nodes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.live import Live, sandbox


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One node with two cards; Ling-plus as safetensors, MindIE 1.0.0."""
    directory = tmp_path_factory.mktemp("terminal") / "sandbox"
    with sandbox(directory, "--nodes", "1", "--devices", "2", "--model", "plus") as live:
        yield live
