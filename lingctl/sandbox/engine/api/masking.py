"""Paths in answers, without their first two folders.

Source: MindIE-LLM v3.0.0 src/utils/log/file_utils.cpp (GetSafeRelativePath); seen on the real 3.0.0.
"""

from __future__ import annotations

import re

_PATH = re.compile(r"/(?:[\w\-.]+/)*[\w\-.]+", re.ASCII)


def masked_path(path: str) -> str:
    """One path."""
    parts = [part for part in path.split("/") if part]
    return "/".join(["***", *(parts[2:] or parts[-1:])])


def masked(text: str) -> str:
    """A text with all its paths masked."""
    return _PATH.sub(lambda match: masked_path(match[0]), text)
