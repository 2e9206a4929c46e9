"""One command on one SSH channel."""

from __future__ import annotations

import threading
import time

import paramiko

from lingctl.remote.command import Command
from lingctl.remote.connection import Completed, OutputListener

_MOST_OUTPUT = 64 * 1024 * 1024
# A silent command is left alone for as long as its node answers a question now and then. TCP alone notices
# neither a frozen machine nor, with nothing to send, a link that was cut.
_PULSE_SECONDS = 5.0
_SILENCE_SECONDS = 20.0


class Exchange:
    """One command on one channel: both streams are read as they come, by one thread.

    No end-of-file is ever sent: paramiko may send it after the channel's close, and OpenSSH then ends
    the whole connection (paramiko issues 1115 and 1705).
    """

    def __init__(self, channel: paramiko.Channel, command: Command, listener: OutputListener | None) -> None:
        self._channel = channel
        self._command = command
        self._listener = listener
        self._news = threading.Event()
        channel.in_buffer.set_event(self._news)
        channel.in_stderr_buffer.set_event(self._news)
        self._out = bytearray()
        self._err = bytearray()
        self._truncated = False
        self._begun = self._asked = time.monotonic()
        channel.exec_command(command.text)

    def finish(self, deadline: float) -> Completed:
        """Read to the end.

        Raises:
            TimeoutError: the deadline passed first.
            EOFError: the connection was lost before the command ended.
        """
        channel = self._channel
        while True:
            ended = channel.closed or (channel.eof_received and channel.exit_status_ready())
            self._news.clear()
            self._drain()
            if ended:
                break
            if time.monotonic() >= deadline:
                raise TimeoutError
            self._feel_pulse()
            self._news.wait(min(0.05, max(0.0, deadline - time.monotonic())))
        status = channel.recv_exit_status() if channel.exit_status_ready() else -1
        if status == -1 and not channel.get_transport().is_active():
            raise EOFError("the connection ended before the command did")
        return Completed(
            self._command,
            status if status >= 0 else 255,
            self._out.decode("utf-8", "replace"),
            self._err.decode("utf-8", "replace"),
            self._truncated,
        )

    def _feel_pulse(self) -> None:
        now = time.monotonic()
        transport = self._channel.get_transport()
        heard = getattr(transport.sock, "heard_at", now)  # a jump host's channel does not tell
        if now - max(heard, self._begun) > _SILENCE_SECONDS:
            raise EOFError(f"the node has said nothing for {_SILENCE_SECONDS:g} s, not even to a question")
        if now - self._asked >= _PULSE_SECONDS:
            self._asked = now
            question = paramiko.Message()
            question.add_byte(paramiko.common.cMSG_GLOBAL_REQUEST)
            question.add_string("keepalive@openssh.com")
            question.add_boolean(True)
            # The public way asks for no answer, and an answer is what we want to hear.
            transport._send_user_message(question)  # type: ignore[attr-defined]

    def _drain(self) -> None:
        channel = self._channel
        while channel.recv_ready():
            part = channel.recv(65536)
            if self._listener and part:
                self._listener(part)
            self._keep(self._out, part)
        while channel.recv_stderr_ready():
            self._keep(self._err, channel.recv_stderr(65536))

    def _keep(self, kept: bytearray, part: bytes) -> None:
        room = _MOST_OUTPUT - len(kept)
        kept += part[:room]
        self._truncated = self._truncated or len(part) > room
