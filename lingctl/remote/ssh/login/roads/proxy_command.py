"""A server that is reached through a program (``ProxyCommand``): its input and output are the connection."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

from lingctl.remote.ssh.quick_socket import QuickSocket

_MOST_WORDS = 4000
_END_SECONDS = 2.0


class ProxyCommand(QuickSocket):
    """Our end of a connection through a program; ``close`` ends both."""

    def __init__(self, descriptor: int, process: subprocess.Popen[bytes]) -> None:
        super().__init__(fileno=descriptor)
        self._process = process
        self._words = bytearray()
        self._listener = threading.Thread(target=self._listen, name="lingctl-proxy", daemon=True)
        self._listener.start()
        self.heard_at = time.monotonic()

    @property
    def last_words(self) -> str:
        """The end of what the program said on its error stream."""
        self._listener.join(0.5)
        return bytes(self._words[-_MOST_WORDS:]).decode("utf-8", "replace").strip()

    def close(self) -> None:
        """End the program, and all that it started."""
        super().close()
        if self._process.returncode is not None:
            return
        for number, seconds in ((signal.SIGTERM, _END_SECONDS), (signal.SIGKILL, None)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
                return

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            while part := stream.read1(4096):  # type: ignore[attr-defined]  # a pipe is buffered
                self._words += part
                del self._words[:-_MOST_WORDS]


def through_command(command: str, timeout: float) -> ProxyCommand:
    """Run a command line by the user's shell, as OpenSSH does. Raises OSError: the shell cannot be run."""
    ours, theirs = socket.socketpair()
    with theirs:
        shell = os.environ.get("SHELL") or "/bin/sh"
        process = subprocess.Popen(
            [shell, "-c", f"exec {command}"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.PIPE,
            # Without a terminal it asks nobody for a password.
            start_new_session=True,
        )
    road = ProxyCommand(ours.detach(), process)
    road.settimeout(timeout)
    return road
