"""Ctrl-C, SIGTERM and SIGHUP end a command in one way: work stops, what is held is given back.

The first of them raises ``Interruption`` in the main thread. Later ones raise nothing, so that what gives
back a lock or removes a part runs to its end; and since that may wait for a node that is silent, the process
ends by itself ``PATIENCE_SECONDS`` after the first one, whatever it waits for.

Where Python can raise nothing (a finalizer, which runs wherever its object happens to end), it drops what is
raised and goes on; a signal that came just there is sent again a moment later.

A signal that was ignored when lingctl was started (``nohup``, a command that a script puts into the
background) stays ignored, as with other programs.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

PATIENCE_SECONDS = 10.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Nobody sends it from outside: ``endless`` wakes the main thread with it.
_QUIET = signal.SIGUSR1


class Interruption(KeyboardInterrupt):
    """A signal ended the command: what waits for Ctrl-C already, hears the others too."""


def _nothing() -> None:
    """What is done by default."""


@dataclass
class _State:
    """Signals belong to the process, and so does this."""

    received: int | None = None
    deferring: int = 0
    waits: type[KeyboardInterrupt] | None = None  # what is raised when nothing defers any more
    endless: bool = False
    expected: bool = False
    dropped: bool = False  # what the first signal raised was dropped by Python
    again: Callable[[], None] = field(default=_nothing)
    last_words: Callable[[], None] = field(default=_nothing)


_state = _State()


def listen(again: Callable[[], None] = _nothing, last_words: Callable[[], None] = _nothing) -> None:
    """From now on, signals end the command as described above. To be called by the main thread.

    What it is given is called by a signal handler: it takes no lock and never waits.

    Args:
        again: for every signal after the first.
        last_words: when patience ends, before the process does.
    """
    _state.again, _state.last_words = again, last_words
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _hear)
    signal.signal(signal.SIGALRM, _give_up)
    sys.unraisablehook = _dropped


def stop_listening() -> None:
    """The command has ended: a signal ends what is left of the process at once, and without a word."""
    for number in _SIGNALS:
        if signal.getsignal(number) == _hear:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def saying_again(again: Callable[[], None]) -> Iterator[None]:
    """Something else to call for every signal after the first, while the block runs; see ``listen``."""
    before, _state.again = _state.again, again
    try:
        yield
    finally:
        _state.again = before


def received() -> int | None:
    """The signal that ended the command; 0 where ``endless`` work was told to end, None while nothing did."""
    return _state.received


def expected() -> bool:
    """Whether it came in the middle of ``endless`` work, for which there is no other end."""
    return _state.expected


@contextmanager
def deferred() -> Iterator[None]:
    """Let a short piece of work run to its end: a signal meanwhile raises ``Interruption`` after it.

    For what must not be left half-known, such as taking a lock. Only the main thread is ever interrupted; in
    any other this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.deferring += 1
    try:
        yield
    finally:
        _state.deferring -= 1
        if not _state.deferring and (waits := _state.waits):
            _state.waits = None
            raise waits


@contextmanager
def of_a_part() -> Iterator[None]:
    """Ctrl-C ends what the block does and not the command: it raises a plain KeyboardInterrupt there.

    Other signals end the command as ever. To be used by the main thread.
    """
    before = signal.getsignal(signal.SIGINT)
    if before != _hear:
        yield
        return
    signal.signal(signal.SIGINT, _end_part)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end_part(_number: int, _frame: FrameType | None) -> None:
    _raise(_state.waits or KeyboardInterrupt)


@contextmanager
def endless() -> Iterator[Callable[[], None]]:
    """For work that goes on until somebody has enough of it.

    Yields:
        What ends the command from any thread: as a signal does, but as something that is done.
    """
    signal.signal(_QUIET, _hear)
    _state.endless = True

    def end() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, _QUIET)

    try:
        yield end
    finally:
        _state.endless = False
        signal.signal(_QUIET, signal.SIG_IGN)  # one that comes late must not kill


def _hear(number: int, _frame: FrameType | None) -> None:
    if _state.dropped:
        _state.dropped = False
    elif _state.received is not None:
        _state.again()
        return
    else:
        _state.received, _state.expected = 0 if number == _QUIET else number, _state.endless
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS)
    _raise(Interruption)


def _raise(kind: type[KeyboardInterrupt]) -> None:
    if not _state.deferring:
        raise kind
    _state.waits = kind


def _dropped(what: sys.UnraisableHookArgs) -> None:
    """What Python could raise nowhere: a signal comes again; of anything else --debug shows the traceback."""
    # A Thread of threading's takes locks, which what was interrupted may hold.
    if issubclass(what.exc_type, Interruption):
        _state.dropped = True
        _thread.start_new_thread(_send_again, (_state.received or _QUIET,))
    elif issubclass(what.exc_type, KeyboardInterrupt):
        _thread.start_new_thread(_send_again, (signal.SIGINT,))
    elif os.environ.get("LINGCTL_DEBUG"):
        sys.__unraisablehook__(what)


def _send_again(number: int) -> None:
    time.sleep(0.01)  # by then the finalizer is over, most of the time
    signal.pthread_kill(threading.main_thread().ident or 0, number)


def _give_up(_number: int, _frame: FrameType | None) -> None:
    _state.last_words()
    os._exit(128 + _state.received if _state.received else 1)
