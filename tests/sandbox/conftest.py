"""Live sandboxes, one of a kind for the whole run. What a test breaks it heals (``Live.broken``)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.live import Live, sandbox


@pytest.fixture(scope="session")
def plus_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Two nodes with eight cards each; Ling-plus as safetensors, MindIE 1.0.0."""
    with sandbox(tmp_path_factory.mktemp("plus") / "sandbox", "--nodes", "2", "--model", "plus") as live:
        yield live


@pytest.fixture(scope="session")
def pair_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """As ``plus_cluster`` with two cards each, for what does not depend on their number: a check of a cluster
    costs by the card."""
    options = ("--nodes", "2", "--devices", "2", "--model", "plus")
    with sandbox(tmp_path_factory.mktemp("pair") / "sandbox", *options) as live:
        yield live


@pytest.fixture(scope="session")
def lite_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One node with eight cards; Ling-lite as .bin, MindIE 1.0.0."""
    with sandbox(tmp_path_factory.mktemp("lite") / "sandbox", "--nodes", "1", "--model", "lite") as live:
        yield live


@pytest.fixture(scope="session")
def modern_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One node with two cards; Ling-lite as .bin, MindIE 3.0.0."""
    options = ("--nodes", "1", "--devices", "2", "--model", "lite", "--mindie", "3.0.0")
    with sandbox(tmp_path_factory.mktemp("modern") / "sandbox", *options) as live:
        yield live
