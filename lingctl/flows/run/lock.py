"""lock: one change at a time per cluster; who holds it, and giving it back for someone who cannot."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lingctl import interrupts
from lingctl.errors import LingctlError, LockedError, NodeError
from lingctl.events import Event, Listener
from lingctl.inventory.cluster import Cluster
from lingctl.remote import lock
from lingctl.remote.connection import Connection
from lingctl.remote.lock import Holder

_ASK_AGAIN_SECONDS = 2.0
_GIVE_BACK_SECONDS = 5.0
_TRY_AGAIN_SECONDS = 0.02
_WAITING = "wait for the lock"


class Lock:
    """A lock that is held; gives signs of life by itself until it is given back."""

    def __init__(self, connection: Connection, state_dir: str, mine: Holder) -> None:
        self.holder = mine
        self._connection = connection
        self._state_dir = state_dir
        self._trouble: LingctlError | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lingctl-lock", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Be sure that it is still ours.

        Raises:
            LockedError: somebody took it over.
            ConnectError: the primary was lost, so nobody can tell.
        """
        if self._trouble is not None:
            raise self._trouble

    def close(self) -> None:
        """Give it back. Where that fails, its silence frees it within a minute."""
        self._ended.set()
        self._thread.join(25)
        deadline = time.monotonic() + _GIVE_BACK_SECONDS
        while True:
            try:
                return lock.release(self._connection, self._state_dir, self.holder.token)
            except NodeError:
                # A key that is held down sends its signal to a local command before that has a session of its
                # own; a disk may be slow. So once more, for a while.
                if time.monotonic() >= deadline:
                    return None
                time.sleep(_TRY_AGAIN_SECONDS)
            except LingctlError:
                return None

    def _beat(self) -> None:
        while not self._ended.wait(lock.BEAT_SECONDS):
            try:
                if not lock.beat(self._connection, self._state_dir, self.holder):
                    self._trouble = LockedError(
                        "the lock of this cluster was given to somebody else while we held it",
                        where=self._connection.node,
                        code="lock-lost",
                    )
                    return
            except LingctlError as error:
                self._trouble = error
                return


@contextmanager
def locked(
    connection: Connection, cluster: Cluster, doing: str, listener: Listener, *, wait: float = 0.0
) -> Iterator[Lock]:
    """Hold the cluster's lock while the block runs.

    Args:
        connection: to the primary; it is used from another thread too.
        wait: seconds to wait for somebody else's change to end.

    Raises:
        LockedError: somebody holds it; says who, and what to type.
    """
    mine = lock.me(doing)
    deadline = time.monotonic() + wait
    held: Lock | None = None
    waited = False
    try:
        while held is None:
            # Interrupted in between, nobody would know whether it was taken.
            with interrupts.deferred():
                holder = _take(connection, cluster.state_dir, mine)
                held = Lock(connection, cluster.state_dir, mine) if holder is None else None
            if holder is not None:
                if time.monotonic() >= deadline:
                    raise held_by(connection.node, holder)
                listener(Event(_WAITING, "progress", connection.node, holder.description))
                waited = True
                time.sleep(min(_ASK_AGAIN_SECONDS, max(0.1, deadline - time.monotonic())))
        if waited:
            listener(Event(_WAITING, "done", connection.node))
        yield held
    finally:
        if held is not None:
            with interrupts.deferred():
                held.close()


def _take(connection: Connection, state_dir: str, mine: Holder) -> Holder | None:
    """``lock.take``; where its answer did not arrive, the lock may be ours, and is given back."""
    try:
        return lock.take(connection, state_dir, mine)
    except LingctlError:
        with suppress(LingctlError):
            lock.release(connection, state_dir, mine.token)
        raise


def held_by(node: str, holder: Holder) -> LockedError:
    """The error that says who holds the lock."""
    left = max(1, lock.PATIENCE_SECONDS - holder.quiet)
    return LockedError(
        "another lingctl is changing this cluster",
        where=node,
        evidence=f"{holder.description}; last sign of life {holder.quiet} s ago",
        remedy="wait for it: the same command with --lock-wait 600\n"
        f"if it died, the lock frees itself within {left} s; to free it now: lingctl lock release",
    )


def lock_status(connection: Connection, cluster: Cluster) -> Holder | None:
    """Who holds the cluster's lock, or None."""
    return lock.show(connection, cluster.state_dir)


def lock_release(connection: Connection, cluster: Cluster, holder: Holder) -> None:
    """Take the lock from ``holder``. If that lingctl is still at work, it stops before its next stage."""
    lock.release(connection, cluster.state_dir, holder.token)
