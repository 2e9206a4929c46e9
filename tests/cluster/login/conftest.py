"""One world for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.login.world import World


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("w")
    folder.chmod(0o700)
    world = World(folder)
    yield world
    world.close()
