"""Codes of lingctl's own errors, checks and rules of files: what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

from lingctl.codes.catalogue import CodeEntry, written_entries
from lingctl.engine.logs import CodeMeaning, LogReader
from lingctl.engine.vendor_codes import vendor_codes
from lingctl.engines import engine_names, file_rules
from lingctl.node.fetch.hubs.words import WORDS

_OWN = "lingctl"
_RULES_PAGE, _FAILURES_PAGE = "reference/mindie-rules.md", "reference/failures.md"
_FAILED_STEP = "step"
_HUB_SUBJECT, _HUB_PAGE = "Weights and their download", "how-to/weights.md"
# Codes that are made of another one's name: where the end of a change is a check's, or a rung's, verdict.
PREFIXES: Mapping[str, str] = {
    "check-": "the change was stopped by a check",
    "smoke-": "the service runs, and this fails",
}
_ACCEPT = "or, if you know better: lingctl deploy --accept {name}"


@cache
def code_entries() -> Mapping[str, CodeEntry]:
    """Every code of lingctl itself, by its name, in the order of the subjects."""
    hubs = {
        code: CodeEntry(code, _HUB_SUBJECT, meaning, " ".join(remedy.split("\n")), _HUB_PAGE)
        for code, (meaning, remedy) in WORDS.items()
    }
    return {**written_entries(), **{code: one for code, one in hubs.items() if code not in written_entries()}}


def code_entry(word: str) -> CodeEntry | None:
    """What a code means; a code that is made of a check's name is told as that."""
    entry = code_entries().get(word)
    if entry is not None:
        return entry
    for prefix, what in PREFIXES.items():
        inner = code_entries().get(word.removeprefix(prefix)) if word.startswith(prefix) else None
        if inner is not None:
            remedy = inner.remedy
            if prefix == "check-":
                remedy = f"{remedy}; {_ACCEPT.format(name=inner.code)}"
            return CodeEntry(word, inner.subject, f"{what}: {inner.meaning}", remedy, inner.page)
    return None


def own_meaning(word: str, known: Sequence[LogReader] = ()) -> CodeMeaning | None:
    """What a code of lingctl means, as an error or a finding printed it; None for all else.

    Args:
        known: reads the codes that end in an id of the catalogue of failures: ``mindie-C1``, ``step-G4``.
    """
    word = word.strip().strip("()[],;:'\"")
    if (entry := code_entry(word)) is not None:
        return CodeMeaning(
            entry.code, f"{_OWN}: {entry.subject}", entry.meaning, entry.remedy, page=entry.page
        )
    rule = file_rules().get(word)
    if rule is not None:
        meaning, remedy = rule
        return CodeMeaning(word, f"{_OWN}: rules of the engine's files", meaning, remedy, page=_RULES_PAGE)
    origin, _, row = word.partition("-")
    if origin not in (_FAILED_STEP, *engine_names()):
        return None
    found = next((told for reader in known if (told := reader.look_up(row)) is not None and told.rows), None)
    if found is None:
        return None
    family = f"{_OWN}: a step that failed" if origin == _FAILED_STEP else f"{_OWN}: an end of the daemon"
    return replace(found, code=word, family=family, page=_FAILURES_PAGE)


def known_codes() -> tuple[str, ...]:
    """Every code that has a name of its own: lingctl's, those of rules, and vendors'."""
    return (*code_entries(), *file_rules(), *vendor_codes())
