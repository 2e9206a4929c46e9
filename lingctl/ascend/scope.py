"""What a check is about: nodes, cards and ports, whether from hosts.yaml or this machine alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lingctl.inventory.runtime import DOCKER, Runtime

CardPlace = tuple[str, int]
"""Name of a node and physical id of a card."""


@dataclass(frozen=True, slots=True)
class NodeScope:
    """One node."""

    name: str
    cards: tuple[int, ...]  # physical ids to use
    address: str = ""  # where the other nodes reach it; empty on a machine alone
    paths: tuple[str, ...] = ()  # host files and folders that the container needs


@dataclass(frozen=True, slots=True)
class Scope:
    """Everything that is checked."""

    nodes: tuple[NodeScope, ...]  # in order; the first is the primary
    # ports that the service needs on the primary, by what they are for
    ports: Mapping[str, int] = field(default_factory=dict)
    shared_ports: Mapping[str, int] = field(default_factory=dict)  # ports that it needs on every node
    disks: tuple[str, ...] = ()  # paths that need free space
    writes: tuple[str, ...] = ()  # paths that deploy writes
    # what must be the same on all nodes, as {path: what it is}
    digests: Mapping[str, str] = field(default_factory=dict)
    image: str = ""  # the container image
    runtime: Runtime = DOCKER  # what would run it
    service: str = ""  # shell text that tells whether this cluster's daemon runs on a node
    remarks: tuple[str, ...] = ()  # what is to be known of the engine's version, each in words
    driver: str = ""  # the oldest line of drivers that the image's CANN works with; empty where none is known

    @property
    def multi_node(self) -> bool:
        """Whether cards of several machines have to talk to each other."""
        return len(self.nodes) > 1

    @property
    def primary(self) -> NodeScope:
        """The node that answers HTTP."""
        return self.nodes[0]

    def node(self, name: str) -> NodeScope:
        """The node of that name. Raises KeyError: there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)
