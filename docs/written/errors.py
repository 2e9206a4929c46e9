"""The reference page of every code, from the catalogue itself: docs/reference/errors.md."""

from __future__ import annotations

from docs.written.tables import row, table
from lingctl.codes.catalogue import CodeEntry
from lingctl.flows.look.explain.own_codes import PREFIXES, code_entries

_INTRODUCTION = """\
# Errors and checks, by their code

An error ends its first line with its code in brackets, a finding begins with the name of its check; `--json`
has both. `lingctl explain CODE` says what stands here. Written from the catalogue in `lingctl/codes/`; a test
compares this page with it, and walks the source for codes that it lacks.

Some codes are made of others:

| code | is |
|---|---|
"""
_MADE = (
    *((f"`{prefix}NAME`", f"{what}: NAME stands below") for prefix, what in PREFIXES.items()),
    (
        "`mindie-ID`, `vllm-ID`",
        "the daemon ended, and its log tells why: ID stands in [failures](failures.md)",
    ),
    ("`step-ID`", "a step on a node failed, and its words tell why: ID stands in [failures](failures.md)"),
    (
        "`config-FIELD`, `config-RULE`, `ranktable-RULE`",
        "a finding about MindIE's files: see the [rules](mindie-rules.md)",
    ),
)


def error_reference() -> str:
    """The page."""
    parts = [_INTRODUCTION.rstrip(), *map(row, _MADE), ""]
    by_subject: dict[str, list[CodeEntry]] = {}
    for entry in code_entries().values():
        by_subject.setdefault(entry.subject, []).append(entry)
    for subject, entries in by_subject.items():
        rows = [(f"`{one.code}`", one.meaning, one.remedy, _link(one.page)) for one in entries]
        parts += [f"## {subject}", "", *table(("code", "means", "what to do", "page"), rows)]
    return "\n".join(parts).rstrip() + "\n"


def _link(page: str) -> str:
    folder, _, name = page.rpartition("/")
    place = name if folder == "reference" else f"../{page}"
    return f"[{name.split('.')[0]}]({place})"
