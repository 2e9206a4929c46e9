"""The daemon's listeners. Those with the same address and port are one.

3.0.0 also tries each port on all of the machine's addresses before; the emulated nodes share one machine, so
only a node's own address is tried.
"""

from __future__ import annotations

import os
import ssl
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

from lingctl.sandbox.engine.http_api import ApiServer
from lingctl.sandbox.engine.server_config import Section
from lingctl.sandbox.engine.service import Service


class ListenError(Exception):
    """A listener could not be opened."""

    def __init__(self, address: str, port: int) -> None:
        super().__init__(f"{address}:{port}")
        self.address, self.port = address, port


def open_listeners(server: Section, service: Service, home: Path) -> list[ThreadingHTTPServer]:
    """Open and start the listeners.

    Raises:
        ListenError: a port is taken or an address is not this host's.
    """
    business = os.environ.get("MIES_CONTAINER_IP") or server["ipAddress"]
    management = (
        os.environ.get("MIES_CONTAINER_MANAGEMENT_IP") or server.get("managementIpAddress") or business
    )
    port = server["port"]
    roles: dict[tuple[str, int], set[str]] = {}
    roles.setdefault((business, port), set()).add("business")
    roles.setdefault((management, server.get("managementPort", port)), set()).add("management")
    roles.setdefault((management, server.get("metricsPort", port)), set()).add("metrics")
    opened: list[ThreadingHTTPServer] = []
    for address, names in roles.items():
        try:
            listener = ApiServer(address, frozenset(names), service, server["maxLinkNum"])
        except OSError:
            for other in opened:
                other.server_close()
            raise ListenError(*address) from None
        if server["httpsEnabled"]:
            context = _tls_context(server, _TLS_NAMES[_first_role(names)], home)
            listener.socket = context.wrap_socket(
                listener.socket, server_side=True, do_handshake_on_connect=False
            )
        opened.append(listener)
    for running in opened:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    return opened


# Each listener's certificate, key and authorities; one that serves several uses the first one's.
_TLS_NAMES = {
    "business": ("tlsCert", "tlsPk", "tlsCaFile"),
    "management": ("managementTlsCert", "managementTlsPk", "managementTlsCaFile"),
    "metrics": ("metricsTlsCert", "metricsTlsPk", "metricsTlsCaFile"),
}


def _first_role(names: set[str]) -> str:
    return next(role for role in _TLS_NAMES if role in names)


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
