"""The values that a release rests on, each with where it came from: what ``render --show`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from lingctl.engine.files import Shown
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node
from lingctl.mindie.profile import Profile
from lingctl.mindie.settings import serving_settings
from lingctl.mindie.shared_memory import shared_memory_size
from lingctl.mindie.tls import encryption_words


def shown_values(cluster: Cluster, profile: Profile, overrides: Mapping[str, str]) -> list[Shown]:
    """Every value that matters to MindIE; ``overrides`` tells, by name, what set it beside hosts.yaml."""
    return [*_cluster_values(cluster, profile, overrides), *_node_values(cluster, profile)]


def _cluster_values(cluster: Cluster, profile: Profile, overrides: Mapping[str, str]) -> Iterator[Shown]:
    def given(part: BaseModel, name: str, dotted: str) -> str:
        if dotted in overrides:
            return overrides[dotted]
        return "hosts.yaml" if name in part.model_fields_set else "default"

    version = f"MindIE {profile.version}"
    yield Shown("", "model", cluster.model, "hosts.yaml")
    yield Shown("", "mindie", profile.version, given(cluster, "mindie", "mindie"))
    if profile.taken_from:
        yield Shown("", "rules of", profile.taken_from, "nearest earlier version of its line")
    yield Shown("", "checked against", profile.checked_against, version)
    image = given(cluster.container, "image", "container.image") if cluster.container.image else version
    yield Shown("", "container.image", cluster.container.image or profile.image, image)
    values = {
        "name": cluster.container_name,
        "privileged": cluster.container.privileged,
        "shm_size": shared_memory_size(cluster, profile),
    }
    for name, value in values.items():
        yield Shown(
            "", f"container.{name}", _words(value), given(cluster.container, name, f"container.{name}")
        )
    weights = "hosts.yaml" if cluster.paths.weights else "follows from paths.models and model"
    yield Shown("", "weights", cluster.downloaded_weights, weights)
    for name in ("served_name", "port", "management_port", "metrics_port", "inter_node_port"):
        source = given(cluster.serving, name, f"serving.{name}")
        yield Shown("", f"serving.{name}", str(getattr(cluster.serving, name)), source)
    for name, setting in serving_settings(cluster).items():
        yield Shown("", f"serving.{name}", f"{setting.value:g}", setting.source)
    yield Shown("", "multiNodesInferEnabled", _words(cluster.multi_node), "follows from nodes")
    world = cluster.world_size if profile.world_size == "all" else len(cluster.primary.devices)
    counts = "cards of all nodes" if profile.world_size == "all" else "cards of one node"
    yield Shown("", "worldSize", str(world), f"follows from nodes: {version} counts the {counts}")
    for subject, words in encryption_words(cluster):
        yield Shown("", subject, words, "hosts.yaml" if words.startswith("on") else "default")
    if cluster.multi_node:
        yield Shown("", "rank table variable", profile.rank_table_variable, version)


def _node_values(cluster: Cluster, profile: Profile) -> Iterator[Shown]:
    for node in cluster.nodes:
        name = node.name
        address = "hosts.yaml" if "service_address" in node.model_fields_set else "follows from address"
        yield Shown(name, "service_address", node.service_address, address)
        devices = "hosts.yaml" if "devices" in node.model_fields_set else "default"
        yield Shown(name, "devices", ", ".join(map(str, node.devices)), devices)
        yield Shown(name, "npuDeviceIds", _logical(node), "follows from devices: numbered from 0 in there")


def _logical(node: Node) -> str:
    return ", ".join(str(number) for number in range(len(node.devices)))


def _words(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
