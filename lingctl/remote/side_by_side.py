"""Work on several things at the same time, in threads that hold nobody up.

What is known to go wrong is an outcome. Anything else (a defect, no memory, an interrupt) ends all of it
soon: others must not be waited for, for hours, before it is told.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import NoReturn, TypeGuard, TypeVar

from lingctl.errors import InternalError, LingctlError

T = TypeVar("T")
_GRACE_SECONDS = 10.0
_INTERRUPTED_SECONDS = 1.0


def side_by_side(
    work: Callable[[str], T], names: Iterable[str], *, workers: int, stop: Callable[[], None]
) -> dict[str, T | LingctlError]:
    """Do ``work`` for every name, some at a time; its outcomes in the order of the names.

    Args:
        stop: makes work that is under way end soon; called when there is no point in it any more.

    Raises:
        InternalError: one of them raised what is no LingctlError; says where, and what was ended for it. The
            first one; the others are not waited for beyond some seconds.
        KeyboardInterrupt: here, or in one of them.
    """
    names = list(names)
    waiting, ended = deque(names), queue.SimpleQueue[tuple[str, T | BaseException]]()
    left_out: list[str] = []

    def run() -> None:
        while True:
            try:
                name = waiting.popleft()
            except IndexError:
                return
            try:
                outcome: T | BaseException = work(name)
            except BaseException as error:  # told in the thread that waits
                outcome = error
            if isinstance(outcome, BaseException) and not _is_known(outcome):
                with contextlib.suppress(IndexError):
                    while True:
                        left_out.append(waiting.popleft())
            ended.put((name, outcome))

    threads = [
        threading.Thread(target=run, name=f"lingctl-work-{number}", daemon=True)
        for number in range(min(workers, len(names)))
    ]
    for thread in threads:
        thread.start()
    outcomes: dict[str, T | LingctlError] = {}
    try:
        while len(outcomes) < len(names):
            name, outcome = ended.get()
            if isinstance(outcome, BaseException) and not _is_known(outcome):
                cut = [other for other in names if other not in (name, *outcomes, *left_out)]
                _raise(outcome, name, cut, left_out)
            else:
                outcomes[name] = outcome
    except BaseException as error:
        waiting.clear()
        stop()
        # Who still logs in has no connection yet that could be closed: an interrupted run does not wait.
        _await_end(threads, _GRACE_SECONDS if isinstance(error, Exception) else _INTERRUPTED_SECONDS)
        raise
    return {name: outcomes[name] for name in names}


def begun(work: Callable[[], T], name: str) -> Future[T]:
    """Begin a piece of work in a thread of its own, which nothing waits for at the end of the program.

    Args:
        name: of the thread.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # told to who asks for it
            outcome.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return outcome


def _is_known(outcome: BaseException) -> TypeGuard[LingctlError]:
    return isinstance(outcome, LingctlError) and not isinstance(outcome, InternalError)


def _raise(error: BaseException, name: str, cut: list[str], left_out: list[str]) -> NoReturn:
    if isinstance(error, InternalError) or not isinstance(error, Exception):
        raise error
    frame = traceback.extract_tb(error.__traceback__)[-1]
    evidence = [f"{frame.filename}:{frame.lineno} in {frame.name}: {frame.line}"]
    if cut:
        evidence.append(f"ended for it in the middle: the work on {', '.join(cut)}")
    if left_out:
        evidence.append(f"not begun: the work on {', '.join(left_out)}")
    raise InternalError(
        f"lingctl itself failed: {type(error).__name__}: {error}",
        where=name,
        evidence="\n".join(evidence),
        remedy="run it again with --debug and report what it prints; what was half-done is gone on with",
    ) from error


def _await_end(threads: list[threading.Thread], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
