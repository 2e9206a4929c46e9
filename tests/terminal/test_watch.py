"""status --watch on a real terminal: drawn in place, cut to the window, and in order at its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.terminal.screen import left_in_order
from tests.terminal.test_progress import driving

WORDS = ("loading", "running", "dead")


@pytest.mark.parametrize(("size", "count"), [((80, 24), 1), ((120, 40), 16), ((80, 24), 64), ((40, 10), 64)])
def test_each_look_takes_the_place_of_the_one_before(tmp_path: Path, size: tuple[int, int], count: int):
    with driving("watch", str(count), tmp_path, size=size) as shown:
        for number, word in enumerate(WORDS):
            shown.until(rf"(node1 +(running +)?|daemon: +){word}")
            assert len([line for line in shown.screen.whole if line.startswith("sandbox  20")]) == 1
            (tmp_path / str(number)).touch()
        assert shown.end() == 0
        left_in_order(shown)
        assert shown.screen.display[shown.screen.cursor.y - 1].startswith("over")
        assert not shown.shows("loading")
        assert shown.shows(r"\(\d+ more nodes, 0 of them") is (count == 64)


def test_a_terminal_that_cannot_redraw_gets_one_look_after_the_other(tmp_path: Path):
    with driving("watch", "2", tmp_path, environment={"TERM": "dumb"}) as shown:
        for number, word in enumerate(WORDS):
            shown.until(rf"(node2 +(running +)?|daemon: +){word}")
            (tmp_path / str(number)).touch()
        assert shown.end() == 0
        assert len([line for line in shown.screen.whole if line.startswith("sandbox  20")]) == 3
