"""Numbers in what a node says."""

from __future__ import annotations

import re

_WHOLE = re.compile(r"[0-9]{1,18}")


def whole_number(word: str) -> int | None:
    """The number that a word is, in at most 18 ASCII digits; None for any other word."""
    return int(word) if _WHOLE.fullmatch(word) else None
