"""Whose certificates are believed on the way to a hub: one file for the clients of both hubs.

Each library looks elsewhere: requests (ModelScope) at ``REQUESTS_CA_BUNDLE`` and else at certifi, httpx
(Hugging Face) at ``SSL_CERT_FILE`` and else at certifi or the system. A company whose proxy opens TLS puts
its authority into one of these places, and the other client fails. So all are read, and both get the same.
"""

from __future__ import annotations

import contextlib
import os
import re
import ssl
from typing import Dict, List, Mapping, Tuple

from lingctl.node.files import read_small, write_whole
from lingctl.node.trouble import Trouble

# What the libraries and OpenSSL read; what is named here stands in the place of all that follows.
VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
# Where Linux distributions keep the authorities of the machine.
_OF_SYSTEM = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
)
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
# The authorities of a whole system are 300 KB.
_MOST_BYTES = 8 << 20


def authorities(environment: Mapping[str, str], more: str) -> bytes:
    """All authorities that count here, PEM: those the environment names, else the usual ones; and ``more``.

    Args:
        environment: where the variables are looked up.
        more: those of hosts.yaml, PEM.

    Raises:
        Trouble: a variable names what cannot be read.
    """
    named = [(name, environment[name]) for name in VARIABLES if environment.get(name)]
    found = [_certificates(_places(name, value), f"{name}={value}") for name, value in named] or [_usual()]
    unique: Dict[bytes, None] = {}
    for pem in (*found, more.encode()):
        unique.update(dict.fromkeys(_PEM.findall(pem)))
    return b"\n".join(unique) + b"\n"


def trust(path: str, more: str) -> None:
    """Write ``authorities`` to a file, and have every client that is started from here believe these.

    Raises:
        Trouble: a variable names what cannot be read.
    """
    write_whole(path, authorities(os.environ, more), sync=False)
    given = bool(more) or any(os.environ.get(name) for name in VARIABLES)
    for name in VARIABLES:
        os.environ.pop(name, None)
    os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = path
    if given:
        # Hugging Face's faster way is a library of its own, with authorities of its own.
        os.environ["HF_HUB_DISABLE_XET"] = "1"


def _usual() -> bytes:
    paths = [path for path in _OF_SYSTEM if os.path.isfile(path)][:1]
    default = ssl.get_default_verify_paths().cafile
    if default:
        paths.append(default)
    try:
        import certifi

        contents = [certifi.contents().encode()]
    except ImportError:
        contents = []
    return b"\n".join([*contents, *(_certificates([path], path) for path in paths)])


def _places(name: str, value: str) -> List[str]:
    """What a variable names; of several folders OpenSSL passes over those that are not there, so do we."""
    places = value.split(os.pathsep) if name == "SSL_CERT_DIR" else [value]
    return [place for place in places if os.path.isdir(place)] or places


def _certificates(places: List[str], named: str) -> bytes:
    pem, what = b"", "holds no certificate"
    try:
        pem = b"\n".join(map(_content, places))
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
    except Trouble as trouble:
        what = trouble.what
    if not _PEM.search(pem):
        raise Trouble(
            f"{named}: this file of authorities {what}",
            code="hub-ca-file",
        )
    return pem


def _content(place: str) -> bytes:
    if not os.path.isdir(place):
        return read_small(place, _MOST_BYTES)
    found: List[bytes] = []
    for name in sorted(os.listdir(place)):
        # Beside certificates, other things may lie there: folders, keys that root alone may read.
        with contextlib.suppress(OSError, Trouble):
            found.append(read_small(os.path.join(place, name), _MOST_BYTES))
    return b"\n".join(found)


def pem_of(content: bytes) -> Tuple[bytes, ...]:
    """The certificates of a file, PEM, be it PEM or DER; each proved to be readable.

    Raises:
        ValueError: there is none, or one cannot be read.
    """
    found = tuple(_PEM.findall(content))
    if not found and content[:1] == b"\x30":
        found = (ssl.DER_cert_to_PEM_cert(content).encode(),)
    if not found:
        raise ValueError("it holds no certificate")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=b"\n".join(found).decode())
    except ssl.SSLError as error:
        raise ValueError(f"a certificate in it cannot be read: {error.reason or error}") from None
    return found
