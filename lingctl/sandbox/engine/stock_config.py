"""The config.json that each version is shipped with.

Values: the published 3.0.0 file, and for 1.0.0 the published Ling file with the stock model's fields
as seen in transcripts of the image.
"""

from __future__ import annotations

from pathlib import Path

_STOCK = Path(__file__).resolve().parent / "stock"


def stock_config(version: str) -> str:
    """The text of the version's config.json."""
    return (_STOCK / f"config-{version}.json").read_text()
