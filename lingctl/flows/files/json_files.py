"""JSON files that a user names, read as MindIE reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lingctl.errors import ConfigurationError
from lingctl.inventory.given_file import read_given
from lingctl.mindie.rules.check import parse_document


def read_document(path: Path) -> dict[str, Any]:
    """A JSON file as MindIE reads it. Raises ConfigurationError: it is not there, or not JSON."""
    try:
        # MindIE itself refuses more than 10 MB.
        text = read_given(path, 10 << 20, code="file-unreadable").decode()
    except FileNotFoundError as error:
        raise ConfigurationError(
            "cannot be read: there is no such file", where=str(path), code="file-unreadable"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            "is not UTF-8 text",
            where=str(path),
            remedy="save it as UTF-8, the one encoding that MindIE reads",
            code="config-json",
        ) from error
    try:
        return parse_document(text)
    except ConfigurationError as error:
        raise error.but(where=str(path)) from error
