"""JSON for programs: one document on standard output, with its kind and version."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from lingctl.output.screen.harmless import json_text
from lingctl.output.screen.terminal import answer_file

DOCUMENT_VERSION = 1
_printed = False


def document(kind: str, content: Mapping[str, object]) -> dict[str, object]:
    """The document that ``print_json`` prints."""
    return {"document": kind, "version": DOCUMENT_VERSION, **content}


def print_json(kind: str, content: Mapping[str, object]) -> None:
    """Print one document and nothing else; all of it, or, where it cannot be made, nothing."""
    global _printed
    answer_file(json_text(document(kind, content)))
    _printed = True


def document_printed() -> bool:
    """Whether the one document of this command is printed: what fails behind it is told to people alone."""
    return _printed


def print_json_line(kind: str, content: Mapping[str, object]) -> None:
    """Print one of many documents, in a line of its own, at once."""
    answer_file(json_text(document(kind, content), indent=None))
    sys.stdout.flush()
