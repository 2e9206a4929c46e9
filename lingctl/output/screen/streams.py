"""Standard input, output and error as they really are: closed, full, without a reader, or a terminal gone.

None of that is an error of what a command does, so writing never fails here. Conversation that nobody can
read is dropped. Of the answer it is known whether it was lost (``lost_answer``): a reader who went away had
enough, but a full disk is a failure. Standard library only: ``lingctl --help`` loads it.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, TextIO, cast

from lingctl import interrupts
from lingctl.output.screen.harmless import written_out

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_POLL_MILLISECONDS = 500


class _Tolerant(io.FileIO):
    """A file descriptor that takes all it is given; after the first trouble it drops it."""

    trouble: OSError | None = None

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)

    def write(self, data: ReadableBuffer) -> int:
        """See ``io.RawIOBase.write``."""
        while self.trouble is None:
            try:
                if (written := super().write(data)) is not None:
                    return written
                select.select([], [self], [], 1)  # who shares the terminal or pipe made it answer at once
            except OSError as error:
                self.trouble = error
        return len(bytes(data))


_out: _Tolerant | None = None


def mend_streams() -> None:
    """Give every closed stream something; reading text never fails, nor do the two outputs."""
    global _out
    for descriptor in (0, 1, 2):
        _fill(descriptor)
    if sys.stdin is None:
        nothing = io.FileIO(os.open(os.devnull, os.O_RDONLY))
        sys.stdin = io.TextIOWrapper(io.BufferedReader(nothing), encoding="utf-8")
    elif isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # what is typed or piped may be in another encoding
    if _is_pythons_own(sys.stdout, 1):
        _out = _Tolerant(1 if sys.stdout is not None else os.open(os.devnull, os.O_WRONLY))
        sys.stdout = _text(_out, sys.stdout, line_buffering=_out.isatty())
    if _is_pythons_own(sys.stderr, 2):
        err = _Tolerant(2 if sys.stderr is not None else os.open(os.devnull, os.O_WRONLY))
        sys.stderr = _text(err, sys.stderr, line_buffering=True)


def lost_answer() -> OSError | None:
    """Why standard output could not be written, if that is so; a reader who went away is no reason."""
    if _out is None or _out.trouble is None or _out.trouble.errno == errno.EPIPE:
        return None
    return _out.trouble


@contextmanager
def ending_with_its_reader() -> Iterator[None]:
    """For output without an end: the command ends, as something done, when nobody can read it any more."""
    ended = threading.Event()
    with interrupts.endless() as end:

        def watch() -> None:
            poll = select.poll()
            # Whatever is asked for, it tells that a pipe has no reader. Of a terminal SIGHUP tells.
            if not os.isatty(1):
                poll.register(1, 0)
            while not ended.is_set():
                if poll.poll(_POLL_MILLISECONDS) or (_out is not None and _out.trouble):
                    end()
                    return

        threading.Thread(target=watch, name="lingctl-reader", daemon=True).start()
        try:
            yield
        finally:
            ended.set()


_before_blurt = ""


def blurts_behind(before: str) -> None:
    """What is written before each ``blurt`` from now on: lines that are drawn in place make room with it."""
    global _before_blurt
    _before_blurt = before


def blurt(text: str) -> None:
    """Write to standard error from where nothing may wait, such as a signal handler: now or not at all."""
    try:
        if select.select([], [2], [], 0)[1]:
            os.write(2, f"{_before_blurt}{text}".encode())
    except OSError:
        return


def _fill(descriptor: int) -> None:
    """What is opened next would else get its number, and what is printed would go there."""
    try:
        os.fstat(descriptor)
    except OSError:
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != descriptor:
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


def _is_pythons_own(stream: TextIO | None, descriptor: int) -> bool:
    """Whether a stream is the one that Python made; tests put others there."""
    if stream is None:
        return True
    try:
        return stream.fileno() == descriptor and not isinstance(getattr(stream, "buffer", None), _Buffer)
    except (OSError, ValueError, AttributeError):
        return False


class _Buffer(io.BufferedWriter):
    """Tells our own streams from others."""


def _text(raw: _Tolerant, before: TextIO | None, *, line_buffering: bool) -> TextIO:
    # A file name or a mark that the terminal's character set lacks must not end a deploy.
    encoding = before.encoding if before is not None else "utf-8"
    return _Shown(_Buffer(raw), encoding=encoding, errors="backslashreplace", line_buffering=line_buffering)


class _Shown(io.TextIOWrapper):
    """Whatever prints, be it a library or a traceback: what a terminal would obey is written out."""

    def write(self, text: str) -> int:
        """See ``io.TextIOBase.write``."""
        super().write(written_out(text))
        return len(text)


class _Obeyed:
    """The same stream for the one printer that makes foreign text harmless itself, and adds styles to it."""

    def __init__(self, stream: _Shown) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write it as it is."""
        return io.TextIOWrapper.write(self._stream, text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def obeyed(stream: IO[str]) -> IO[str]:
    """A stream that escape sequences pass; for ``output.screen.terminal`` alone."""
    return cast("IO[str]", _Obeyed(stream)) if isinstance(stream, _Shown) else stream
