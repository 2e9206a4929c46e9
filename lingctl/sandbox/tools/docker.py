"""The emulated docker command line."""

from __future__ import annotations

from collections.abc import Sequence

from lingctl.sandbox.docker.commands.command_line import main

__all__ = ["main", "only_looks"]
_LOOKS = frozenset({"version", "info", "inspect", "images", "ps"})
_LOOKS_OF = frozenset({"inspect", "ls"})


def only_looks(words: Sequence[str]) -> bool:
    """Whether a call neither waits nor changes anything; an exec waits, and becomes another program."""
    if words[:1] in (["image"], ["container"]):
        return bool(_LOOKS_OF.intersection(words[1:2]))
    return bool(_LOOKS.intersection(words[:1]))
