"""What every source of files can do; ``worker.source_of`` finds the one that a request means."""

from __future__ import annotations

from typing import Callable, List, NamedTuple, Optional, Protocol, Tuple

from lingctl.node.fetch.listing import ListedFile
from lingctl.node.fetch.place import Place
from lingctl.node.trouble import Trouble

# Path and bytes of it that are here, counted from its beginning.
OnProgress = Callable[[str, int], None]
# A file is whole in the staging folder; its SHA-256 where the source has it.
OnArrival = Callable[[ListedFile, Optional[str]], None]


class NotFetched(NamedTuple):
    """One file, or with an empty path the whole source, that did not come."""

    path: str  # of the file
    trouble: Trouble  # why
    again: bool  # whether another try may help
    after: float = 0.0  # seconds that the source asks to wait before it


class Source(Protocol):
    """Where files come from."""

    def listing(self) -> Tuple[ListedFile, ...]:
        """What it holds. Raises Trouble: it cannot be reached, or its list cannot be trusted."""

    def fetch(
        self, files: Tuple[ListedFile, ...], place: Place, progress: OnProgress, arrived: OnArrival
    ) -> List[NotFetched]:
        """Bring files into the staging folder, going on from what is there; tells what did not come."""
