"""What the page of rules is written from: every rule has a name of its own, and a source."""

from __future__ import annotations

from lingctl.mindie.rules.catalogue import RULES
from lingctl.mindie.rules.fields import FIELDS
from lingctl.mindie.rules.rank_table import TABLE_RULES


def test_every_rule_has_a_source():
    assert all(rule.source for rule in (*RULES, *FIELDS, *TABLE_RULES))


def test_names_are_one_to_a_rule():
    keys = [(rule.check, generation) for rule in RULES for generation in rule.generations]
    assert len(keys) == len(set(keys))
    fields = [(field.path, generation) for field in FIELDS for generation in field.generations]
    assert len(fields) == len(set(fields))
