"""This machine as a node: the same commands, without SSH."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from lingctl.errors import ConnectError, NodeError
from lingctl.node.disk import disk_of
from lingctl.node.folders import make_folder
from lingctl.remote.command import Command
from lingctl.remote.connection import Completed, OutputListener, nobody
from lingctl.remote.putting import write_error
from lingctl.remote.upload import WriteFile
from lingctl.remote.wire.framing import Kept
from lingctl.remote.wire.sent import sent

LOCAL_NODE = "this machine"


class LocalConnection:
    """Runs commands here, with the caller's rights."""

    def __init__(self, node: str = LOCAL_NODE) -> None:
        self._node = node
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False
        self._lock = threading.Lock()

    @property
    def node(self) -> str:
        """The name it was given."""
        return self._node

    def run(
        self, command: Command, *, timeout: float = 60.0, on_output: OutputListener | None = None
    ) -> Completed:
        """See ``Connection.run``."""
        title = command.title or command.text.splitlines()[0][:120]
        sent(self._node, command)
        with self._lock:
            if self._closed:
                raise self._lost(title)
            process = subprocess.Popen(
                ["/bin/sh", "-c", command.text],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            self._running.add(process)
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

    def put(self, *files: WriteFile, placed: Callable[[WriteFile], None] = nobody) -> None:
        """See ``Connection.put``."""
        for file in files:
            sent(self._node, Command(f"write {shlex.quote(file.path)}"))
        with contextlib.ExitStack() as parts:
            ready = [(file, self._part(file, parts)) for file in files]
            for file, part in ready:
                with self._telling(file):
                    part.replace(file.path)
                placed(file)

    def _part(self, file: WriteFile, parts: contextlib.ExitStack) -> Path:
        """The file under a name beside its own, which is gone when ``parts`` is closed."""
        target = Path(file.path)
        with self._telling(file):
            if not target.parent.is_dir():
                make_folder(str(target.parent))
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
            part = Path(name)
            parts.callback(part.unlink, missing_ok=True)
            with os.fdopen(handle, "wb") as written:
                os.fchmod(handle, file.mode)
                written.write(file.content)
                written.flush()
                os.fsync(handle)
        return part

    @contextlib.contextmanager
    def _telling(self, file: WriteFile) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why, folder = error.strerror or str(error), str(Path(file.path).parent)
            raise write_error(file.path, why, disk_of(folder), self._node) from error

    def get(self, path: str) -> bytes:
        """See ``Connection.get``."""
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise NodeError(
                f"cannot read {path}: {error.strerror}", where=self._node, code="read-failed"
            ) from error

    def close(self) -> None:
        """End what runs: nobody hears its answer."""
        with self._lock:
            self._closed, running = True, list(self._running)
        for process in running:
            _kill(process)

    def _lost(self, title: str) -> ConnectError:
        return ConnectError(f"{title}: the connection was closed", where=self._node, code="connection-lost")


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
