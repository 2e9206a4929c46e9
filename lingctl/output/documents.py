"""JSON for programs: one document on standard output, with its kind and version."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

DOCUMENT_VERSION = 1


def document(kind: str, content: Mapping[str, object]) -> dict[str, object]:
    """The document that ``print_json`` prints."""
    return {"document": kind, "version": DOCUMENT_VERSION, **content}


def print_json(kind: str, content: Mapping[str, object]) -> None:
    """Print one document and nothing else."""
    json.dump(document(kind, content), sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")
