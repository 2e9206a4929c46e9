"""A node's engine on its way up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lingctl.sandbox.engine.model.model import Model
from lingctl.sandbox.engine.model.text import Text
from lingctl.sandbox.engine.nodes import world
from lingctl.sandbox.engine.settings.rank_table import RankTable, Server
from lingctl.sandbox.engine.settings.server_config import RawConfig


@dataclass
class Started:
    """What is known of a node's engine, more with every stage."""

    raw: RawConfig
    table: RankTable | None
    ranks: tuple[int, ...]  # global ranks on this node
    world_size: int  # cards of all nodes
    registration: world.Registration | None = None
    group: world.Group = field(default_factory=lambda: world.Group([], is_master=True))
    model: Model | None = None
    text: Text | None = None

    @property
    def is_master(self) -> bool:
        """Whether this node opens the ports: it is alone, or has rank 0."""
        return self.table is None or self.table.local is self.table.master

    @property
    def devices(self) -> list[int]:
        """The card of each rank of this node."""
        if self.table is None:
            return list(self.raw.backend["npuDeviceIds"][0])
        assert self.table.local is not None
        by_rank = {device.rank: device.device_id for device in self.table.local.devices}
        return [by_rank[rank] for rank in self.ranks]

    @property
    def number(self) -> int:
        """The node's place: 0 for the master, then the slaves in the table's order."""
        if self.table is None or self.is_master:
            return 0
        return 1 + self._slaves().index(self.table.local)

    def vocabulary_columns(self, vocabulary: int) -> list[list[int]]:
        """The vocabulary columns of every node, the master's first."""
        part = vocabulary // self.world_size

        def of(ranks: Sequence[int]) -> list[int]:
            return [row for rank in sorted(ranks) for row in range(rank * part, (rank + 1) * part)]

        if self.table is None:
            return [of(self.ranks)]
        others = [server for server in self.table.servers if server is not self.table.local]
        return [of(self.ranks), *(of([d.rank for d in server.devices]) for server in others)]

    def _slaves(self) -> list[Server | None]:
        assert self.table is not None
        return [server for server in self.table.servers if server is not self.table.master]
