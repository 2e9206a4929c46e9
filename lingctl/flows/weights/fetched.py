"""What the node program answers of a download, where that is not whole in ``node.fetch.answers``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lingctl.node.fetch.listing import ListedFile, read_listing
from lingctl.program.translate import troubles_as_errors


@dataclass(frozen=True, slots=True)
class Listing:
    """Files of a source, as a node lists them."""

    files: list[Any]

    def wanted(self, node: str) -> tuple[ListedFile, ...]:
        """The same once they are proved fit to be written.

        Raises:
            WeightsError: the list is empty, or an entry cannot be trusted.
        """
        with troubles_as_errors():
            return read_listing(self.files, node)


@dataclass(frozen=True, slots=True)
class WholeFolder(Listing):
    """Files of a whole folder of weights, and their digest."""

    digest: str


@dataclass(frozen=True, slots=True)
class ListeningPort:
    """Where files are given or awaited."""

    port: int


@dataclass(frozen=True, slots=True)
class StoppedProgram:
    """Whether something ran that is ended now."""

    stopped: bool
