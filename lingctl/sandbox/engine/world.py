"""The nodes as one engine: slaves register with the master, then follow its steps.

The master's registration port stands in for MindIE's gRPC service; the protocol is our own. Partial sums
travel over the cards' own links (see hccl).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from lingctl.sandbox.engine.bfloat16 import Floats
from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.framing import (
    LinkLost,
    receive_floats,
    receive_json,
    send_floats,
    send_json,
)
from lingctl.sandbox.engine.hccl import Fabric
from lingctl.sandbox.engine.rank_table import RankTable, Server
from lingctl.sandbox.engine.site import Site

_RETRIES = 120


class WorldError(Exception):
    """The nodes did not find each other."""


@dataclass
class Registration:
    """The control connections.

    Attributes:
        links: master: one socket per slave's container_ip; slave: the one to the master.
        listener: the master's bound port.
    """

    links: dict[str, socket.socket]
    listener: socket.socket | None = None


def open_master(own: Server, port: int, console: Console) -> socket.socket:
    """Bind the registration port.

    Raises:
        WorldError: the port is taken or the address is not this node's.
    """
    console.model("INFO", "GRPCCommunicator: Start to init as Master")
    try:
        return socket.create_server((own.container_ip, port), backlog=64)
    except OSError as error:
        console.model("ERROR", f"Failed to start gRPC server on port {port}")
        raise WorldError(str(error)) from error


def accept_slaves(listener: socket.socket, table: RankTable, console: Console) -> Registration:
    """Wait, without limit as the real one, until every slave has registered."""
    assert table.local is not None
    missing = {server.container_ip for server in table.servers} - {table.local.container_ip}
    links: dict[str, socket.socket] = {}
    console.model("INFO", "GRPCCommunicator: wait slave connecting...")
    while missing:
        link, _ = listener.accept()
        try:
            link.settimeout(5)
            hello = receive_json(link)
            link.settimeout(None)
        except (LinkLost, OSError):
            link.close()
            continue
        name = hello.get("node") if isinstance(hello, dict) else None
        if name not in missing:
            link.close()
            continue
        send_json(link, {"table": table.digest})
        missing.remove(name)
        links[str(name)] = link
    console.model("INFO", f"GRPCCommunicator: All {len(links)} slaves connected")
    return Registration(links, listener)


def register_slave(table: RankTable, port: int, site: Site, console: Console) -> Registration:
    """Register with the master: 120 tries, a (scaled) second apart.

    Raises:
        WorldError: the master never answered.
    """
    assert table.local is not None and table.master is not None
    master, own = table.master.container_ip, table.local.container_ip
    console.model("INFO", f"GRPCCommunicator: Start to init as Slave (IP={own})")
    for _ in range(_RETRIES):
        attempt = f"attempting connection to server at IP = {master}, port = {port}"
        console.model("INFO", f"GRPCCommunicator: {attempt}")
        try:
            link = socket.create_connection((master, port), 5, (own, 0))
            send_json(link, {"node": own})
            receive_json(link)
            link.settimeout(None)
        except (OSError, LinkLost) as error:
            text = f"Failed to establish bidirectional stream to master. {error}"
            console.model("ERROR", text)
            time.sleep(max(site.time_scale, 0.01))
            continue
        console.model("INFO", "Successfully connected to master and obtained slaveStream")
        console.model("INFO", "Registration succeeded")
        return Registration({master: link})
    console.model("ERROR", "Failed to establish connection to master after maximum retries")
    raise WorldError("Failed to establish connection to master after maximum retries")


class Group:
    """Collectives over the nodes of a world, as a star around the master's first card.

    Args:
        links: one fabric link per other node; on a slave only the one to the master.
        is_master: whether partial sums meet here.
    """

    def __init__(self, links: Sequence[tuple[str, socket.socket]], *, is_master: bool) -> None:
        self._links = list(links)
        self.is_master = is_master

    def reduce(self, partial: Floats) -> Floats:
        """The sum of every node's partial result; the same bits on every node."""
        if not self._links:
            return partial
        if not self.is_master:
            send_floats(self._links[0][1], partial)
            return receive_floats(self._links[0][1], partial.shape)
        total = partial
        for _, link in self._links:
            total = total + receive_floats(link, partial.shape)
        for _, link in self._links:
            send_floats(link, total)
        return total

    def gather(self, own: Floats, widths: Sequence[int]) -> list[Floats]:
        """Master: its own columns and then every slave's. Slave: only its own, after sending them."""
        if not self.is_master:
            send_floats(self._links[0][1], own)
            return [own]
        rows = own.shape[0]
        rest = [
            receive_floats(link, (rows, width)) for (_, link), width in zip(self._links, widths, strict=True)
        ]
        return [own, *rest]


def group_of(table: RankTable | None, fabric: Fabric | None) -> Group:
    """The group of this node; alone without a table."""
    if table is None or fabric is None or table.local is None or table.master is None:
        return Group([], is_master=True)
    own = table.local
    others = [s for s in table.servers if s is not own] if own is table.master else [table.master]
    first = own.devices[0].rank
    links = [(s.container_ip, fabric.links[(first, s.devices[0].rank)]) for s in others]
    return Group(links, is_master=own is table.master)
