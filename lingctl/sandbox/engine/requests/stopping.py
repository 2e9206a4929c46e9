"""What ends an answer besides the end token and its limit.

Source: MindIE-LLM v3.0.0 text_generator/utils/output_filter.py and stopping_criteria.py; stop strings
seen on the real 3.0.0.
"""

from __future__ import annotations

from lingctl.sandbox.engine.model.text import Growing, Text, utf16_length
from lingctl.sandbox.engine.requests.wish import Wish


class StopRule:
    """Watches one sequence.

    Args:
        text: the tokenizer.
        wish: names what stops it.
    """

    def __init__(self, text: Text, wish: Wish) -> None:
        self._wish = wish
        self._growing = Growing(text, skip_special=wish.skip_special)
        self._said = ""

    def check(self, token: int) -> tuple[str, int] | None:
        """Whether the sequence ends with this token: the reason, and the UTF-16 units to cut off its text."""
        fresh = self._growing.add(token)
        self._said += fresh
        for stop in self._wish.stop or ():
            place = self._said.find(stop, max(0, len(self._said) - len(fresh) - len(stop)))
            if place >= 0:
                kept = place + len(stop) if self._wish.include_stop else place
                return "stop_string", utf16_length(self._said[kept:])
        if token in (self._wish.stop_ids or ()):
            return "stop_token", 0 if self._wish.include_stop else utf16_length(fresh)
        return None
