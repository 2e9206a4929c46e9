"""What a check is about: nodes, cards and ports, whether from hosts.yaml or this machine alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lingctl.inventory.runtime import DOCKER, Runtime

CardPlace = tuple[str, int]
"""Name of a node and physical id of a card."""


@dataclass(frozen=True, slots=True)
class NodeScope:
    """One node.

    Attributes:
        cards: physical ids to use.
        address: where the other nodes reach it; empty on a machine alone.
        paths: host files and folders that the container needs.
    """

    name: str
    cards: tuple[int, ...]
    address: str = ""
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """Everything that is checked.

    Attributes:
        nodes: in order; the first is the primary.
        ports: ports that the service needs on the primary, by what they are for.
        shared_ports: ports that it needs on every node.
        disks: paths that need free space.
        digests: what must be the same on all nodes, as {path: what it is}.
        image: the container image.
        runtime: what would run it.
        service: shell text that tells whether this cluster's daemon runs on a node.
        driver: the oldest line of drivers that the image's CANN works with; empty where none is known.
    """

    nodes: tuple[NodeScope, ...]
    ports: Mapping[str, int] = field(default_factory=dict)
    shared_ports: Mapping[str, int] = field(default_factory=dict)
    disks: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    runtime: Runtime = DOCKER
    service: str = ""
    driver: str = ""

    @property
    def multi_node(self) -> bool:
        """Whether cards of several machines have to talk to each other."""
        return len(self.nodes) > 1

    @property
    def primary(self) -> NodeScope:
        """The node that answers HTTP."""
        return self.nodes[0]

    def node(self, name: str) -> NodeScope:
        """The node of that name.

        Raises:
            KeyError: there is none.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)
