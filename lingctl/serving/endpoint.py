"""Where a service answers and how to talk to it."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from lingctl.engines import engine_of
from lingctl.errors import UsageError
from lingctl.inventory.cluster import Cluster
from lingctl.paths import is_file

API_KEY_VARIABLE = "LINGCTL_API_KEY"
DEFAULT_URL = "http://127.0.0.1:1025"
# Where the Ling files put MindIE's management listener on a single machine.
DEFAULT_MANAGEMENT_URL = "http://127.0.0.2:1026"


_PORTS = {"http": 80, "https": 443}
_ASKED_AT = re.compile(r"/(chat/completions|completions|models)$")
_PATH = re.compile("[!-~]*")  # what may stand in the first line of a request
_VERSION = re.compile(r"(?<=[^/])/(v[0-9]{1,2})$")


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed base URL."""

    scheme: str
    host: str
    port: int
    prefix: str

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port

    @property
    def in_header(self) -> str:
        """As the header ``Host`` names it, where the zone of an address means nothing (RFC 6874, 4)."""
        host = self.host.partition("%")[0] if ":" in self.host else self.host
        host = _in_url(host if host.isascii() else host.encode("idna").decode())
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only the machine itself can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Files for HTTPS. MindIE answers no client without a certificate of an authority that it knows
    (source: MindIE-LLM 3.0.0 src/server/endpoint/http_wrapper/http_ssl.cpp).
    """

    ca: Path | None = None  # authority that signed the service's certificate; the system's own where None
    certificate: Path | None = None  # the client's, to show to the service
    key: Path | None = None  # its private key; in the certificate's file where None

    def check(self) -> None:
        """See that the files are there. Raises UsageError: one is not, or a key has no certificate."""
        for option, path in (("--ca", self.ca), ("--cert", self.certificate), ("--key", self.key)):
            if path is not None and not is_file(path):
                raise UsageError(f"no such file: {path}", where=option, code="tls-file-missing")
        if self.key and not self.certificate:
            raise UsageError("--key needs --cert", code="tls-key-alone")


NO_TLS_FILES = TlsFiles()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A service."""

    service_url: str  # base URL of the inference API, without its version
    # base URL of MindIE's health API; empty for a service that is not known to be MindIE, and is asked as
    # OpenAI-compatible ones are
    management_url: str = ""
    served_name: str = ""  # the model's name in requests; empty to take the first one listed
    # sent as a bearer token; from the environment only, never shown
    api_key: str = field(default="", repr=False)
    tls: TlsFiles = NO_TLS_FILES  # files for HTTPS
    version: str = "v1"  # the API's, in its paths; ``v1`` but for a few gateways
    deployed: bool = False  # whether lingctl deployed it, and hosts.yaml describes it

    def path_of(self, path: str) -> str:
        """A path of the OpenAI API, as this service has it."""
        return f"/{self.version}{path.removeprefix('/v1')}" if path.startswith("/v1/") else path

    def with_name(self, served_name: str) -> Endpoint:
        """The same service, with the name of its model."""
        return replace(self, served_name=served_name)


def endpoint_of(cluster: Cluster, *, tls: TlsFiles = NO_TLS_FILES) -> Endpoint:
    """The endpoint of a cluster: its primary's service address and ports.

    HTTPS where hosts.yaml has it or a CA is given, which wins.

    Raises:
        UsageError: a TLS file is not there, or the key cannot be sent.
    """
    if tls == NO_TLS_FILES:
        tls = _tls_files(cluster)
    tls.check()
    host = _in_url(cluster.primary.service_address)
    scheme = "https" if tls.ca else "http"
    management = f"{scheme}://{host}:{cluster.serving.management_port}"
    return Endpoint(
        service_url=f"{scheme}://{host}:{cluster.serving.port}",
        management_url=management if engine_of(cluster).http.management else "",
        served_name=cluster.serving.served_name,
        api_key=_api_key(),
        tls=tls,
        deployed=True,
    )


def endpoint_at(url: str, *, served_name: str = "", tls: TlsFiles = NO_TLS_FILES) -> Endpoint:
    """The endpoint of any OpenAI-compatible service.

    A base path is kept, a trailing ``/v1`` may be given or not, and so may a whole path to ask at.

    Raises:
        UsageError: not an http(s) URL, a TLS file that is not there, or a key that cannot be sent.
    """
    base = _ASKED_AT.sub("", url.rstrip("/"))
    versioned = _VERSION.search(base)
    base = base[: versioned.start()] if versioned else base
    address_of(base)
    tls.check()
    management = DEFAULT_MANAGEMENT_URL if base == DEFAULT_URL else ""
    version = versioned[1] if versioned else "v1"
    return Endpoint(base, management, served_name, _api_key(), tls, version)


def address_of(url: str) -> Address:
    """Parse a base URL.

    Raises:
        UsageError: not an http(s) URL, or one with user, password or query, which would be shown and logged.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _bad_url(url) from error
    if parts.scheme not in _PORTS or not parts.hostname or not _PATH.fullmatch(parts.path):
        raise _bad_url(url)
    try:
        parts.hostname.encode("idna")
    except UnicodeError as error:
        raise _bad_url(url) from error
    if parts.username or parts.password:
        raise UsageError(
            "the URL holds a user or a password",
            remedy=f"put the key into the environment: {API_KEY_VARIABLE}",
            code="url-secret",
        )
    if parts.query or parts.fragment:
        # Not quoted: some gateways take a key there.
        raise UsageError(
            "the URL has more behind its path (a ? or #)",
            remedy=f"write the URL up to there; a key goes into the environment: {API_KEY_VARIABLE}",
            code="url-secret",
        )
    return Address(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], parts.path.rstrip("/"))


def _bad_url(url: str) -> UsageError:
    # What stands before an @ may be a password.
    said = "the URL" if "@" in url else repr(url)
    return UsageError(f"{said} is not an http or https URL", remedy=f"for example: {DEFAULT_URL}", code="url")


def _api_key() -> str:
    key = os.environ.get(API_KEY_VARIABLE, "").strip()
    if not (key.isascii() and key.isprintable()):
        # Not quoted: it is a secret.
        raise UsageError(f"{API_KEY_VARIABLE} holds characters that cannot be in a header", code="api-key")
    return key


def _tls_files(cluster: Cluster) -> TlsFiles:
    if cluster.https is None:
        return NO_TLS_FILES
    certificate, key = cluster.https.client_cert, cluster.https.client_key
    return TlsFiles(
        Path(cluster.https.ca[0]), Path(certificate) if certificate else None, Path(key) if key else None
    )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
