"""The reference page of every rule, from the rules themselves: docs/reference/mindie-rules.md."""

from __future__ import annotations

from docs.written.tables import table
from lingctl.findings import Verdict
from lingctl.mindie.profile import PROFILES
from lingctl.mindie.rules.catalogue import RULES
from lingctl.mindie.rules.fields import FIELDS, PATHS, REMOVED_IN_3, Field
from lingctl.mindie.rules.rank_table import TABLE_RULES

_VERSIONS = {1: "1.0.0", 2: "2.0 - 2.3", 3: "3.0.0, 3.1.0"}
_INTRODUCTION = """\
# Rules of config.json and rank_table.json

Written from the rules that `lingctl render` and `lingctl render --check` apply; a test compares this page
with them. `failure`: MindIE refuses the file. `warning`: it starts, and something is not as meant, or nobody
outside has read the code that would insist on it.

Rules of 3.0.0 were read in the public source of MindIE-LLM v3.0.0, and its own checker was run on thousands
of altered files (tests/mindie_checker): every place with every kind of value, and what only a text can hold
(numbers too large, halves of characters, keys twice). Both judge alike, but for what is said here. The
checker does not look at text after the end of the JSON document, forgets faults that it has found (with the
edge-cloud split; of all models but the last; of models where there are LoRA modules), follows deeper nesting
than 900 levels, and makes of a number beyond its type what the machine makes of it: there ours is the
stricter one. Which certificates and folders exist only a node knows. What is said of `tp` is not the
checker's: it comes from the code that starts the workers, and was seen there.

The rank table's rules are stricter than the server's where HCCL or atb_llm would fail later. 1.0.0 to 2.3 are
closed: their rules rest on published files, documents and transcripts, and on 3.0.0 where nothing else is
known.
"""


def rule_reference() -> str:
    """The page."""
    parts = [_INTRODUCTION, "## What each version rests on", ""]
    parts += table(
        ("version", "checked against"), [(profile.version, profile.checked_against) for profile in PROFILES]
    )
    parts += ["## Fields of config.json", ""]
    for section, path in PATHS.items():
        fields = [field for field in FIELDS if field.section == section]
        if fields:
            parts += [f"### {path}", ""]
            parts += table(("field", "allowed", "compulsory", "MindIE", "source"), map(_field_row, fields))
    parts += ["## Rules over several fields", ""]
    parts += table(
        ("rule", "says", "verdict", "MindIE", "source"),
        [
            (rule.check, rule.says, rule.verdict.word, _versions(rule.generations), rule.source)
            for rule in RULES
        ],
    )
    parts += ["## Fields that 3.0.0 no longer reads", "", "A note, no fault.", ""]
    parts += [", ".join(f"`{PATHS[section]}.{name}`" for section, name in REMOVED_IN_3), ""]
    parts += ["## Rank table", "", "For every version; a warning is what MindIE itself does not look at.", ""]
    parts += table(
        ("rule", "says", "verdict", "source"),
        [(rule.check, rule.says, rule.verdict.word, rule.source) for rule in TABLE_RULES],
    )
    return "\n".join(parts).rstrip() + "\n"


def _field_row(field: Field) -> tuple[str, ...]:
    if not field.required:
        compulsory = "no"
    elif field.generations == (3,):
        compulsory = Verdict.FAILURE.word
    elif 3 in field.generations:
        compulsory = f"{Verdict.FAILURE.word}; before 3.0.0 {Verdict.WARNING.word}"
    else:
        compulsory = Verdict.WARNING.word
    return field.name, field.allowed, compulsory, _versions(field.generations), field.source


def _versions(generations: tuple[int, ...]) -> str:
    return "all" if len(generations) == len(_VERSIONS) else ", ".join(_VERSIONS[one] for one in generations)
