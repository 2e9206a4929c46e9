"""Clusters, documents and broken values that several tests here need."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from lingctl.engine.scripts import environment_file, start_file
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node
from lingctl.mindie.environment import daemon_environment, daemon_start
from lingctl.mindie.files.config import config_document
from lingctl.mindie.files.rank_table import rank_table
from lingctl.mindie.profile import PROFILES, Profile, profile_for

Document = dict[str, Any]
VERSIONS = tuple(profile.version for profile in PROFILES)


def make_cluster(model: str = "Ling-lite", mindie: str = "3.0.0", nodes: int = 1, **more: Any) -> Cluster:
    """A cluster of 8-card nodes; ``more`` are further keys of hosts.yaml."""
    listed = more.pop(
        "node_list", [{"address": f"10.0.0.{n}", "name": f"node{n}"} for n in range(1, nodes + 1)]
    )
    data = {"name": "demo", "model": model, "mindie": mindie, "nodes": listed, **more}
    return Cluster.model_validate_json(json.dumps(data))


def addresses_of(cluster: Cluster) -> dict[str, dict[int, str]]:
    """An address for every card, as live cards have."""
    return {
        node.name: {device: f"192.168.{10 + index}.{100 + device}" for device in node.devices}
        for index, node in enumerate(cluster.nodes)
    }


def document_of(cluster: Cluster) -> Document:
    """The rendered config.json of the first node, as data."""
    profile = profile_for(cluster.mindie)
    return config_document(cluster, cluster.primary, profile, cluster.downloaded_weights)


def table_of(cluster: Cluster) -> Document:
    """The rank table, as data."""
    table: Document = json.loads(rank_table(cluster, addresses_of(cluster)))
    return table


def part(document: Document, section: str) -> Document:
    """A section of a config.json by its short name."""
    backend = document["BackendConfig"]
    places: dict[str, Callable[[], Document]] = {
        "LogConfig": lambda: document.setdefault("LogConfig", {}),
        "ServerConfig": lambda: document["ServerConfig"],
        "BackendConfig": lambda: backend,
        "ModelDeployConfig": lambda: backend["ModelDeployConfig"],
        "ModelConfig": lambda: backend["ModelDeployConfig"]["ModelConfig"][0],
        "ScheduleConfig": lambda: backend["ScheduleConfig"],
    }
    return places[section]()


def changed(document: Document, section: str, **values: Any) -> Document:
    """A copy with fields of one section set."""
    copied = copy.deepcopy(document)
    part(copied, section).update(values)
    return copied


def render_environment(cluster: Cluster, node: Node, profile: Profile) -> str:
    return environment_file(
        cluster, node, "MindIE", daemon_environment(cluster, node, profile)
    ).content.decode()


def render_start(cluster: Cluster, node: Node, profile: Profile) -> str:
    return start_file(cluster, node, "MindIE", daemon_start(cluster, node, profile)).content.decode()
