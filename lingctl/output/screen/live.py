"""Lines at the end of a terminal that are drawn again in place.

Between two drawings the cursor rests at the beginning of the first of them. So nothing above them is drawn
over, whatever a terminal makes of them when its window changes its size.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from lingctl.output.screen.streams import blurts_behind
from lingctl.output.screen.terminal import show

# All from the cursor on. In two parts: tmux keeps what stood on a screen that is cleared at once.
_CLEAR = "\r\x1b7\x1b[K\x1b[B\x1b[J\x1b8"


class LiveLines:
    """The live lines of one terminal; each drawing is one write, so that nobody sees half of it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        blurts_behind(_CLEAR)

    def draw(self, lines: Sequence[Text], above: Sequence[Text] = ()) -> None:
        """Draw these in the place of those of before.

        Args:
            lines: none wider than the terminal, and fewer than it has.
            above: what stays, and scrolls off.
        """
        back = f"\x1b[{len(lines) - 1}A\r" if len(lines) > 1 else "\r"
        live = self._text(lines).removesuffix("\n")
        self._write(f"{self._text(above)}{live}{back}")

    def end(self, lines: Sequence[Text] = ()) -> None:
        """Draw the last of them, which stay; the cursor is below them."""
        self._write(self._text(lines))
        blurts_behind("")

    def _text(self, lines: Sequence[Text]) -> str:
        with self._console.capture() as captured:
            for one in lines:
                show(one, out=self._console, hang=2)  # a live line is no wider than the terminal
        return captured.get()

    def _write(self, text: str) -> None:
        self._console.file.write(f"{_CLEAR}{text}")
        self._console.file.flush()
