"""Tables on a real terminal: what is shown is what was laid out for it, line by line."""

from __future__ import annotations

import pytest

from lingctl.output.tables import Screen
from tests.terminal.screen import left_in_order
from tests.terminal.test_progress import driving
from tests.unit.output.test_tables import NAMES, SIZES, nodes, shown

CASES = [
    *(
        (width, count, name, {})
        for width in SIZES
        for count, name in ((2, "short"), (2, "wide"), (64, "long"))
    ),
    (120, 64, "wide", {"NO_COLOR": "1"}),
    (120, 64, "wide", {"TERM": "dumb"}),
]


@pytest.mark.parametrize(("width", "count", "name", "environment"), CASES)
def test_a_table_has_the_lines_on_a_terminal_that_were_laid_out(
    width: int, count: int, name: str, environment: dict[str, str]
):
    with driving("table", str(count), NAMES[name], size=(width, 24), environment=environment) as terminal:
        assert terminal.end() == 0
        left_in_order(terminal)
        lines = [line for line in terminal.screen.whole if line]
        assert lines == shown(nodes(count, NAMES[name]), Screen(width, 24))
