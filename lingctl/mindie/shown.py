"""The values that a release rests on, each with where it came from: what ``render --show`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lingctl.engine.files import Shown
from lingctl.engine.shown import ClusterValues
from lingctl.inventory.cluster import Cluster
from lingctl.mindie.profile import Profile
from lingctl.mindie.settings import serving_settings
from lingctl.mindie.shared_memory import shared_memory_size
from lingctl.mindie.tls import encryption


def shown_values(cluster: Cluster, profile: Profile, overrides: Mapping[str, str]) -> Iterator[Shown]:
    """Every value that matters to MindIE; ``overrides`` tells, by name, what set it beside hosts.yaml."""
    values, version = ClusterValues(cluster, overrides), f"MindIE {profile.version}"
    yield Shown("", "model", cluster.model, "hosts.yaml")
    yield values.field("mindie", profile.version)
    yield from values.version(profile, version, profile.image, "nearest earlier version of its line")
    yield values.field("container.name", cluster.container_name)
    yield values.field("container.privileged")
    yield values.field("container.shm_size", shared_memory_size(cluster, profile))
    yield values.weights()
    for name in ("served_name", "port", "management_port", "metrics_port", "inter_node_port"):
        yield values.field(f"serving.{name}")
    yield from values.serving(serving_settings(cluster))
    several = "true" if cluster.multi_node else "false"
    yield Shown("", "multiNodesInferEnabled", several, "follows from nodes")
    world = cluster.world_size if profile.world_size == "all" else len(cluster.primary.devices)
    counts = "cards of all nodes" if profile.world_size == "all" else "cards of one node"
    yield Shown("", "worldSize", str(world), f"follows from nodes: {version} counts the {counts}")
    yield from values.encryption(encryption(cluster, profile))
    if cluster.multi_node:
        yield Shown("", "rank table variable", profile.rank_table_variable, version)
    for node in cluster.nodes:
        yield from values.node(node)
        logical = ", ".join(map(str, range(len(node.devices))))
        yield Shown(node.name, "npuDeviceIds", logical, "follows from devices: numbered from 0 in there")
