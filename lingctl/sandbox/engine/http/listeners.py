"""The daemon's listeners. Those with the same address and port are one.

Both versions look first whether a port can be had (see ports); of 1.0.0 no document says how.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path

from lingctl.sandbox.engine.http.http_api import ApiServer
from lingctl.sandbox.engine.http.ports import connections, in_the_way
from lingctl.sandbox.engine.machine.site import this_site
from lingctl.sandbox.engine.requests.service import Service
from lingctl.sandbox.engine.settings.address_rules import listened_on
from lingctl.sandbox.engine.settings.sections import Section

_ROLES = ("business", "management", "metrics")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One listener to be opened."""

    address: str
    port: int
    roles: frozenset[str]

    @property
    def first_role(self) -> str:
        """The role that names it in the log, and whose certificate it has."""
        return next(role for role in _ROLES if role in self.roles)


class ListenError(Exception):
    """A listener could not be opened.

    Attributes:
        wanted: those that could not; of occupied ports the first.
        occupied: the port is not free; otherwise the address is not this host's.
    """

    def __init__(self, wanted: Sequence[Wanted], *, occupied: bool) -> None:
        super().__init__(", ".join(f"{one.address}:{one.port}" for one in wanted))
        self.wanted, self.occupied = list(wanted), occupied


class Listeners:
    """The open listeners."""

    def __init__(self) -> None:
        self._open: list[tuple[Wanted, ThreadingHTTPServer]] = []

    def add(self, wanted: Wanted, listener: ThreadingHTTPServer) -> None:
        """One more, which answers from now on."""
        self._open.append((wanted, listener))
        threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def close(self, *, business: bool) -> None:
        """Close the ports; that of the business only if told, as it waits for its open requests."""
        for wanted, listener in self._open:
            if business or "business" not in wanted.roles:
                listener.shutdown()
                listener.server_close()
        self._open = [] if business else [one for one in self._open if "business" in one[0].roles]


def open_listeners(server: Section, service: Service, home: Path) -> Listeners:
    """Open and start the listeners, all or none.

    Raises:
        ListenError: a port is not free or an address is not this host's.
    """
    wanted = [Wanted(*place, frozenset(roles)) for place, roles in listened_on(server).items()]
    own = {one.address for one in wanted}
    scale, found = this_site().time_scale, list(connections())
    for one in wanted:
        if in_the_way(one.port, own, found, scale):
            raise ListenError([one], occupied=True)
    opened: list[tuple[Wanted, ApiServer]] = []
    failed: list[Wanted] = []
    for one in wanted:
        try:
            listener = ApiServer((one.address, one.port), one.roles, service, server["maxLinkNum"])
        except OSError:
            failed.append(one)
            continue
        opened.append((one, listener))
        if server["httpsEnabled"]:
            context = _tls_context(server, _TLS_NAMES[one.first_role], home)
            listener.socket = context.wrap_socket(
                listener.socket, server_side=True, do_handshake_on_connect=False
            )
    if failed:
        for _, listener in opened:
            listener.server_close()
        raise ListenError(failed, occupied=False)
    listeners = Listeners()
    for one, listener in opened:
        listeners.add(one, listener)
    return listeners


# Each listener's certificate, key and authorities; one that serves several uses the first one's.
_TLS_NAMES = {
    "business": ("tlsCert", "tlsPk", "tlsCaFile"),
    "management": ("managementTlsCert", "managementTlsPk", "managementTlsCaFile"),
    "metrics": ("metricsTlsCert", "metricsTlsPk", "metricsTlsCaFile"),
}


def _tls_context(server: Section, names: tuple[str, str, str], home: Path) -> ssl.SSLContext:
    """TLS 1.3, and no client without a certificate of the configured authorities.

    Source: MindIE-LLM src/server/endpoint/http_wrapper/http_ssl.cpp. 1.0.0 has no certificates of its own
    for metrics; the management ones are taken (inference).
    """
    if names[0] not in server:
        names = _TLS_NAMES["management"]
    certificate, key, authorities = names
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(home / server[certificate], home / server[key])
    for file in server[authorities]:
        context.load_verify_locations(home / f"{server['tlsCaPath']}{file}")
    return context
