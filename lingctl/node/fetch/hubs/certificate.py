"""Who issued the certificate that a server shows: asked without believing it, so nothing is sent there."""

from __future__ import annotations

import functools
import http.client
import ssl
import urllib.request
from base64 import b64encode
from typing import Dict, Iterator, NamedTuple, Optional, Tuple
from urllib.parse import unquote, urlsplit

_SECONDS = 10.0
# Object identifiers of X.520, in DER: what a reader knows an authority by, best first.
_NAMES = {b"\x55\x04\x03": "CN", b"\x55\x04\x0a": "O", b"\x55\x04\x0b": "OU"}
_MOST = 120


@functools.lru_cache(maxsize=8)
def issuer_shown(host: str, port: int) -> str:
    """The issuer's name in the certificate that is shown for a host; empty where that cannot be learnt."""
    try:
        return issuer(_certificate(host, port) or b"")
    except (OSError, http.client.HTTPException, ValueError):
        return ""


def issuer(certificate: bytes) -> str:
    """The issuer's common name and organisation in a certificate, DER; empty where it cannot be read."""
    try:
        (_, whole), *_ = _elements(certificate)
        (_, inner), *_ = _elements(whole)
        fields = [field for field in _elements(inner) if field[0] != 0xA0]  # without the version
        found = dict(_attributes(fields[2][1]))
    except (IndexError, ValueError):
        return ""
    chosen = [found[name] for name in _NAMES.values() if found.get(name)]
    return ", ".join(dict.fromkeys(chosen[:2]))[:_MOST]


def _attributes(name: bytes) -> Iterator[Tuple[str, str]]:
    for _, pairs in _elements(name):
        for _, pair in _elements(pairs):
            (_, identifier), (kind, text), *_ = _elements(pair)
            if identifier in _NAMES:
                # Tag 30 is BMPString; all others that authorities use are read as UTF-8.
                yield _NAMES[identifier], text.decode("utf-16-be" if kind == 30 else "utf-8", "replace")


def _elements(data: bytes) -> Iterator[Tuple[int, bytes]]:
    """Tag and content of each element of DER."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, at = int.from_bytes(data[at : at + count], "big"), at + count
        if at + length > len(data):
            raise ValueError("an element is longer than what holds it")
        yield tag, data[at : at + length]
        at += length


def _certificate(host: str, port: int) -> Optional[bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Only looked at: nothing is sent over this connection.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    way = proxy_for("https", host)
    if way is None:
        connection = http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)
    else:
        connection = http.client.HTTPSConnection(way.host, way.port, timeout=_SECONDS, context=context)
        connection.set_tunnel(host, port, headers=way.headers)
    try:
        connection.connect()
        shown = connection.sock.getpeercert(binary_form=True)
        return shown if isinstance(shown, bytes) else None
    finally:
        connection.close()


class Proxy(NamedTuple):
    """A proxy on the way."""

    host: str  # its name
    port: int  # TCP
    headers: Dict[str, str]  # its login, if it has one. A secret.

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def proxy_for(scheme: str, host: str) -> Optional[Proxy]:
    """The proxy that the environment names for a host; None for the straight way."""
    address = urllib.request.getproxies().get(scheme, "")
    if not address or urllib.request.proxy_bypass(host):
        return None
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    headers = {"Proxy-Authorization": f"Basic {b64encode(login.encode()).decode()}"} if parts.username else {}
    return Proxy(parts.hostname or "", port, headers)
