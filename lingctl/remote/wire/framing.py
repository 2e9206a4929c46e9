"""Where a command's own output begins, and how much of it is kept.

sshd hands a command to the login shell, and what that shell's start files (bash reads ``~/.bashrc`` there)
or a ``ForceCommand`` print comes before the command's first byte, on the same streams. So the command prints
a mark on each stream first, in the same request, and what came before the mark is no part of its answer.
"""

from __future__ import annotations

import shlex

from lingctl.remote.completed import OutputListener

OUT, ERR = b"\x1elingctl out\n", b"\x1elingctl err\n"
# The error stream's mark comes first: where a wrapper sends both to one stream, it is cut away too. A shell
# that traces its commands prints these words, but not the byte that they stand for.
_PRINT_MARKS = "printf '\\036lingctl err\\n' >&2; printf '\\036lingctl out\\n'; "
_MOST_OUTPUT = 64 * 1024 * 1024
# What is thrown away beyond that, or before the mark, until whoever prints it counts as one that never ends.
_MOST_WASTED = 64 * 1024 * 1024
# Of output that somebody has heard already, an error message quotes the end.
_MOST_HEARD = 256 * 1024
_MOST_NOISE = 4096


def framed(text: str, *, sudo: bool = False) -> str:
    """The shell text, with its marks before it; by ``sudo`` both, so that its complaints are no answer."""
    if not sudo:
        return _PRINT_MARKS + text
    # What sudo says is read, so it has to be in English.
    by_sudo = ["env", "LC_ALL=C", "sudo", "-n", "--", "sh", "-c"]
    return shlex.join([*by_sudo, f"unset LC_ALL; {_PRINT_MARKS}{text}"])


class Kept:
    """Output that is kept: its beginning up to 64 MiB, or its last 256 KiB where somebody hears it.

    Attributes:
        truncated: whether more came than is kept.
        wasted: bytes that came after the beginning that is kept.
    """

    def __init__(self, *, heard: bool = False) -> None:
        self.truncated = False
        self.wasted = 0
        self._heard = heard
        self._bytes = bytearray()

    def take(self, part: bytes) -> None:
        """The next bytes."""
        if not self._heard:
            room = _MOST_OUTPUT - len(self._bytes)
            self._bytes += part[:room]
            self.truncated = self.truncated or len(part) > room
            self.wasted += max(0, len(part) - room)
            return
        self._bytes += part[-_MOST_HEARD:]
        if len(self._bytes) > 2 * _MOST_HEARD or len(part) > _MOST_HEARD:
            self._cut()

    @property
    def text(self) -> str:
        """What is kept."""
        if self._heard and len(self._bytes) > _MOST_HEARD:
            self._cut()
        return self._bytes.decode("utf-8", "replace")

    def _cut(self) -> None:
        self.truncated = True
        del self._bytes[:-_MOST_HEARD]


class Stream:
    """One stream of a framed command: what comes after its mark is the command's.

    Attributes:
        begun: whether the mark was seen.
    """

    def __init__(self, mark: bytes, listener: OutputListener | None = None, *, heard: bool = False) -> None:
        """Nothing has come yet.

        Args:
            mark: after which it begins.
            listener: gets the command's bytes as they come.
            heard: only its end is kept, as where there is a listener: it is wanted for errors alone.
        """
        self.begun = False
        self._mark = mark
        self._listener = listener
        self._noise = b""
        self._noise_bytes = 0
        self._kept = Kept(heard=heard or listener is not None)

    def take(self, part: bytes) -> None:
        """The next bytes of it; the listener gets those that are the command's."""
        if not self.begun:
            self._noise_bytes += len(part)
            noise, mark, part = (self._noise + part).partition(self._mark)
            self._noise = noise[-_MOST_NOISE:]
            if not mark:
                return
            self.begun = True
        if self._listener and part:
            self._listener(part)
        self._kept.take(part)

    @property
    def truncated(self) -> bool:
        """Whether more came than is kept."""
        return self._kept.truncated

    @property
    def endless(self) -> bool:
        """Whether so much came for nobody that its end is not waited for."""
        return self._kept.wasted > _MOST_WASTED or (not self.begun and self._noise_bytes > _MOST_WASTED)

    @property
    def text(self) -> str:
        """What the command printed."""
        return self._kept.text

    @property
    def noise(self) -> str:
        """The end of what was printed before the mark."""
        return self._noise.decode("utf-8", "replace")
