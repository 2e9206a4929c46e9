"""Patterns as OpenSSH's files use them: ``*``, ``?`` and nothing else, and lists in which ``!`` takes out."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable


def like(name: str, pattern: str) -> bool:
    """Whether a pattern matches a whole name; case counts."""
    return _compiled(pattern).fullmatch(name) is not None


def listed(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns matches and none that begins with ``!`` does."""
    found = False
    for pattern in patterns:
        if pattern.startswith("!"):
            if like(name, pattern[1:]):
                return False
        else:
            found = found or like(name, pattern)
    return found


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    words = {"*": ".*", "?": "."}
    return re.compile("".join(words.get(letter) or re.escape(letter) for letter in pattern), re.DOTALL)
