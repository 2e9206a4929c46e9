"""The catalogue of codes: what each means, what to do, and the page that says more.

What to do there is what an error says that knows no better. Codes of hubs stand where nodes read them, and
are in the whole of them that ``explain`` knows.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class CodeEntry:
    """One code."""

    code: str
    subject: str  # title of its part of the reference
    meaning: str  # one clause or two
    remedy: str
    page: str  # below docs/
    accepted: bool = False  # whether `deploy --accept` takes it: the name of a check before a start


@cache
def written_entries() -> Mapping[str, CodeEntry]:
    """The codes of the files here, by name, in the order of the subjects."""
    found: dict[str, CodeEntry] = {}
    for path in sorted(_FOLDER.glob("*.toml")):
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        for code, texts in document.items():
            if isinstance(texts, dict):
                found[code] = CodeEntry(
                    code,
                    document["title"],
                    texts["means"],
                    texts["remedy"],
                    texts.get("page", document["page"]),
                    texts.get("accept", document.get("accept", False)),
                )
    return found


def usual_remedy(code: str) -> str:
    """What to do about a code; empty where it stands in no file."""
    entry = written_entries().get(code)
    return entry.remedy if entry else ""


def check_names() -> tuple[str, ...]:
    """Names of the checks before a start, as ``deploy --accept`` takes them."""
    return tuple(entry.code for entry in written_entries().values() if entry.accepted)
