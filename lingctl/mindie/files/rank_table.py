"""The rank table: made from the cards' live addresses, and proved before anything starts.

Format and limits: MindIE-LLM v3.0.0 src/config_manager/ranktable_config.cpp; every value is a string. The
master is the server with rank "0"; the Ling README says the first in the list, so it is made both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from lingctl.errors import ConfigurationError
from lingctl.findings import Finding, Verdict
from lingctl.inventory.cluster import Addresses, Cluster
from lingctl.mindie.json_text import read_json
from lingctl.mindie.rules.rank_table import broken_rules

# Cards whose nodes a table of version 1.0 does not join. Source: HCCL's documents of the rank table (1.2 with
# super_pod_list for A3, 2.0 for 950); MindIE's of several nodes (Atlas 800I A2 only, not 300I Duo).
_OTHER_FORMS = {
    "A3": "A3 servers want version 1.2 with super_pod_list",
    "950": "950 servers want version 2.0",
    "310": "MindIE joins no nodes with 310P cards",
}


def rank_table(cluster: Cluster, addresses: Addresses) -> str:
    """The rank table of a cluster, the same bytes for every node.

    Args:
        addresses: live device address by node name and physical card id.

    Raises:
        ConfigurationError: a card has no address; a table without it would be worse than none.
    """
    servers: list[dict[str, object]] = []
    ranks = count()
    for node in cluster.nodes:
        devices = []
        for device in node.devices:
            address = addresses.get(node.name, {}).get(device)
            if not address:
                raise ConfigurationError(
                    "the card has no address, so no rank table can be made",
                    where=f"{node.name} card {device}",
                    remedy=f"on {node.name}: set an address of the site's plan that no other card has, with "
                    "hccn_tool's option -ip -s; then: lingctl check-network",
                    code="rank-table-incomplete",
                )
            devices.append({"device_id": str(device), "device_ip": address, "rank_id": str(next(ranks))})
        place = node.service_address
        servers.append({"server_id": place, "container_ip": place, "device": devices})
    table = {
        "version": "1.0",
        "server_count": str(len(servers)),
        "server_list": servers,
        "status": "completed",
    }
    return json.dumps(table, indent=2, ensure_ascii=False) + "\n"


def need_known_form(generations: Mapping[str, str]) -> None:
    """Refuse nodes whose cards want another form of rank table than ours, that of Atlas 800I A2.

    Args:
        generations: of each node's cards, by node; empty where the PCI bus does not tell.

    Raises:
        ConfigurationError: a node has such cards.
    """
    others = {node: _OTHER_FORMS[kind] for node, kind in generations.items() if kind in _OTHER_FORMS}
    if others:
        raise ConfigurationError(
            "no rank table for these nodes can be made: lingctl writes version 1.0, for Atlas 800I A2",
            where=", ".join(others),
            evidence="\n".join(dict.fromkeys(others.values())),
            code="rank-table-form",
        )


def prove(text: str, cluster: Cluster, addresses: Addresses) -> list[Finding]:
    """Whether a rank table is exactly what the cluster's live cards call for.

    Every node there, ranks 0 to n-1 once and in order, addresses unique and equal to the live cards.
    """
    try:
        document = read_json(text)
    except ValueError as error:
        return [_failure("rank-table", f"cannot be read: {error}", "")]
    if not isinstance(document, dict):
        return [_failure("rank-table", "it is not a JSON object", "")]
    broken = broken_rules(document)
    if broken:
        return [replace(one, verdict=Verdict.FAILURE) for one in broken]
    servers: list[dict[str, Any]] = document["server_list"]
    return list(_otherwise(cluster, servers, addresses)) or [
        Finding("rank-table", Verdict.PASS, f"{cluster.world_size} ranks on {len(servers)} nodes")
    ]


def _otherwise(cluster: Cluster, servers: list[dict[str, Any]], addresses: Addresses) -> Iterator[Finding]:
    """Where a table that breaks no rule says otherwise than hosts.yaml and the live cards."""
    wanted = [node.service_address for node in cluster.nodes]
    listed = [str(server.get("container_ip")) for server in servers]
    if wanted != listed:
        yield _failure("rank-table", f"it lists {', '.join(listed)}; hosts.yaml has {', '.join(wanted)}", "")
    entries = [
        (node.name, entry)
        for node, server in zip(cluster.nodes, servers, strict=False)
        for entry in server["device"]
    ]
    for rank, (node, entry) in enumerate(entries):
        device, address = int(entry["device_id"]), entry["device_ip"]
        live = addresses.get(node, {}).get(device)
        if address != live:
            yield _failure("rank-table", f"it says {address}, the card has {live}", node, device)
        if entry["rank_id"] != str(rank):
            yield _failure("rank-table", f"rank {entry['rank_id']} where {rank} belongs", node, device)
    if len(entries) != cluster.world_size:
        text = f"it has {len(entries)} ranks; hosts.yaml asks for {cluster.world_size}"
        yield _failure("rank-table", text, "")


def _failure(check: str, message: str, node: str, device: int | None = None) -> Finding:
    remedy = "lingctl render ranktable makes it anew from the live cards"
    return Finding(check, Verdict.FAILURE, message, node, device, remedy=remedy)
