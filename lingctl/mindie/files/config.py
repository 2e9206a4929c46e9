"""MindIE's config.json for one node."""

from __future__ import annotations

import json
from typing import Any

from lingctl.assets import render
from lingctl.errors import ConfigurationError
from lingctl.findings import Verdict
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.places import weights_in_container
from lingctl.inventory.sections import Node
from lingctl.mindie.profile import Profile
from lingctl.mindie.rules.check import check_config
from lingctl.mindie.settings import serving_settings
from lingctl.mindie.shared_memory import TOKENIZER_PROCESSES
from lingctl.mindie.tls import https_fields, inter_node_fields


def config_document(cluster: Cluster, node: Node, profile: Profile, weights: str) -> dict[str, Any]:
    """The document, as data."""
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
        weights=weights_in_container(cluster, weights),
        multi_node=cluster.multi_node,
        # Logical ids: the container sees the chosen cards numbered from 0.
        device_ids=list(range(own)),
        world_size=cluster.world_size if profile.world_size == "all" else own,
        # Over several nodes 3.0.0 takes a missing tp for 1 and ends (seen). Which 2.x needs it is not known:
        # a public adapter for its daemon reports 3.0.0's words ("Invalid DP number per node: 0"), and in the
        # vendor's examples dp x tp is the number of all cards. 1.0.0 has no such key.
        tensor_parallel=cluster.world_size,
        tokenizer_processes=TOKENIZER_PROCESSES,
        **settings,
    )
    document: dict[str, Any] = json.loads(text)
    document["ServerConfig"] |= https_fields(cluster, profile)
    document["BackendConfig"] |= inter_node_fields(cluster, profile)
    return document


def render_config(cluster: Cluster, node: Node, profile: Profile, weights: str) -> str:
    """The file, as it is written.

    Raises:
        ConfigurationError: hosts.yaml asks for what this MindIE refuses; names field, value and remedy.
    """
    document = config_document(cluster, node, profile, weights)
    refused = [one for one in check_config(document, profile, cluster) if one.verdict >= Verdict.FAILURE]
    if refused:
        first = refused[0]
        raise ConfigurationError(
            f"MindIE {profile.version} would refuse this configuration: {first.message}",
            where="serving in hosts.yaml",
            evidence="\n".join(one.message for one in refused[1:]) or first.evidence,
            remedy=first.remedy,
            code=first.check,
        )
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
