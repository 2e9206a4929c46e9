"""What the program answers: as dataclasses, which whoever asks it reads its JSON as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple


@dataclass(frozen=True)
class Ready:
    """What a folder lacks, and whether there is room for it, in bytes; where it gives files to others."""

    folder: str
    missing_bytes: int
    need: int
    free: int
    enough: bool
    port: int = 0  # TCP, once it gives


@dataclass(frozen=True)
class Fetched:
    """A folder that is filled and proved."""

    folder: str
    files: int
    bytes: int
    fetched_files: int
    fetched_bytes: int
    replaced: Tuple[str, ...]
    kept: Tuple[str, ...]  # files that a deploy rewrote, left as they are
    digest: str  # of the weights
    companions_digest: str  # of what lies beside them
    seconds: float
