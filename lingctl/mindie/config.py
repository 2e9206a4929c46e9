"""MindIE's config.json for one node."""

from __future__ import annotations

import json
from typing import Any

from lingctl.inventory.cluster import Cluster, Node
from lingctl.mindie.profile import Profile
from lingctl.mindie.settings import serving_settings
from lingctl.mindie.templates import render


def config_document(cluster: Cluster, node: Node, profile: Profile, weights: str) -> dict[str, Any]:
    """The document, as data.

    Args:
        cluster: what is served and where.
        node: the node it is for.
        profile: the version's demands.
        weights: folder of the weights on the node, below ``paths.models``.
    """
    settings = {name: setting.value for name, setting in serving_settings(cluster).items()}
    own = len(node.devices)
    text = render(
        f"{profile.templates}/config.json.j2",
        service_ip=cluster.primary.service_address,
        management_ip=cluster.primary.service_address,
        port=cluster.serving.port,
        management_port=cluster.serving.management_port,
        metrics_port=cluster.serving.metrics_port,
        inter_node_port=cluster.serving.inter_node_port,
        served_name=cluster.serving.served_name,
        weights=cluster.in_container(weights),
        multi_node=cluster.multi_node,
        # Logical ids: the container sees the chosen cards numbered from 0.
        device_ids=list(range(own)),
        world_size=cluster.world_size if profile.world_size == "all" else own,
        **settings,
    )
    document: dict[str, Any] = json.loads(text)
    return document


def render_config(cluster: Cluster, node: Node, profile: Profile, weights: str) -> str:
    """The file, as it is written."""
    return json.dumps(config_document(cluster, node, profile, weights), indent=2, ensure_ascii=False) + "\n"
