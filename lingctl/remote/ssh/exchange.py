"""One command on one SSH channel."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import paramiko

from lingctl.remote.command import Command
from lingctl.remote.completed import Completed, OutputListener
from lingctl.remote.wire.framing import ERR, OUT, Stream, framed

# A silent command is left alone for as long as its node answers a question now and then. TCP alone notices
# neither a frozen machine nor, with nothing to send, a link that was cut.
_PULSE_SECONDS = 5.0
_SILENCE_SECONDS = 20.0
# What comes wakes the one who waits; that there is room for more to send does not.
_SENDING_SECONDS = 0.002
# What is sent between two looks at what came: an answer must not wait for the end of a long upload.
_SENT_AT_ONCE = 1 << 20
_PACKET = 32 * 1024


class _News(threading.Event):
    """Set when something comes. paramiko clears it when one of the streams is empty; the other may not be."""

    def clear(self) -> None:
        """Nothing: only who looks at both streams may."""

    def heard(self) -> None:
        """Wait for something new from now on."""
        super().clear()


class NotRunError(Exception):
    """The login shell ended without running the command; the text is what it said instead."""


class EndlessError(Exception):
    """The command prints without end."""


class Exchange:
    """One command on one channel: both streams are read as they come, and its input sent, by one thread.

    No end-of-file is ever sent: paramiko may send it after the channel's close, and OpenSSH then ends
    the whole connection (paramiko issues 1115 and 1705). So a command that reads has to know how much.
    """

    def __init__(
        self,
        channel: paramiko.Channel,
        command: Command,
        listener: OutputListener | None,
        content: Iterator[bytes] | None = None,
        *,
        sudo: bool = False,
    ) -> None:
        """Start the command.

        Args:
            channel: a new one.
            command: what to run.
            listener: gets standard output as it comes.
            content: standard input; nothing is sent to a command that did not begin, for something else
                would read it.
            sudo: whether it runs by ``sudo``.
        """
        self._channel = channel
        self._content = content
        self._unsent = b""
        self._command = command
        self._news = _News()
        channel.in_buffer.set_event(self._news)
        channel.in_stderr_buffer.set_event(self._news)
        self._out = Stream(OUT, listener)
        self._err = Stream(ERR, heard=listener is not None)
        self._begun = self._asked = time.monotonic()
        channel.exec_command(framed(command.text, sudo=sudo))

    def finish(self, deadline: float) -> Completed:
        """Read to the end.

        Raises:
            TimeoutError: the deadline passed first.
            EOFError: the connection was lost before the command ended.
            NotRunError: something else was run in its place.
            EndlessError: it prints without end, and nobody hears it.
        """
        channel = self._channel
        while True:
            # In this order: an end that comes in between is news, and what came before an end is kept.
            self._news.heard()
            ended = channel.closed or (channel.eof_received and channel.exit_status_ready())
            self._drain()
            if self._out.endless or self._err.endless:
                raise EndlessError
            if ended:
                break
            if time.monotonic() >= deadline:
                raise TimeoutError
            self._feel_pulse()
            self._send()
            pause = _PULSE_SECONDS if self._content is None else _SENDING_SECONDS
            self._news.wait(min(pause, max(0.0, deadline - time.monotonic())))
        status = channel.recv_exit_status() if channel.exit_status_ready() else -1
        if status == -1 and not channel.get_transport().is_active():
            raise EOFError("the connection ended before the command did")
        if not self._out.begun:
            said = self._err.text or self._err.noise
            raise NotRunError(f"{self._out.noise}\n{said}\nexit status {status}".strip())
        return Completed(
            self._command,
            status if status >= 0 else 255,
            self._out.text,
            self._err.text if self._err.begun else self._err.noise,
            self._out.truncated or self._err.truncated,
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
            transport._send_user_message(question)  # type: ignore[attr-defined]  # paramiko's own, its types do not tell it

    def _send(self) -> None:
        if self._content is None or not self._out.begun:
            return
        sent = 0
        try:
            while sent < _SENT_AT_ONCE and self._channel.send_ready():
                if not self._unsent:
                    self._unsent = next(self._content)
                count = self._channel.send(self._unsent[:_PACKET])
                self._unsent = self._unsent[count:]
                sent += count
        except StopIteration:
            self._content = None
        except OSError:
            self._content = None  # it ended before it had read all of it, and tells why itself

    def _drain(self) -> None:
        channel = self._channel
        while channel.recv_ready():
            self._out.take(channel.recv(65536))
        while channel.recv_stderr_ready():
            self._err.take(channel.recv_stderr(65536))
