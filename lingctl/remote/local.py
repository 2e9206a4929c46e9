"""This machine as a node: the same commands, without SSH."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from typing import IO

from lingctl.errors import ConnectError, NodeError
from lingctl.remote.command import Command
from lingctl.remote.completed import Completed, OutputListener
from lingctl.remote.connection import Connection
from lingctl.remote.side_by_side import begun
from lingctl.remote.wire.framing import Kept
from lingctl.remote.wire.sent import sent

LOCAL_NODE = "this machine"
# What a command leaves in the background may hold its streams open: nobody waits for that any longer.
_HELD_SECONDS = 5.0


class LocalConnection(Connection):
    """Runs commands here, with the caller's rights."""

    def __init__(self, node: str = LOCAL_NODE) -> None:
        super().__init__(node)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False
        self._lock = threading.Lock()

    def _run(
        self,
        command: Command,
        timeout: float,
        on_output: OutputListener | None,
        content: Iterator[bytes] | None,
    ) -> Completed:
        title = command.in_short
        sent(self._node, command)
        with self._lock:
            if self._closed:
                raise self._lost(title)
            process = subprocess.Popen(
                ["/bin/sh", "-c", command.text],
                stdin=subprocess.DEVNULL if content is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            self._running.add(process)
        if process.stdin is not None and content is not None:
            threading.Thread(target=_feed, args=(process.stdin, content), daemon=True).start()
        out, err = Kept(heard=on_output is not None), Kept(heard=on_output is not None)
        failed = list[Exception]()

        def hear(part: bytes) -> None:
            out.take(part)
            if on_output is not None and not failed:
                try:
                    on_output(part)
                except Exception as error:  # raised where the command is waited for
                    failed.append(error)

        drains = (
            begun(lambda: _drain(process.stdout, hear), "lingctl-out"),
            begun(lambda: _drain(process.stderr, err.take), "lingctl-err"),
        )
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            _kill(process)
            raise NodeError(
                f"{title}: no end after {timeout:g} s", where=self._node, code="command-timeout"
            ) from None
        except KeyboardInterrupt:
            # It has a session of its own, so that the terminal's Ctrl-C does not reach it.
            _kill(process)
            raise
        finally:
            with self._lock:
                self._running.discard(process)
                ended = self._closed
            wait(drains, _HELD_SECONDS)
        if ended:
            raise self._lost(title)
        if failed:
            raise failed[0]
        status = status if status >= 0 else 128 - status
        return Completed(command, status, out.text, err.text, out.truncated or err.truncated)

    def close(self) -> None:
        """End what runs: nobody hears its answer."""
        with self._lock:
            self._closed, running = True, list(self._running)
        for process in running:
            _kill(process)

    def _lost(self, title: str) -> ConnectError:
        return ConnectError(f"{title}: the connection was closed", where=self._node, code="connection-lost")


def _feed(stream: IO[bytes], content: Iterator[bytes]) -> None:
    """Send it; a command that ended before it had read all of it tells why itself."""
    with contextlib.suppress(OSError), stream:
        stream.writelines(content)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait()


def _drain(stream: IO[bytes] | None, take: OutputListener) -> None:
    """Read a stream to its end, so that it cannot fill up and block the command."""
    assert stream is not None
    while part := os.read(stream.fileno(), 65536):
        take(part)
