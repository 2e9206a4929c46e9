"""What runs inside an SSH connection: commands with and without a terminal, and forwarded connections."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import paramiko

SHELL = "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh"
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "SHELL": SHELL,
}


class Terminal:
    """A pseudo terminal that a client asked for; opened when its command starts."""

    def __init__(self, kind: str, width: int, height: int) -> None:
        self.kind = kind
        self.master, self.slave = os.openpty()
        self.resize(width, height)

    def resize(self, width: int, height: int) -> None:
        """Tell the terminal its size in characters."""
        with contextlib.suppress(OSError):
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def execute(channel: paramiko.Channel, command: bytes | None, terminal: Terminal | None) -> None:
    """Run a command, or a login shell, and close the channel with its exit status as sshd does."""
    words = [SHELL, "-l"] if command is None else [SHELL, "-c", command.decode("utf-8", "surrogateescape")]
    environment = {
        **_ENVIRONMENT,
        "SSH_CONNECTION": "127.0.0.1 40000 127.0.0.1 22",
        "SSH_CLIENT": "127.0.0.1",
    }
    try:
        if terminal is None:
            status = _run(channel, words, environment)
        else:
            status = _run_in_terminal(channel, words, {**environment, "TERM": terminal.kind}, terminal)
    except OSError as error:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            channel.sendall_stderr(f"{error}\n".encode())
        status = 255
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        if status >= 0:
            channel.send_exit_status(status)
        else:
            _send_exit_signal(channel, -status)
        channel.shutdown_write()
        channel.close()


def _run(channel: paramiko.Channel, words: list[str], environment: dict[str, str]) -> int:
    """Without a terminal the session ends when the output does, even where the command ended before."""
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/root",
        env=environment,
        start_new_session=True,
    )
    assert process.stdin and process.stdout and process.stderr
    threading.Thread(target=_feed, args=(channel, process.stdin), daemon=True).start()
    errors = threading.Thread(target=_drain, args=(process.stderr, channel.sendall_stderr), daemon=True)
    errors.start()
    _drain(process.stdout, channel.sendall)
    errors.join()
    return process.wait()


def _run_in_terminal(
    channel: paramiko.Channel, words: list[str], environment: dict[str, str], terminal: Terminal
) -> int:
    """With a terminal the session ends with its command, and a client that leaves hangs up on it."""
    slave = terminal.slave
    process = subprocess.Popen(
        words,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd="/root",
        env=environment,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    with os.fdopen(terminal.master, "r+b", buffering=0) as master:
        feeding = threading.Thread(target=_type, args=(channel, master, process), daemon=True)
        feeding.start()
        _drain(master, channel.sendall)
        return process.wait()


def _type(channel: paramiko.Channel, master: IO[bytes], process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError, EOFError, ValueError):
        while data := channel.recv(65536):
            master.write(data)
    # The end of what was typed is not the end of the session; a client that has left is.
    while not channel.closed and process.poll() is None:
        time.sleep(0.1)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGHUP)


def _feed(channel: paramiko.Channel, sink: IO[bytes]) -> None:
    with contextlib.suppress(OSError, EOFError, ValueError):
        while data := channel.recv(65536):
            sink.write(data)
            sink.flush()
    with contextlib.suppress(OSError):
        sink.close()


def _drain(source: IO[bytes], send: Callable[[bytes], object]) -> None:
    sending = True
    # A terminal whose last user is gone ends in an error instead of an end of file.
    with contextlib.suppress(OSError):
        while data := os.read(source.fileno(), 65536):
            if sending:
                try:
                    send(data)
                except (OSError, EOFError, paramiko.SSHException):
                    sending = False  # the client left; the command goes on, as it does under sshd


def _send_exit_signal(channel: paramiko.Channel, number: int) -> None:
    message = end_message(channel, "exit-signal")
    message.add_string(signal.Signals(number).name.removeprefix("SIG"))
    message.add_boolean(False)
    message.add_string("")
    message.add_string("")
    transport = channel.get_transport()
    transport._send_user_message(message)  # type: ignore[attr-defined]  # paramiko has no call for this message


def end_message(channel: paramiko.Channel, kind: str) -> paramiko.Message:
    """A message that tells how what ran in a channel ended; the kind's own fields are to follow."""
    message = paramiko.Message()
    message.add_byte(bytes([98]))  # SSH_MSG_CHANNEL_REQUEST
    message.add_int(channel.remote_chanid)
    message.add_string(kind)
    message.add_boolean(False)
    return message


def forward(channel: paramiko.Channel, peer: socket.socket) -> None:
    """Pass on what a forwarded channel and its target say to each other."""
    peer.settimeout(None)
    back = threading.Thread(target=_copy, args=(peer, channel), daemon=True)
    back.start()
    _copy(channel, peer)
    with contextlib.suppress(OSError):
        peer.shutdown(socket.SHUT_WR)
    back.join()
    peer.close()
    channel.close()


def _copy(source: socket.socket | paramiko.Channel, sink: socket.socket | paramiko.Channel) -> None:
    with contextlib.suppress(OSError, EOFError):
        while data := source.recv(65536):
            sink.sendall(data)
    if isinstance(sink, paramiko.Channel):
        with contextlib.suppress(OSError, EOFError):
            sink.shutdown_write()
