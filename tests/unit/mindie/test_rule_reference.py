"""The page of rules is as the rules are, and names the source of each."""

from __future__ import annotations

from pathlib import Path

from lingctl.mindie.rules.catalogue import RULES
from lingctl.mindie.rules.fields import FIELDS
from lingctl.mindie.rules.rank_table import TABLE_RULES
from lingctl.mindie.rules.reference import rule_reference

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "mindie-rules.md"


def test_the_page_is_up_to_date():
    remedy = "python -c 'from lingctl.mindie.rules.reference import *; print(rule_reference(), end=\"\")'"
    assert PAGE.read_text(encoding="utf-8") == rule_reference(), f"{remedy} > {PAGE.name}"


def test_every_rule_has_a_source():
    assert all(rule.source for rule in (*RULES, *FIELDS, *TABLE_RULES))


def test_names_are_one_to_a_rule():
    keys = [(rule.check, generation) for rule in RULES for generation in rule.generations]
    assert len(keys) == len(set(keys))
    fields = [(field.path, generation) for field in FIELDS for generation in field.generations]
    assert len(fields) == len(set(fields))
