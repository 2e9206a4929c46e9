"""The Site of a run: where the daemons of a cluster live on its nodes, made once from hosts.yaml. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lingctl.engines import engine_of
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.layout import Layout
from lingctl.inventory.runtime import Runtime
from lingctl.inventory.sections import Timeouts


@dataclass(frozen=True, slots=True)
class Site:
    """What it takes to look at what runs, to start and to stop it: nothing of what it serves, or how."""

    layout: Layout  # our files on every node
    runtime: Runtime  # what runs the containers
    container: str  # the container's name on every node
    cards: Mapping[str, tuple[int, ...]]  # physical ids by node, in the order of hosts.yaml
    timeouts: Timeouts  # how long anything may take
    # by node, what stands in the line that its daemon prints when it has loaded; empty for none
    loaded: Mapping[str, str]
    log_places: tuple[str, ...]  # folders of the engine's own logs, in the container
    process_names: tuple[str, ...]  # how names of the engine's processes begin

    @property
    def nodes(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(self.cards)

    def first_rank(self, node: str) -> int:
        """The rank of a node's first card."""
        return sum(len(self.cards[other]) for other in self.nodes[: self.nodes.index(node)])


def site_of(cluster: Cluster) -> Site:
    """The site of a cluster."""
    engine = engine_of(cluster)
    console = engine.logs.console
    first = cluster.primary
    return Site(
        cluster.layout,
        cluster.runtime,
        cluster.container_name,
        {node.name: node.devices for node in cluster.nodes},
        cluster.timeouts,
        {node.name: console.loaded if node == first else console.loaded_elsewhere for node in cluster.nodes},
        engine.about.log_places,
        engine.about.process_names,
    )
