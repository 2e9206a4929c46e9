"""Connections that are being made: whoever needs a node's waits for that one alone.

A login waits for the network most of the time, and nodes do not take equally long. What is asked of a node
can be asked as soon as it lets us in, and what asks it can be loaded meanwhile.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, KeysView
from concurrent.futures import Future, InvalidStateError

from lingctl.errors import ConnectError
from lingctl.remote.connection import Connection


class Arrivals:
    """Logins that go on in threads of their own."""

    def __init__(self, reach: Callable[[str], Connection], names: Iterable[str], *, workers: int) -> None:
        """Begin.

        Args:
            reach: connects to a node. What it raises is the outcome for that node.
            names: of the nodes, in the order of beginning.
            workers: most of them at a time.
        """
        self._reach = reach
        self._expected = {name: Future[Connection]() for name in names}
        self._waiting = deque(self._expected)
        self._closed = False
        for number in range(min(workers, len(self._expected))):
            threading.Thread(target=self._run, name=f"lingctl-login-{number}", daemon=True).start()

    @property
    def names(self) -> KeysView[str]:
        """The nodes, in order."""
        return self._expected.keys()

    def get(self, name: str) -> Connection:
        """The connection to a node, once it is there. Raises LingctlError: why there is none."""
        return self._expected[name].result()

    def close(self) -> None:
        """Close what is there, and what still comes; who waits for one is told."""
        self._closed = True
        self._waiting.clear()
        for name, expected in self._expected.items():
            with contextlib.suppress(InvalidStateError):
                expected.set_exception(ConnectError("the connection was closed", where=name))
            if expected.exception() is None:
                expected.result().close()

    def _run(self) -> None:
        while not self._closed:
            try:
                name = self._waiting.popleft()
            except IndexError:
                return
            expected = self._expected[name]
            try:
                connection = self._reach(name)
            except BaseException as error:  # told to who waits for the node
                with contextlib.suppress(InvalidStateError):
                    expected.set_exception(error)
                continue
            try:
                expected.set_result(connection)
            except InvalidStateError:
                connection.close()
