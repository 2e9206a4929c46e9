"""What HCCL does at start: every card connects to its peers over the cards' own network.

Cards at the same place of each two nodes connect, the lower rank listening. Addresses come from the rank
table and must be those of this node's cards, with the link up and equal TLS switches; whatever is missing
when the time is over ends as a socket timeout. Texts: CANN process logs (EI0001, EI0006, EI0015).
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.machine.site import Site
from lingctl.sandbox.engine.nodes.framing import receive_json, send_json
from lingctl.sandbox.engine.settings.rank_table import Device, RankTable, Server

# Connected sockets by (own rank, peer rank).
Fabric = dict[tuple[int, int], socket.socket]
Hello = dict[str, object]

PORT = 16666
_GRACE = 20


class HcclError(Exception):
    """Communication could not be set up; the process log holds the lines."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two cards that connect: one of this node, one of another."""

    own: Device
    peer: Device
    node: str


def connect_timeout() -> int:
    """HCCL_CONNECT_TIMEOUT in seconds.

    Raises:
        HcclError: outside [120, 7200]; the message is HCCL's.
    """
    return _seconds("HCCL_CONNECT_TIMEOUT", 120, 120, 7200)


def _seconds(variable: str, default: int, low: int, high: int) -> int:
    text = os.environ.get(variable, str(default))
    if not text.isdecimal() or not low <= int(text) <= high:
        reason = f"{text}, range [{low}, {high}]"
        raise HcclError(f"EI0001: Environment variable [{variable}] is invalid. Reason: {reason}")
    return int(text)


def join(table: RankTable, site: Site, console: Console) -> Fabric:
    """Connect this node's cards.

    Raises:
        HcclError: after the scaled timeout plus HCCL's 20 s, with the documented lines in the process log.
    """
    seconds = connect_timeout()
    _seconds("HCCL_EXEC_TIMEOUT", 1836, 0, 2**31 - 1)
    assert table.local is not None
    joining = _Joining(table, site, (seconds + _GRACE) * site.time_scale)
    pairs = _pairs(table, table.local)
    threads = [
        threading.Thread(target=joining.connect, args=(group,), daemon=True) for group in _by_listener(pairs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    missing = [pair for pair in pairs if (pair.own.rank, pair.peer.rank) not in joining.fabric]
    if missing:
        time.sleep(joining.left())
        _report(missing, seconds, site, console)
        for link in joining.fabric.values():
            link.close()
        raise HcclError(f"EI0006: wait socket establish timeout, role[0] rank[{missing[0].own.rank}]")
    return joining.fabric


def _pairs(table: RankTable, local: Server) -> list[Pair]:
    others = [server for server in table.servers if server is not local]
    return [
        Pair(own, peer, server.container_ip)
        for server in others
        for own, peer in zip(local.devices, server.devices, strict=True)
    ]


def _by_listener(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """A card listens once for all its higher peers; every connection outwards stands alone."""
    listening: dict[int, list[Pair]] = {}
    outward: list[list[Pair]] = []
    for pair in pairs:
        if pair.own.rank < pair.peer.rank:
            listening.setdefault(pair.own.rank, []).append(pair)
        else:
            outward.append([pair])
    return [*listening.values(), *outward]


class _Joining:
    """The making of this node's links, each group of pairs in a thread of its own."""

    def __init__(self, table: RankTable, site: Site, seconds: float) -> None:
        self._table, self._cards = table, site.cards or {}
        self._deadline = time.monotonic() + seconds
        self.fabric: Fabric = {}

    def connect(self, group: Sequence[Pair]) -> None:
        """Connect a card, as long as there is time, where its address is its own and its link is up."""
        own = group[0].own
        card = self._cards.get(own.device_id)
        if card is None or card.address != own.address or not card.link_up:
            return
        hello = {"rank": own.rank, "table": self._table.digest, "tls": card.tls}
        if own.rank < group[0].peer.rank:
            self._listen(group, hello)
        else:
            self._dial(group[0], hello)

    def left(self) -> float:
        """The seconds that are left."""
        return max(0.01, self._deadline - time.monotonic())

    def _listen(self, group: Sequence[Pair], hello: Hello) -> None:
        wanted = {pair.peer.rank: pair for pair in group}
        try:
            server = socket.create_server((group[0].own.address, PORT), backlog=64)
        except OSError:
            return
        with server:
            while wanted and time.monotonic() < self._deadline:
                server.settimeout(self.left())
                try:
                    link, (address, _) = server.accept()
                    link.settimeout(self.left())
                    theirs = receive_json(link)
                    send_json(link, hello)
                except OSError:
                    continue
                pair = wanted.get(theirs.get("rank", -1)) if isinstance(theirs, dict) else None
                if pair is None or pair.peer.address != address or not _agree(hello, theirs):
                    link.close()
                    continue
                del wanted[pair.peer.rank]
                self._keep(link, pair)

    def _dial(self, pair: Pair, hello: Hello) -> None:
        while time.monotonic() < self._deadline:
            peer, own = (pair.peer.address, PORT), (pair.own.address, 0)
            try:
                link = socket.create_connection(peer, self.left(), own)
                send_json(link, hello)
                theirs = receive_json(link)
            except OSError:
                time.sleep(0.05)
                continue
            if _agree(hello, theirs) and theirs.get("rank") == pair.peer.rank:
                self._keep(link, pair)
                return
            link.close()
            time.sleep(0.1)

    def _keep(self, link: socket.socket, pair: Pair) -> None:
        link.settimeout(None)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.fabric[(pair.own.rank, pair.peer.rank)] = link


def _agree(mine: Hello, theirs: object) -> bool:
    return isinstance(theirs, dict) and all(theirs.get(key) == mine[key] for key in ("table", "tls"))


def _report(missing: Sequence[Pair], seconds: int, site: Site, console: Console) -> None:
    """The lines of an EI0006, as CANN writes them."""
    first = missing[0].own.rank
    source = "hccl_socket_manager.cc"
    wait = f"wait socket establish timeout, role[0] rank[{first}] timeout[{seconds} s]"
    console.plog(f"{source}:816", f"[Wait][LinkEstablish]{wait}")
    console.plog(f"{source}:880", "[Wait][LinksEstablishCompleted] is failed. ret[9].")
    console.plog(f"{source}:642", " _________________________LINK_ERROR_INFO___________________________")
    for pair in missing:
        card = (site.cards or {}).get(pair.own.device_id)
        tls = "ENABLE" if card and card.tls else "DISABLE"
        role = "server" if pair.own.rank < pair.peer.rank else "client"
        ends = f"{pair.peer.address}({pair.peer.rank}) | {PORT} | {pair.own.address}({pair.own.rank}) | 0"
        console.plog(f"{source}:643", f" | comm error, device[{pair.own.device_id}]")
        columns = (
            "dest_ip(user_rank) | dest_port | src_ip(user_rank) | src_port | MyRole | Status | TlsStatus"
        )
        console.plog(f"{source}:645", f" | {columns} |")
        console.plog(f"{source}:599", f" | {ends} | {role} | time out | {tls} |")
    console.plog(f"{source}:855", "[Create][Sockets]Wait links establish completed failed, ret[9]")
    lines = f"EI0006: {wait}. The socket connection between the cards was not established in time."
    console.plog("topoinfo_exchange_server.cc:210", f" {lines}")
