"""config.json and generation_config.json as they lie beside the weights."""

from __future__ import annotations

import os
from typing import Collection, Dict, List, Optional, Tuple

from lingctl.node.files import kind_of, read_small
from lingctl.node.foreign_json import foreign_json
from lingctl.node.trouble import Trouble

_LARGEST_CONFIG = 1_000_000
# Published ones have three levels. It is passed on as JSON to a Python that may follow less far.
_DEEPEST = 100


def read_config(folder: str, name: str = "config.json") -> Tuple[Optional[Dict[str, object]], str]:
    """The file as an object and as text; None where it is missing, too large or deep, or no JSON object.

    Raises:
        OSError: it cannot be read: that is no absence.
    """
    path = os.path.join(folder, name)
    if kind_of(path) == "absent":
        return None, ""
    try:
        text = read_small(path, _LARGEST_CONFIG).decode("utf-8", "replace")
    except Trouble:
        return None, ""
    try:
        config = foreign_json(text)
    except ValueError:
        return None, text
    return (config if isinstance(config, dict) and not _too_deep(config) else None), text


def _too_deep(value: object) -> bool:
    level: List[object] = [value]
    for _ in range(_DEEPEST):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return False
    return True


def _inside(value: object) -> Collection[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
