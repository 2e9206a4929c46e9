"""Emulated nodes with the real vLLM: a module has one cluster, and its tests go on from each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lingctl.errors import SandboxError
from lingctl.sandbox.vllm import installation
from tests.sandbox.live import Live, sandbox


@pytest.fixture(scope="session")
def vllm() -> Path:
    """The environment of the real vLLM; where there is none, what needs it is skipped by name."""
    try:
        return installation.installed()
    except SandboxError as error:
        pytest.skip(f"{error} (make vllm-venv)")


@pytest.fixture(scope="module")
def one_node(vllm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One node with one card; Ling-lite as .bin."""
    yield from _cluster(vllm, tmp_path_factory, "--nodes", "1", "--model", "lite")


@pytest.fixture(scope="module")
def two_nodes(vllm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Two nodes with one card each; Ling-plus as safetensors."""
    yield from _cluster(vllm, tmp_path_factory, "--nodes", "2", "--model", "plus")


def _cluster(vllm: Path, factory: pytest.TempPathFactory, *options: str) -> Iterator[Live]:
    environment = {installation.VARIABLE: str(vllm)}
    with sandbox(
        factory.mktemp("vllm") / "sandbox", "--engine", "vllm", *options, environment=environment
    ) as live:
        yield live
