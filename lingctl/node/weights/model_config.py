"""config.json and generation_config.json as they lie beside the weights."""

from __future__ import annotations

import json
import os
from typing import Dict, Optional, Tuple

from lingctl.node.files import kind_of, read_small
from lingctl.node.trouble import Trouble

_LARGEST_CONFIG = 1_000_000


def read_config(folder: str, name: str = "config.json") -> Tuple[Optional[Dict[str, object]], str]:
    """The file as an object and as text; None where it is missing, too large or no JSON object.

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
        config = json.loads(text)
    except (ValueError, RecursionError):
        return None, text
    return (config if isinstance(config, dict) else None), text
