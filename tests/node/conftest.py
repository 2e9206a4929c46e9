"""Conversion is compared with torch itself; one thread, because the machine is shared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lingctl.program import pack as node_program

torch = pytest.importorskip("torch", reason="these tests make their checkpoints with torch")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The node program as it is pushed to a node."""
    path = tmp_path_factory.mktemp("program") / "node.pyz"
    path.write_bytes(node_program.build())
    return path
