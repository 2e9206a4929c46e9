"""Services and weights that are almost right, by their HTTP answers alone; see ``unseen``.

docs/how-to/prove.md has the table. Without likelihoods those are asked too of which something else is
expected.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.prove.proving import proved
from tests.prove.service import Telling
from tests.prove.unseen import LENGTH, UNSEEN, Unseen, answers

EXIT = {"caught": 1, "noticed": 3, "noise": 0}
PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/prove.md"


@pytest.fixture(scope="module")
def made(model):
    """What each says, which is the same whatever is told of it."""
    _, tensors, shape = model
    by_name = {one.name: one for one in UNSEEN}
    return cache(lambda name: by_name[name].make(tensors, shape))


def exit_of(tmp_path, model, said, unseen: Unseen, *, told: bool):
    weights, _, _ = model
    telling = Telling(said, with_numbers=told, **unseen.telling)
    report = proved(tmp_path, weights, telling, LENGTH)
    return report.exit_status, report.findings


@pytest.mark.parametrize("unseen", UNSEEN, ids=lambda one: one.name)
def test_what_is_almost_right_is_caught_unless_it_is_less_than_rounding(tmp_path, model, made, unseen):
    status, findings = exit_of(tmp_path, model, made(unseen.name), unseen, told=True)
    assert status == EXIT[unseen.told], findings


SILENT = [one for one in UNSEEN if one.silent != one.told or one.telling]


@pytest.mark.parametrize("unseen", SILENT, ids=lambda one: one.name)
def test_without_likelihoods_only_what_changes_words_is_caught(tmp_path, model, made, unseen):
    status, findings = exit_of(tmp_path, model, made(unseen.name), unseen, told=False)
    assert status == EXIT[unseen.silent], findings


def test_the_right_one_is_proved_both_ways(tmp_path, model):
    right = Unseen("right", answers, "noise", "noise")
    said = answers(*model[1:])
    for told in (True, False):
        status, findings = exit_of(tmp_path, model, said, right, told=told)
        assert status == 0, findings


def test_a_service_that_answers_otherwise_when_asked_again_is_not_proved(tmp_path, model):
    weights, tensors, shape = model

    class Moody(Telling):
        def text(self, token: int) -> str:
            return f" {token}" if len(self.requests) <= len(self.said) + 4 else f"  {token}"

    report = proved(tmp_path, weights, Moody(answers(tensors, shape), with_numbers=False), LENGTH)
    assert report.exit_status == 3
    assert any("asked again" in finding.message for finding in report.findings)


def test_the_page_tells_each():
    page = PAGE.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([^|]+) \| ([a-z]+, [a-z]+) \|", page, re.MULTILINE))
    assert rows == {one.name: f"{one.told}, {one.silent}" for one in UNSEEN}
