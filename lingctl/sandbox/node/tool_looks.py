"""Calls of the emulated tools that only look: answered by the process that is asked, without another one.

Only what neither waits nor changes anything, and only where its answer can be written at once: whoever does
not read may make a tool wait, but not the server of all tools.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import stat
import termios
from collections.abc import Sequence
from typing import Protocol

_NULL = os.makedev(1, 3)


class Tool(Protocol):
    """A module of ``lingctl.sandbox.tools``."""

    def main(self, words: list[str], /) -> int:
        """Run one call; returns the exit status that the shell sees."""

    def only_looks(self, words: Sequence[str], /) -> bool:
        """Whether a call neither waits nor changes anything, as the node is now."""


def look(tool: Tool, words: Sequence[str], streams: Sequence[int]) -> int | None:
    """Answer a call on its streams; gives its exit status, or nothing where it needs a process of its own."""
    out, err = io.StringIO(), io.StringIO()
    try:
        if not tool.only_looks(words):
            return None
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = tool.main(list(words))
    except (Exception, SystemExit):  # it does so again where it is told as an interpreter would
        return None
    said = [text.getvalue().encode() for text in (out, err)]
    # In which order a reader of both had them, is the business of a process with two streams.
    if all(said) or not all(map(_can_take, streams[1:], said)):
        return None
    for stream, text in zip(streams[1:], said, strict=True):
        with contextlib.suppress(BrokenPipeError):
            os.write(stream, text)
    return status


def _can_take(stream: int, said: bytes) -> bool:
    """Whether all of it can be written without waiting for a reader."""
    there = os.fstat(stream)
    if not said or stat.S_ISREG(there.st_mode) or there.st_rdev == _NULL:
        return True
    if not stat.S_ISFIFO(there.st_mode):
        return False
    unread = int.from_bytes(fcntl.ioctl(stream, termios.FIONREAD, bytes(4)), "little")
    return not unread and len(said) <= fcntl.fcntl(stream, fcntl.F_GETPIPE_SZ)
