"""Ids of releases that this machine has seen, by cluster: what completion can offer without asking a node."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lingctl.errors import LingctlError
from lingctl.flows.run.whole_file import write_file
from lingctl.inventory.given_file import read_bounded

_MOST_BYTES = 1 << 16
_MOST = 100
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def _file(cluster: str) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "lingctl" / "releases" / cluster


def keep_releases(cluster: str, ids: Sequence[str]) -> None:
    """Remember what a cluster's nodes have just listed; where that cannot be written, nothing is lost."""
    with suppress(OSError, LingctlError, RuntimeError):
        file = _file(cluster)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_file(file, "\n".join(ids[:_MOST]).encode())


def releases_seen(cluster: str) -> list[str]:
    """Ids that were listed last, newest first; none where nothing was, or it cannot be read."""
    if not _NAME.fullmatch(cluster):
        return []
    with suppress(OSError, RuntimeError, UnicodeDecodeError):
        return read_bounded(_file(cluster), _MOST_BYTES).decode().split()
    return []
