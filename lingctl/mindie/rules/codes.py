"""The names of findings about MindIE's files, and what each means: made of the rules themselves."""

from __future__ import annotations

from collections.abc import Mapping

from lingctl.mindie.rules.catalogue import RULES
from lingctl.mindie.rules.fields import FIELDS, PATHS, REMOVED_IN_3
from lingctl.mindie.rules.rank_table import TABLE_RULES

_ANEW = "lingctl render config writes a complete file"
# Rules that need the cluster as well, and stand in check.py.
_AGAINST_HOSTS: Mapping[str, str] = {
    "config-context": "maxSeqLen is within the window of the model, which MindIE does not extend",
    "config-parallel": "dp x tp x cp is the number of cards of the cluster",
    "config-ranks": "the model can be cut into as many parts as there are cards",
    "config-device-subset": "several nodes use their cards from 0 on, as containers number them",
}


def rule_codes() -> Mapping[str, tuple[str, str]]:
    """Meaning and remedy of every name, by the name."""
    found = {
        f"config-{section}": (f"{path} is there, and an object", _ANEW) for section, path in PATHS.items()
    }
    found.pop("config-")
    for name, says in _AGAINST_HOSTS.items():
        found[name] = (says, "change hosts.yaml as the message says")
    for field in FIELDS:
        found[field.check] = (f"{field.path}: {field.allowed}", f"set {field.name}: {field.allowed}")
    for section, name in REMOVED_IN_3:
        found.setdefault(
            f"config-{name}", (f"{PATHS[section]}.{name} is no longer read by 3.0.0", "it may go")
        )
    for rule in RULES:
        found[rule.check] = (rule.says, rule.remedy)
    for table_rule in TABLE_RULES:
        found[table_rule.check] = (table_rule.says, "lingctl render ranktable writes one that is right")
    return found
