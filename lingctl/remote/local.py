"""This machine as a node: the same commands, without SSH."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from typing import IO

from lingctl.errors import ConnectError, NodeError
from lingctl.remote.command import Command
from lingctl.remote.connection import Completed, OutputListener
from lingctl.remote.shell_connection import ShellConnection
from lingctl.remote.wire.framing import Kept
from lingctl.remote.wire.sent import sent

LOCAL_NODE = "this machine"


class LocalConnection(ShellConnection):
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
        heard = on_output is not None
        out, err = _Drain(process.stdout, on_output, heard), _Drain(process.stderr, None, heard)
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
            # What went on in the background may hold the streams open; nobody waits for that.
            out.join(5)
            err.join(5)
        if ended:
            raise self._lost(title)
        if out.error is not None:
            raise out.error
        truncated = out.kept.truncated or err.kept.truncated
        status = status if status >= 0 else 128 - status
        return Completed(command, status, out.kept.text, err.kept.text, truncated)

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


class _Drain(threading.Thread):
    """Reads one stream to its end, so that neither can fill up and block the command."""

    def __init__(self, stream: IO[bytes] | None, listener: OutputListener | None, heard: bool) -> None:
        super().__init__(daemon=True)
        assert stream is not None
        self._stream = stream
        self._listener = listener
        self.kept = Kept(heard=heard)
        self.error: Exception | None = None  # the listener's own
        self.start()

    def run(self) -> None:
        """Read until the end."""
        while part := os.read(self._stream.fileno(), 65536):
            self.kept.take(part)
            if self._listener is None or self.error is not None:
                continue
            try:
                self._listener(part)
            except Exception as error:  # raised where the command is waited for
                self.error = error
