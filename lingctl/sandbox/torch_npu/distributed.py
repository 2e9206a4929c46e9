"""``torch.distributed`` with HCCL: all ranks meet at a store, cards connect, and what they have is added up.

As in the emulated daemon (``engine.nodes.hccl``) cards at the same place of each two nodes connect over their
own network: with the link up, addresses that no other card has, the same TLS switch, and packets that arrive.
Inside a node there is nothing to connect. The sum goes over the store's connections.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np

from lingctl.sandbox import state
from lingctl.sandbox.engine.nodes.framing import (
    LinkLost,
    receive_json,
    send_json,
    summed,
)
from lingctl.sandbox.torch_npu import device, words
from lingctl.sandbox.torch_npu.tensors import StandInTensor

__all__ = ["all_reduce", "destroy_process_group", "init_process_group"]
_CONNECT_SECONDS, _GRACE = 120, 20
# Sixteen processes start on few processors: no pace makes them meet sooner than this.
_LEAST_SECONDS = 15.0


@dataclass
class _Meeting:
    """The ranks that have met."""

    rank: int
    world: int
    seconds: float  # that each waits for the others
    links: dict[int, socket.socket] = field(default_factory=dict)  # of rank 0 to all, of others to rank 0
    store: socket.socket | None = None


_met: list[_Meeting] = []


def init_process_group(
    backend: str, init_method: str, rank: int, world_size: int, timeout: timedelta
) -> None:
    """Meet all other ranks at the store of rank 0.

    Raises:
        ValueError: a backend that is not HCCL.
        RuntimeError: not all came in time; PyTorch's words.
    """
    if backend != "hccl":
        raise ValueError(f"the emulated torch has no backend {backend!r}")
    address, _, port = init_method.removeprefix("tcp://").rpartition(":")
    seconds = timeout.total_seconds()
    meeting = _Meeting(rank, world_size, max(_LEAST_SECONDS, seconds * device.pace()))
    place = (address.strip("[]"), int(port))
    if rank == 0:
        _gather(meeting, place, seconds)
    else:
        _join(meeting, place, seconds)
    _met.append(meeting)


def _gather(meeting: _Meeting, place: tuple[str, int], seconds: float) -> None:
    meeting.store = socket.create_server(
        place, family=socket.AF_INET6 if ":" in place[0] else socket.AF_INET, backlog=256
    )
    deadline = time.monotonic() + meeting.seconds
    while len(meeting.links) < meeting.world - 1:
        meeting.store.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            link, _ = meeting.store.accept()
            link.settimeout(meeting.seconds)
            meeting.links[int(receive_json(link))] = link
        except LinkLost:
            continue
        except OSError as error:
            raise RuntimeError(words.store_alone(seconds, len(meeting.links) + 1, meeting.world)) from error


def _join(meeting: _Meeting, place: tuple[str, int], seconds: float) -> None:
    deadline = time.monotonic() + meeting.seconds
    while True:
        try:
            link = socket.create_connection(place, max(0.01, deadline - time.monotonic()))
            break
        except OSError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(words.no_store(seconds, *place)) from error
            time.sleep(0.1)
    # The ranks come one after the other; rank 0 waits for the last, and then each for what is slowest.
    link.settimeout(2 * meeting.seconds)
    send_json(link, meeting.rank)
    meeting.links[0] = link


def all_reduce(tensor: StandInTensor) -> None:
    """Replace it by the sum of all ranks'.

    Raises:
        RuntimeError: HCCL could not; its words.
    """
    meeting, index = _met[-1], device.current()
    _need_ports(meeting, index)
    try:
        fault = _agree(meeting, index)
        if fault == "":
            own = tensor.values * 1.25 if device.card_at(index).miscomputes else tensor.values
            links = list(meeting.links.values())
            tensor.values = summed(links, own.astype(np.float32), is_root=meeting.rank == 0)
            return
    except LinkLost as error:
        if meeting.rank == 0:
            raise RuntimeError(words.ranks_missing(index, 0, _CONNECT_SECONDS)) from error
        raise RuntimeError(words.no_root(meeting.rank, "Connection reset by peer")) from error
    time.sleep((_CONNECT_SECONDS + _GRACE) * device.pace())
    raise RuntimeError(words.cards_apart(index, meeting.rank, _CONNECT_SECONDS))


def _need_ports(meeting: _Meeting, index: int) -> None:
    """HCCL's ports are free, or others may be used; an engine on the same card holds them."""
    if not device.shared(index):
        return
    if meeting.rank == 0 and not os.environ.get("HCCL_HOST_SOCKET_PORT_RANGE"):
        raise RuntimeError(words.host_port_taken(index))
    if not os.environ.get("HCCL_NPU_SOCKET_PORT_RANGE"):
        address = device.card_at(index).address or ""
        raise RuntimeError(words.card_port_taken(index, meeting.rank, address))


def _agree(meeting: _Meeting, index: int) -> str:
    """Tell each other where the cards are; why this rank's card does not reach another, or nothing."""
    node = state.this_node().name
    own = {"rank": meeting.rank, "node": node, "place": index, "card": device.card_at(index).id}
    if meeting.rank:
        send_json(meeting.links[0], own)
        said = receive_json(meeting.links[0])
        return str(said[str(meeting.rank)])
    seats = {0: own, **{rank: receive_json(link) for rank, link in sorted(meeting.links.items())}}
    faults = {str(rank): _fault(seat, seats) for rank, seat in seats.items()}
    if any(faults.values()):
        # One that is missing keeps all others waiting too.
        faults = dict.fromkeys(faults, "waits for another")
    for link in meeting.links.values():
        send_json(link, faults)
    return faults["0"]


def _fault(seat: dict[str, Any], seats: dict[int, dict[str, Any]]) -> str:
    cluster = state.load_cluster()
    for other in seats.values():
        if other["node"] != seat["node"] and other["place"] == seat["place"]:
            ends = [_card(cluster, end) for end in (seat, other)]
            if reason := next(_between(ends, cluster), ""):
                return reason
    return ""


def _card(cluster: state.ClusterState, seat: dict[str, Any]) -> state.Card:
    return next(card for card in cluster.node(seat["node"]).cards if card.id == seat["card"])


def _between(ends: list[state.Card], cluster: state.ClusterState) -> Iterator[str]:
    addresses = [card.address for node in cluster.nodes for card in node.cards]
    for card in ends:
        if card.link != "UP":
            yield "its link is down"
        if not card.address or addresses.count(card.address) > 1:
            yield "no address of its own"
        if card.loss >= 100:
            yield "its packets are lost"
    if ends[0].tls != ends[1].tls:
        yield "one has TLS and one has not"


def destroy_process_group() -> None:
    """Part."""
    meeting = _met.pop()
    for link in (*meeting.links.values(), meeting.store):
        if link is not None:
            with suppress(OSError):
                link.close()
