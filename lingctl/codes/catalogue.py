"""The catalogue of codes: what each means, what to do, and the page that says more."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lingctl.node.fetch.hubs.words import WORDS as HUB_WORDS

_FOLDER = Path(__file__).parent
_HUB_SUBJECT, _HUB_PAGE = "Weights and their download", "how-to/weights.md"
# Codes that are made of another one's name: where the end of a change is a check's, or a rung's, verdict.
PREFIXES: Mapping[str, str] = {
    "check-": "the change was stopped by a check",
    "smoke-": "the service runs, and this fails",
}
_ACCEPT = "or, if you know better: lingctl deploy --accept {name}"


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
def code_entries() -> Mapping[str, CodeEntry]:
    """Every code of lingctl itself, by its name, in the order of the subjects."""
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
    for code, (meaning, remedy) in HUB_WORDS.items():
        text = " ".join(remedy.split("\n"))
        found.setdefault(code, CodeEntry(code, _HUB_SUBJECT, meaning, text, _HUB_PAGE))
    return found


def code_entry(code: str) -> CodeEntry | None:
    """What a code means; a code that is made of a check's name is told as that."""
    entry = code_entries().get(code)
    if entry is not None:
        return entry
    for prefix, what in PREFIXES.items():
        inner = code_entries().get(code.removeprefix(prefix)) if code.startswith(prefix) else None
        if inner is not None:
            remedy = inner.remedy
            if prefix == "check-":
                remedy = f"{remedy}; {_ACCEPT.format(name=inner.code)}"
            return CodeEntry(code, inner.subject, f"{what}: {inner.meaning}", remedy, inner.page)
    return None


def check_names() -> tuple[str, ...]:
    """Names of the checks before a start, as ``deploy --accept`` takes them."""
    return tuple(entry.code for entry in code_entries().values() if entry.accepted)
