"""A command on a pseudo-terminal of its own, and the screen that a person would see."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyte

from tests import forked

CTRL_C = "\x03"
CTRL_D = "\x04"
# Far more than anything takes; a test that waits for it has failed.
PATIENCE = 60.0


class Watched(pyte.HistoryScreen):
    """A screen that remembers whether it was left as it was found."""

    def __init__(self, columns: int, lines: int) -> None:
        self.alternate = False
        super().__init__(columns, lines, history=5000, ratio=1.0)

    def set_mode(self, *modes: int, **options: Any) -> None:
        """Also notes the alternate screen, which pyte knows nothing of."""
        self.alternate |= bool(options.get("private") and {47, 1047, 1049} & set(modes))
        super().set_mode(*modes, **options)

    def reset_mode(self, *modes: int, **options: Any) -> None:
        """See ``set_mode``."""
        if options.get("private") and {47, 1047, 1049} & set(modes):
            self.alternate = False
        super().reset_mode(*modes, **options)

    @property
    def whole(self) -> list[str]:
        """Every line that was ever shown and not drawn over, those that have scrolled away first."""
        gone = ["".join(row[x].data for x in range(self.columns)) for row in self.history.top]
        return [text.rstrip() for text in (*gone, *self.display)]


class Terminal:
    """One command, the session leader on a pseudo-terminal, as a shell would start it."""

    def __init__(
        self,
        words: Sequence[str | Path],
        *,
        size: tuple[int, int] = (80, 24),
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        columns, lines = size
        self.screen = Watched(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self._master, slave = pty.openpty()
        self._size(columns, lines)
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("LINGCTL_")}
        for name in ("NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR"):
            inherited.pop(name, None)
        self.process = forked.started(
            list(map(str, words)),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env={**inherited, "TERM": "xterm-256color", **(environment or {})},
            # It is its own, so that Ctrl-C and a hang-up reach it as they do from a shell.
            terminal=True,
        )
        os.close(slave)

    def until(self, pattern: str, seconds: float = PATIENCE) -> None:
        """Read until the pattern is somewhere on the screen, or above it."""
        self.when(lambda: self.shows(pattern), repr(pattern), seconds)

    def when(self, happened: Callable[[], bool], what: str = "it", seconds: float = PATIENCE) -> None:
        """Read until something has happened elsewhere."""
        deadline = time.monotonic() + seconds
        while not happened():
            ended = self.process.poll() is not None
            if not self._read(0.1) and ended:
                raise AssertionError(f"ended with {self.process.returncode} before {what}:\n{self}")
            assert time.monotonic() < deadline, f"never came: {what}; shown is:\n{self}"

    def shows(self, pattern: str) -> bool:
        """Whether the pattern is in one line that is, or was, on the screen."""
        return self.count(pattern) > 0

    def count(self, pattern: str) -> int:
        """In how many lines it is."""
        return sum(bool(re.search(pattern, line)) for line in self.screen.whole)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """As a window that is drawn larger or smaller."""
        self._size(columns, lines)
        self.screen.resize(lines, columns)

    def hang_up(self) -> None:
        """The terminal goes away: the window is closed, the connection breaks."""
        master, self._master = self._master, -1
        os.close(master)

    def end(self, seconds: float = PATIENCE) -> int:
        """Read until the command has ended; its exit status, 128 and more for a signal."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            self._read(0.1)
            assert time.monotonic() < deadline, f"it does not end; shown is:\n{self}"
        while self._read(0.0):
            pass
        status = self.process.returncode
        return status if status >= 0 else 128 - status

    def close(self) -> None:
        """End what is left."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def __str__(self) -> str:
        """All that was shown."""
        return "\n".join(line for line in self.screen.whole if line)

    def _read(self, seconds: float) -> bool:
        if self._master < 0:
            time.sleep(seconds)
            return False
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        data = b""
        with suppress(OSError):  # the last program that had it open has ended
            data = os.read(self._master, 65536)
        self._stream.feed(data)
        return bool(data)

    def _size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


@contextmanager
def terminal(*words: str | Path, **options: Any) -> Iterator[Terminal]:
    """A command on a terminal, ended with the block."""
    shown = Terminal(words, **options)
    try:
        yield shown
    finally:
        shown.close()


def left_in_order(shown: Terminal) -> None:
    """The screen is as a shell wants it: its own, with a cursor, at the beginning of a line, and readable."""
    screen = shown.screen
    assert not screen.alternate, "the alternate screen is still shown"
    assert not screen.cursor.hidden, "the cursor is hidden"
    assert screen.cursor.x == 0, f"the cursor is in the middle of a line:\n{shown}"
    assert screen.cursor.attrs == screen.default_char, "colours are still on"
    assert not any("\x1b" in line or "Traceback" in line for line in screen.whole), str(shown)
    used = [number for number, line in enumerate(screen.display) if line.strip()]
    assert not used or max(used) < screen.cursor.y, f"text below the cursor:\n{shown}"
