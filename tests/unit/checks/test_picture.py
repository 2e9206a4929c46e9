"""The mesh as matrices: what is not known is no answer, and what was not tried is not whole."""

from __future__ import annotations

import pytest

from lingctl.checks.reach.picture import Mark
from tests.unit.checks.meshes import picture_of

A, B, C = "node1", "node2", "node3"


@pytest.mark.parametrize(
    ("packets", "mark"),
    [
        (lambda one, two: 3, Mark.WHOLE),
        (lambda one, two: 0, Mark.NONE),
        (lambda one, two: 2, Mark.PART),
        (lambda one, two: None, Mark.UNKNOWN),
        (lambda one, two: 3 if one[1] else 0, Mark.PART),
        (lambda one, two: 3 if one[1] else None, Mark.UNKNOWN),
        (lambda one, two: 0 if one[1] else None, Mark.PART),
    ],
)
def test_the_mark_of_two_nodes(packets, mark: Mark) -> None:
    assert picture_of(2, 4, packets).mark(A, B) is mark


def test_a_card_that_was_not_tried_leaves_its_node_not_known() -> None:
    picture = picture_of(3, 4, down=[(B, 1)])
    assert {picture.mark(*pair) for pair in ((A, B), (B, A), (B, C), (C, B))} == {Mark.UNKNOWN}
    assert picture.mark(A, C) is Mark.WHOLE
    rows = picture.of_cards(A, B).rows
    assert [row[1] for row in rows] == [Mark.UNTRIED] * 4 and rows[2] == tuple("..oo")


def test_a_node_that_was_not_asked_is_not_tried() -> None:
    picture = picture_of(3, 2, down=[(C, 0), (C, 1)])
    assert picture.mark(A, C) is picture.mark(C, A) is Mark.UNTRIED
    assert picture.counts()[2] == [C, "-", "-", "-"]
    assert picture.as_json()["marks"] == [" o.", "o .", ".. "]


def test_the_cards_of_what_is_true_of_all_cards_are_not_told_apart() -> None:
    picture = picture_of(3, 2, lambda one, two: 0 if C in (one[0], two[0]) else 3)
    assert picture.unfolded() == []
    picture = picture_of(3, 2, lambda one, two: 0 if (C, 1) in (one, two) else 3)
    assert picture.unfolded() == [(A, C), (B, C), (C, A), (C, B)]
    assert picture.as_json()["blocks"][0] == {
        "from": A,
        "to": C,
        "sources": [0, 1],
        "targets": [0, 1],
        "rows": ["oX", "oX"],
    }
    assert picture_of(2, 2).unfolded() == [(A, B), (B, A)]
