"""Weights onto emulated nodes, from a hub on this machine: fetched once, given on, and from a disk here."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_server import Hub, serve
from tests.sandbox.live import Live

pytestmark = pytest.mark.sandbox
REPOSITORY = "someone/Tiny-Ling"
TARGET = "/root/models/Tiny_Ling"
FILES = {
    "model-00001-of-00001.safetensors": random.Random(11).randbytes(1_500_000),
    "config.json": b'{"model_type": "bailing_moe"}',
}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve(Hub(files={REPOSITORY: FILES})) as running:
        yield running


def _is_right(live: Live, node: str) -> bool:
    said = live.on(node, f"cd {TARGET} && sha256sum {' '.join(FILES)}").stdout
    return said.split()[::2] == [hashlib.sha256(content).hexdigest() for content in FILES.values()]


def test_nodes_end_with_the_same_digest(plus_cluster: Live, hub: Hub, tmp_path: Path) -> None:
    environment = {"MODELSCOPE_ENDPOINT": hub.url, "MODELSCOPE_HOME": str(tmp_path)}
    done = plus_cluster.lingctl("download", REPOSITORY, "--json", environment=environment)
    try:
        assert done.status == 0, done.said
        nodes = done.document["nodes"]
        assert list(nodes) == ["node1", "node2"]
        assert len({node["digest"] for node in nodes.values()}) == 1
        assert all(_is_right(plus_cluster, node) for node in nodes)
        assert dict(hub.served) == {path: len(content) for path, content in FILES.items()}
        modes = plus_cluster.on("node2", f"stat -c %a {TARGET} {TARGET}/config.json").stdout
        assert modes.split() == ["750", "640"]
        assert "fetch" not in plus_cluster.on("node1", "ps -eo args | grep node.py[z]").stdout
    finally:
        for node in ("node1", "node2"):
            plus_cluster.on(node, f"rm -rf {TARGET}")
