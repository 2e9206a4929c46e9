"""The sections of hosts.yaml that name certificates: HTTPS of the service, TLS between the nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, field_validator

from lingctl.inventory.given_file import with_home
from lingctl.inventory.sections import Section, one_or_more


class Certificates(Section):
    """A certificate, its private key, and who may have signed those of the other side. PEM files here."""

    cert: str = Field(min_length=1, description="Certificate file here.")
    key: str = Field(min_length=1, description="Its private key, not encrypted; readable by you alone.")
    ca: tuple[str, ...] = Field(
        min_length=1, max_length=3, description="File or files of the authorities that the other side is of."
    )

    @field_validator("ca", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        return one_or_more(value)

    def anchored(self, folder: Path) -> Self:
        """The same, with paths that are relative to ``folder``."""
        return self.model_copy(update=self._anchored(folder))

    def _anchored(self, folder: Path) -> dict[str, object]:
        def place(name: str) -> str:
            return str(folder / with_home(name))

        return {
            "cert": place(self.cert),
            "key": place(self.key),
            "ca": tuple(place(name) for name in self.ca),
        }


class Https(Certificates):
    """HTTPS of the service. MindIE also asks its clients for a certificate.

    The first authority in ``ca`` is also the one by which lingctl knows the service's own certificate.
    """

    client_cert: str | None = Field(
        None, description="Certificate that lingctl shows to the service; needed for its own tests."
    )
    client_key: str | None = Field(None, description="Private key of client_cert.")

    def _anchored(self, folder: Path) -> dict[str, object]:
        given = {"client_cert": self.client_cert, "client_key": self.client_key}
        client = {name: str(folder / with_home(path)) for name, path in given.items() if path}
        return super()._anchored(folder) | client
