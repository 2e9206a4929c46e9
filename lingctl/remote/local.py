"""This machine as a node: the same commands, without SSH."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO

from lingctl.errors import NodeError
from lingctl.remote.command import Command
from lingctl.remote.connection import Completed, OutputListener

LOCAL_NODE = "this machine"


class LocalConnection:
    """Runs commands here, with the caller's rights."""

    def __init__(self, node: str = LOCAL_NODE) -> None:
        self._node = node

    @property
    def node(self) -> str:
        """The name it was given."""
        return self._node

    def run(
        self, command: Command, *, timeout: float = 60.0, on_output: OutputListener | None = None
    ) -> Completed:
        """See ``Connection.run``."""
        process = subprocess.Popen(
            ["/bin/sh", "-c", command.text],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        out, err = _Drain(process.stdout, on_output), _Drain(process.stderr, None)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            _kill(process)
            raise NodeError(
                f"{command.title or command.text.splitlines()[0][:120]}: no end after {timeout:g} s",
                where=self._node,
                code="command-timeout",
            ) from None
        except KeyboardInterrupt:
            # It has a session of its own, so that the terminal's Ctrl-C does not reach it.
            _kill(process)
            raise
        finally:
            # What went on in the background may hold the streams open; nobody waits for that.
            out.join(5)
            err.join(5)
        return Completed(command, status if status >= 0 else 128 - status, out.text, err.text)

    def put(self, content: bytes | Path, path: str, *, mode: int) -> None:
        """See ``Connection.put``."""
        target = Path(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            handle, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content if isinstance(content, bytes) else content.read_bytes())
                    os.fchmod(handle, mode)
                    file.flush()
                    os.fsync(handle)
                Path(part).replace(target)
            finally:
                Path(part).unlink(missing_ok=True)
        except OSError as error:
            raise NodeError(
                f"cannot write {path}: {error.strerror}", where=self._node, code="write-failed"
            ) from error

    def get(self, path: str) -> bytes:
        """See ``Connection.get``."""
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise NodeError(
                f"cannot read {path}: {error.strerror}", where=self._node, code="read-failed"
            ) from error

    def close(self) -> None:
        """Nothing to give back."""


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait()


class _Drain(threading.Thread):
    """Reads one stream to its end, so that neither can fill up and block the command."""

    def __init__(self, stream: IO[bytes] | None, listener: OutputListener | None) -> None:
        super().__init__(daemon=True)
        assert stream is not None
        self._stream = stream
        self._listener = listener
        self._parts: list[bytes] = []
        self.start()

    def run(self) -> None:
        """Read until the end."""
        while part := os.read(self._stream.fileno(), 65536):
            self._parts.append(part)
            if self._listener:
                self._listener(part)

    @property
    def text(self) -> str:
        """What was read so far."""
        return b"".join(self._parts).decode("utf-8", "replace")
