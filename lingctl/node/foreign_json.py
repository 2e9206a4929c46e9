"""JSON that somebody else wrote: what is no JSON, or too deep to be read, is one error."""

from __future__ import annotations

import json
from typing import Any, Union


def foreign_json(text: Union[str, bytes, bytearray]) -> Any:  # noqa: ANN401  (nothing is known of it yet)
    """What a JSON text says. Raises ValueError: it is not JSON, or nested deeper than Python reads."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
