"""A cluster of two nodes, its releases, and nodes as they are after a deploy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node
from lingctl.release.state import ContainerState, FileState, NodeState
from lingctl.release.wanted import Release, wanted_release

MODEL_CONFIG = {"model_type": "bailing_moe", "hidden_size": 2048}


def cluster_of(*names: str, **changes: object) -> Cluster:
    nodes = tuple(Node(address=f"10.0.0.{n}", name=name) for n, name in enumerate(names, 1))
    return Cluster(name="ling", model="ling-lite", nodes=nodes, **changes)  # type: ignore[arg-type]


def releases_of(cluster: Cluster, model_config: dict[str, object] | None = None) -> dict[str, Release]:
    addresses = {
        node.name: {card: f"10.1.{n}.{card + 1}" for card in node.devices}
        for n, node in enumerate(cluster.nodes)
    }
    return {
        node.name: wanted_release(
            cluster, node, addresses, model_config or MODEL_CONFIG, "/root/models/Ling_lite"
        )
        for node in cluster.nodes
    }


def deployed(cluster: Cluster, release: Release) -> NodeState:
    """A node on which everything is as the release wants it."""
    files = {file.path: FileState(file.mode, 0, file.content) for file in (*release.files, *release.overlay)}
    folder = cluster.layout.overlay
    return NodeState(
        release.node,
        files=files,
        image_present=True,
        container=ContainerState("running", release.container.digest, release.container.image),
        daemon_pid=42,
        started=release.digest,
        overlay_names=tuple(path.rsplit("/", 1)[-1] for path in files if path.startswith(folder)),
    )


@pytest.fixture
def cluster() -> Cluster:
    return cluster_of("node1", "node2")


@pytest.fixture
def releases(cluster: Cluster) -> dict[str, Release]:
    return releases_of(cluster)


@pytest.fixture
def states(cluster: Cluster, releases: dict[str, Release]) -> dict[str, NodeState]:
    return {name: deployed(cluster, release) for name, release in releases.items()}


def with_state(states: dict[str, NodeState], node: str, **changes: object) -> dict[str, NodeState]:
    return {**states, node: replace(states[node], **changes)}  # type: ignore[arg-type]
