"""What of a log of any length is worth reading, chosen as ``shell/daemon/first_of_each.sh`` does. Pure."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence

from lingctl.engine.logs import Console

_DIGITS = re.compile(r"[0-9]+")
_AROUND = 2
_LONGEST_LINE = 1000
_LONGEST_KEY = 200
_MOST_CHARACTERS = 400_000


def first_of_each(lines: Iterable[str], consoles: Sequence[Console]) -> str:
    """The first lines of each kind that may tell why a start failed, with those around; of whichever engine.

    What differs in nothing but numbers is the same.
    """
    telling = re.compile("|".join(one.telling for one in consoles))
    requests = re.compile("|".join(one.requests for one in consoles))
    kept: list[str] = []
    seen: set[str] = set()
    before: deque[str] = deque(maxlen=_AROUND)
    behind = size = 0
    for line in lines:
        line = line[:_LONGEST_LINE]
        new = False
        if telling.search(line):
            if requests.search(line):
                continue
            key = _DIGITS.sub("#", line[:_LONGEST_KEY])
            new = key not in seen
            seen.add(key)
        if new or behind:
            kept += [*before, line]
            size += len(line) + sum(len(one) for one in before)
            before.clear()
            behind = _AROUND if new else behind - 1
            if size > _MOST_CHARACTERS:
                break
        else:
            before.append(line)
    return "\n".join(kept)
