"""The sections of hosts.yaml that name certificates: HTTPS of the service, TLS between the nodes."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from lingctl.inventory.sections import OneOrMore, Section


class Certificates(Section):
    """A certificate, its private key, and who may have signed those of the other side. PEM files here."""

    files_here: ClassVar[tuple[str, ...]] = ("cert", "key", "ca")
    cert: str = Field(min_length=1, description="Certificate file here.")
    key: str = Field(min_length=1, description="Its private key, not encrypted; readable by you alone.")
    ca: OneOrMore = Field(
        min_length=1, max_length=3, description="File or files of the authorities that the other side is of."
    )


class Https(Certificates):
    """HTTPS of the service. MindIE also asks its clients for a certificate.

    The first authority in ``ca`` is also the one by which lingctl knows the service's own certificate.
    """

    files_here = (*Certificates.files_here, "client_cert", "client_key")
    client_cert: str | None = Field(
        None, description="Certificate that lingctl shows to the service; needed for its own tests."
    )
    client_key: str | None = Field(None, description="Private key of client_cert.")
