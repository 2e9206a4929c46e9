"""Whether the model fits the cards that were seen."""

from __future__ import annotations

from collections.abc import Mapping

from lingctl.ascend.facts import NodeFacts
from lingctl.engine.capacity import capacity_findings
from lingctl.engines import engine_of
from lingctl.findings import Finding
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.models.catalogue import Shape


def check_capacity(
    cluster: Cluster, facts: Mapping[str, NodeFacts], shape: Shape | None = None
) -> list[Finding]:
    """One verdict on the cluster, or an unknown for each card whose memory was not read."""
    memory = {name: card_memory(node) for name, node in facts.items()}
    return capacity_findings(engine_of(cluster).capacity, cluster, memory, shape)


def card_memory(facts: NodeFacts) -> dict[int, int]:
    """Memory in MB by physical id, of the cards that npu-smi told."""
    return {card: chip.hbm_total_mb for card, chip in facts.rows.chips.items() if chip.hbm_total_mb}
