"""Where a command's own output begins.

sshd hands a command to the login shell, and what that shell's start files (bash reads ``~/.bashrc`` there)
or a ``ForceCommand`` print comes before the command's first byte, on the same streams. So the command prints
a mark on each stream first, in the same request, and what came before the mark is no part of its answer.
"""

from __future__ import annotations

from lingctl.remote.connection import OutputListener

OUT, ERR = b"\x1elingctl out\n", b"\x1elingctl err\n"
# The error stream's mark comes first: where a wrapper sends both to one stream, it is cut away too. A shell
# that traces its commands prints these words, but not the byte that they stand for.
_PRINT_MARKS = "printf '\\036lingctl err\\n' >&2; printf '\\036lingctl out\\n'; "
_MOST_OUTPUT = 64 * 1024 * 1024
_MOST_NOISE = 4096


def framed(text: str) -> str:
    """The shell text, with its marks before it."""
    return _PRINT_MARKS + text


class Stream:
    """One stream of a framed command: what comes after its mark is kept, up to 64 MiB.

    Attributes:
        begun: whether the mark was seen.
        truncated: whether more came than is kept.
    """

    def __init__(self, mark: bytes, listener: OutputListener | None = None) -> None:
        self.begun = False
        self.truncated = False
        self._mark = mark
        self._listener = listener
        self._noise = b""
        self._kept = bytearray()

    def take(self, part: bytes) -> None:
        """The next bytes of it; the listener gets those that are the command's."""
        if not self.begun:
            noise, mark, part = (self._noise + part).partition(self._mark)
            self._noise = noise[-_MOST_NOISE:]
            if not mark:
                return
            self.begun = True
        if self._listener and part:
            self._listener(part)
        room = _MOST_OUTPUT - len(self._kept)
        self._kept += part[:room]
        self.truncated = self.truncated or len(part) > room

    @property
    def text(self) -> str:
        """What the command printed."""
        return self._kept.decode("utf-8", "replace")

    @property
    def noise(self) -> str:
        """The end of what was printed before the mark."""
        return self._noise.decode("utf-8", "replace")
