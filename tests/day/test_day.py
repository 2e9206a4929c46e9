"""The day as it was recorded: the same commands leave the same screens.

What changed on purpose is recorded anew, and read: ``python -m tests.day.play``.
"""

from __future__ import annotations

import pytest

from tests.day.play import PICTURES, SIZE, begun, file_of, settled
from tests.day.script import DAY


# One test: each command takes up what those before it left.
@pytest.mark.sandbox
def test_every_screen_of_a_day_is_as_it_was_recorded():
    with begun() as day:
        for number, typed in enumerate(DAY, 1):
            shown, recorded = day.play(typed), file_of(number).read_text()
            same = settled(shown, measured=typed.measured) == settled(recorded, measured=typed.measured)
            assert typed.varies or same, f"{file_of(number).name}:\n{shown}\ninstead of\n{recorded}"


def test_every_picture_is_of_a_command_and_none_is_wider_than_the_screen():
    assert {path.name for path in PICTURES.iterdir()} == {file_of(n).name for n in range(1, len(DAY) + 1)}
    for path in PICTURES.iterdir():
        text = path.read_text()
        lines = [line for line in text.splitlines() if not line.startswith(("# ", "$ "))]
        assert all(len(line) <= SIZE[0] for line in lines), path.name
        assert "Traceback" not in text
