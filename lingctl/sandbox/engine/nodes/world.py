"""The nodes as one engine: slaves register with the master, then follow its steps.

The master's registration port stands in for MindIE's gRPC service; the protocol is our own. Partial sums
travel over the cards' own links (see hccl). Lines and waits of 3.0.0 are as two real daemons on a CPU showed
them; 1.0.0 is given the same texts in its own log's form, which no document confirms.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.machine.processes import seconds_since_start
from lingctl.sandbox.engine.machine.site import Site
from lingctl.sandbox.engine.model.bfloat16 import Floats
from lingctl.sandbox.engine.nodes.framing import (
    LinkLost,
    receive_floats,
    receive_json,
    send_floats,
    send_json,
    summed,
)
from lingctl.sandbox.engine.nodes.hccl import Fabric
from lingctl.sandbox.engine.settings.rank_table import RankTable, Server

_RETRIES = 120
# How long one try takes where something else listens on the port (seen).
_FOREIGN_SECONDS = 20.0
# Between two tries where time runs fast, in seconds and in starts of this process: 120 pauses are as long as
# a dozen starts took here, since the master may be as slow to come.
_LEAST_PAUSE, _STARTS_A_PAUSE = 0.05, 0.1
_SOURCE = "grpc_communicator.cpp"


class WorldError(Exception):
    """The nodes did not find each other."""


class SizesDiffer(Exception):
    """The warm-ups of two nodes have other sizes, so that their collectives do not fit each other."""


@dataclass
class Registration:
    """The control connections."""

    # master: one socket per slave's container_ip; slave: the one to the master
    links: dict[str, socket.socket]
    listener: socket.socket | None = None  # the master's bound port


def wait_for_ever() -> NoReturn:
    """As long as nobody ends this process."""
    while True:
        threading.Event().wait()


def open_master(own: Server, port: int, console: Console, *, tls: bool = False) -> socket.socket:
    """Bind the registration port, which several MindIE masters may share.

    Raises:
        WorldError: another program has the port, or the address is not this node's.
    """
    console.model("INFO", "Start to init GRPCCommunicator", f"{_SOURCE}:136")
    console.model("INFO", "GRPCCommunicator: Start to init as Master", f"{_SOURCE}:153")
    console.model("INFO", "GRPCCommunicator: wait slave connecting...", f"{_SOURCE}:212")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((own.container_ip, port))
        listener.listen(64)
    except OSError as error:
        listener.close()
        stamp = f"E{datetime.now():%m%d %H:%M:%S.%f}000 {threading.get_native_id():>7}"
        text = f"UNKNOWN:No address added out of total 1 resolved for '{own.container_ip}:{port}'"
        console.err(f"{stamp} chttp2_server.cc:1045]                {text}")
        console.model("ERROR", f"Failed to start gRPC server on port {port}", f"{_SOURCE}:195")
        raise WorldError(str(error)) from error
    how = "TLS" if tls else "no encryption"
    console.model("INFO", f"gRPC server started on port {port} with {how}", f"{_SOURCE}:198")
    return listener


def accept_slaves(listener: socket.socket, table: RankTable, console: Console) -> Registration:
    """Wait, without limit, until as many slaves have registered as the table has, whichever they are."""
    links: dict[str, socket.socket] = {}
    while len(links) < len(table.servers) - 1:
        link, _ = listener.accept()
        try:
            link.settimeout(5)
            hello = receive_json(link)
            send_json(link, {"registered": True})
            # A slave whose patience had just ended is not one that has registered.
            receive_json(link)
            link.settimeout(None)
        except OSError:
            link.close()
            continue
        name = hello.get("node") if isinstance(hello, dict) else None
        if not isinstance(name, str):
            link.close()
            continue
        links[name] = link
    console.model("INFO", f"GRPCCommunicator: All {len(links)} slaves connected", f"{_SOURCE}:214")
    return Registration(links, listener)


def register_slave(table: RankTable, port: int, site: Site, console: Console) -> Registration:
    """Register with the master: 120 tries, a (scaled) second apart.

    Raises:
        WorldError: the master never answered.
    """
    assert table.local is not None and table.master is not None
    master, own = table.master.container_ip, table.local.container_ip
    console.model("INFO", "Start to init GRPCCommunicator", f"{_SOURCE}:136")
    console.model("INFO", f"GRPCCommunicator: Start to init as Slave (IP={own})", f"{_SOURCE}:219")
    pause = max(site.time_scale, _LEAST_PAUSE, _STARTS_A_PAUSE * seconds_since_start())
    for _ in range(_RETRIES):
        attempt = f"attempting connection to server at IP = {master}, port = {port}"
        console.model("INFO", f"GRPCCommunicator: {attempt}", f"{_SOURCE}:226")
        link = _try_master(master, own, port, max(pause, _FOREIGN_SECONDS * site.time_scale))
        # The real one says so whether or not anything listens.
        text = "Successfully connected to master and obtained slaveStream"
        console.model("INFO", text, f"{_SOURCE}:273")
        console.model("INFO", f"Sent registration to master: slave_ip={own}", f"{_SOURCE}:311")
        if link is not None:
            console.model("INFO", "Registration succeeded", f"{_SOURCE}:277")
            return Registration({master: link})
        failed = "Send registration message to master failed. Retrying in 1 second..."
        console.model("WARN", failed, f"{_SOURCE}:283")
        time.sleep(pause)
    text = "Failed to establish connection to master after maximum retries"
    console.model("ERROR", text, f"{_SOURCE}:293")
    raise WorldError(text)


def _try_master(master: str, own: str, port: int, patience: float) -> socket.socket | None:
    link = None
    try:
        link = socket.create_connection((master, port), 5, (own, 0))
        link.settimeout(patience)
        send_json(link, {"node": own})
        receive_json(link)
        send_json(link, "received")
        link.settimeout(None)
    except OSError:
        if link is not None:
            link.close()
        return None
    return link


def agree_on_warm_up(registration: Registration, *, is_master: bool, sizes: Sequence[int]) -> None:
    """The warm-up's first collective. A node that is gone is waited for without limit, and without a word.

    On the real thing workers meet, and those of a dead daemon live on: a slave whose master's daemon has
    ended goes on.

    Raises:
        SizesDiffer: master: a slave's warm-up has other sizes.
    """
    for link in registration.links.values():
        try:
            if is_master:
                fits = receive_json(link) == list(sizes)
                send_json(link, fits)
                if not fits:
                    raise SizesDiffer
                continue
            send_json(link, list(sizes))
            if not receive_json(link):
                wait_for_ever()
        except LinkLost:
            if is_master:
                wait_for_ever()


def exchange_init_results(
    registration: Registration, *, is_master: bool, overview: str, console: Console
) -> None:
    """What the executors tell each other of their caches when their models are there."""
    for link in registration.links.values():
        try:
            if is_master:
                receive_json(link)
                head = "[Executor::MasterHandleSlaveInitResponse]:"
                text = f"{head} Updated KV cache overview from slave: {overview}"
                console.model("INFO", text, "executor.cpp:363")
            else:
                send_json(link, "initialised")
        except LinkLost:
            if is_master:
                wait_for_ever()
            text = "SafeWriteMsgToStream: failed to write message to stream"
            console.model("ERROR", text, f"{_SOURCE}:346")
            text = "SendResponse: failed to write response to slave stream."
            console.model("ERROR", text, f"{_SOURCE}:394")
            text = "Slave Node: failed to send response to remote master node."
            console.model("ERROR", text, "communicator.cpp:307")


def say_finalised(registration: Registration | None) -> None:
    """The master's last word to its slaves' workers, where it has one."""
    for link in registration.links.values() if registration else ():
        with contextlib.suppress(LinkLost):
            send_json(link, {"finalize": os.getpid()})


class Group:
    """Collectives over the nodes of a world, as a star around the master's first card.

    Args:
        links: one fabric link per other node; on a slave only the one to the master.
        is_master: whether partial sums meet here.
    """

    def __init__(self, links: Sequence[socket.socket], *, is_master: bool) -> None:
        self._links = list(links)
        self.is_master = is_master
        self._frozen = threading.Event()

    def freeze(self) -> None:
        """The worker is gone: whatever is computed from now on never comes to its end."""
        self._frozen.set()

    def reduce(self, partial: Floats) -> Floats:
        """The sum of every node's partial result; the same bits on every node."""
        if self._frozen.is_set():
            wait_for_ever()
        return summed(self._links, partial, is_root=self.is_master)

    def gather(self, own: Floats, widths: Sequence[int]) -> list[Floats]:
        """Master: its own columns and then every slave's. Slave: only its own, after sending them."""
        if self._frozen.is_set():
            wait_for_ever()
        if not self.is_master:
            send_floats(self._links[0], own)
            return [own]
        rows = own.shape[0]
        rest = [receive_floats(link, (rows, width)) for link, width in zip(self._links, widths, strict=True)]
        return [own, *rest]


def group_of(table: RankTable | None, fabric: Fabric | None) -> Group:
    """The group of this node; alone without a table."""
    if table is None or fabric is None or table.local is None or table.master is None:
        return Group([], is_master=True)
    own = table.local
    others = [s for s in table.servers if s is not own] if own is table.master else [table.master]
    first = own.devices[0].rank
    links = [fabric[(first, server.devices[0].rank)] for server in others]
    return Group(links, is_master=own is table.master)
