"""Codes of lingctl's own errors, checks and rules of files: what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lingctl.codes.catalogue import code_entries, code_entry
from lingctl.engine.logs import CodeMeaning, LogReader
from lingctl.engine.vendor_codes import vendor_codes
from lingctl.engines import engine_names, file_rules

_OWN = "lingctl"
_RULES_PAGE, _FAILURES_PAGE = "reference/mindie-rules.md", "reference/failures.md"
_FAILED_STEP = "step"


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
