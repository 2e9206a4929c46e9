"""Finding the way to a service: directly, or through a tunnel where its ports are closed to this machine."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager

from lingctl.inventory.cluster import Cluster
from lingctl.remote.connection import CanForward
from lingctl.remote.group import Group
from lingctl.serving.endpoint import Address, Endpoint, address_of
from lingctl.serving.http.client import Client
from lingctl.serving.http.exchange import HostPort, Limits

_KNOCK_SECONDS = 3.0

Forward = Callable[[str, int], AbstractContextManager[HostPort]]
"""Begins a tunnel to host and port as the node sees them; entered, it is there, and yields its local end."""


def forward_to(group: Group, cluster: Cluster) -> Forward | None:
    """The way to open tunnels to the primary, where its connection has one."""
    connection = group.connections.get(cluster.primary.name)
    return connection.forward if isinstance(connection, CanForward) else None


@contextmanager
def client_for(
    endpoint: Endpoint, forward: Forward | None = None, limits: Limits | None = None
) -> Iterator[Client]:
    """A client of an endpoint, through tunnels for those of its places that cannot be reached from here."""
    urls = (endpoint.service_url, endpoint.management_url)
    addresses = {address.place: address for url in urls if url and (address := address_of(url))}
    with ExitStack() as tunnels:
        # All are begun before one is waited for.
        ways = {place: forward(*place) for place in _closed_from_here(addresses)} if forward else {}
        routes = {place: tunnels.enter_context(way) for place, way in ways.items()}
        yield Client(endpoint, routes, limits or Limits())


def _closed_from_here(addresses: Mapping[HostPort, Address]) -> list[HostPort]:
    """Those of some places that cannot be reached from here; they are tried at once."""
    with ThreadPoolExecutor(max(1, len(addresses))) as knocks:
        found = dict(zip(addresses, knocks.map(_open_from_here, addresses.values()), strict=True))
    return [place for place, there in found.items() if not there]


def _open_from_here(address: Address) -> bool:
    # Where there is a tunnel the service is elsewhere, so its loopback is not ours.
    if address.is_loopback:
        return False
    try:
        with socket.create_connection(address.place, _KNOCK_SECONDS):
            return True
    except OSError:
        return False
