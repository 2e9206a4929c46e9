"""One node over SSH: a checked host key, key login, commands and small files, every wait bounded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import paramiko

from lingctl.errors import ConnectError, NodeError
from lingctl.inventory.sections import Ssh
from lingctl.remote.command import Command
from lingctl.remote.connection import Completed, OutputListener
from lingctl.remote.exchange import Exchange, NotRunError
from lingctl.remote.forward import forward_port
from lingctl.remote.login import by_hand, log_in
from lingctl.remote.watchdog import Watchdog

_watchdog = Watchdog()


class SshConnection:
    """A logged-in connection to one node.

    At most four commands may run on it at a time: sshd's MaxSessions is 10, and a slot is freed late.
    """

    def __init__(self, node: str, host: str, settings: Ssh) -> None:
        """Connect, check the host key and log in.

        Raises:
            ConnectError: any of that failed; the code tells which.
        """
        self._node = node
        self._host = host
        self._settings = settings
        self._slots = threading.BoundedSemaphore(4)
        self._sftp_lock = threading.Lock()
        self._sftp: paramiko.SFTPClient | None = None
        self._transport = log_in(node, host, settings)

    @property
    def node(self) -> str:
        """Name of the node."""
        return self._node

    def run(
        self, command: Command, *, timeout: float = 60.0, on_output: OutputListener | None = None
    ) -> Completed:
        """See ``Connection.run``."""
        title = command.title or command.text.splitlines()[0][:120]
        deadline = time.monotonic() + timeout
        with self._slots, self._bounded(timeout + 5, title):
            channel = self._open_channel()
            try:
                return Exchange(channel, command, on_output).finish(deadline)
            except TimeoutError:
                raise NodeError(
                    f"{title}: no end after {timeout:g} s", where=self._node, code="command-timeout"
                ) from None
            except NotRunError as error:
                raise NodeError(
                    f"{title}: the login shell did not run it",
                    where=self._node,
                    evidence=str(error),
                    remedy=f"try by hand: {by_hand(self._host, self._settings)} echo ok\n"
                    "look at the user's shell and ~/.bashrc there, ForceCommand in its sshd_config, and "
                    "command= in authorized_keys",
                    code="not-run",
                ) from error
            finally:
                channel.close()

    def put(self, content: bytes | Path, path: str, *, mode: int) -> None:
        """See ``Connection.put``."""
        target = PurePosixPath(path)
        part = f"{target.parent}/.{target.name}.part"
        try:
            with self._sftp_lock, self._bounded(_transfer_seconds(content), f"write {path}"):
                sftp = self._open_sftp()
                _make_parents(sftp, target.parent)
                with sftp.file(part, "wb") as file:
                    file.set_pipelined(True)
                    # Its mode is right before its first byte is.
                    sftp.chmod(part, mode)
                    for block in _blocks(content):
                        file.write(block)
                sftp.posix_rename(part, path)
        except OSError as error:
            raise NodeError(
                f"cannot write {path}: {_reason(error)}",
                where=self._node,
                remedy=f"look at free space and permissions: df -h {target.parent}; ls -ld {target.parent}",
                code="write-failed",
            ) from error

    def get(self, path: str) -> bytes:
        """See ``Connection.get``."""
        try:
            with (
                self._sftp_lock,
                self._bounded(60, f"read {path}"),
                self._open_sftp().file(path, "rb") as file,
            ):
                return bytes(file.read())
        except OSError as error:
            raise NodeError(
                f"cannot read {path}: {_reason(error)}", where=self._node, code="read-failed"
            ) from error

    @contextmanager
    def forward(self, host: str, port: int) -> Iterator[tuple[str, int]]:
        """A local address whose connections come out on the node, to ``host:port``."""
        with forward_port(self._transport, host, port) as address:
            yield address

    def close(self) -> None:
        """See ``Connection.close``."""
        self._transport.close()

    @contextmanager
    def _bounded(self, seconds: float, doing: str) -> Iterator[None]:
        """Turn a lost or silent connection into one kind of error, and never wait for longer."""
        silent = threading.Event()

        def give_up() -> None:
            silent.set()
            self._transport.close()

        try:
            with _watchdog.guard(seconds, give_up):
                yield
        except (paramiko.SSHException, EOFError, ConnectionError) as error:
            why = f"no answer for {seconds:g} s" if silent.is_set() else "the connection was lost"
            raise ConnectError(
                f"{doing}: {why}",
                where=self._node,
                evidence=str(error),
                remedy=f"see whether the machine is up: ping {self._host}",
                code="connection-lost",
            ) from error

    def _open_channel(self) -> paramiko.Channel:
        for pause in (0.05, 0.2, 0.8, None):
            try:
                return self._transport.open_session(timeout=15)
            except paramiko.ChannelException:
                # sshd frees a session's slot a little after its end.
                if pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _open_sftp(self) -> paramiko.SFTPClient:
        if self._sftp is None:
            try:
                self._sftp = paramiko.SFTPClient(self._open_subsystem())
            except (paramiko.SSHException, paramiko.SFTPError, EOFError) as error:
                if not self._transport.is_active():
                    raise EOFError("the connection ended") from error
                raise self._sftp_error(error) from error
        return self._sftp

    def _sftp_error(self, error: Exception) -> NodeError:
        # The text's first bytes are taken for a length; paramiko says so with this word (OpenSSH's own client
        # says "Received message too long"). Where sshd serves files itself, no shell is started.
        prints = "Garbage" in str(error)
        internal = "in its sshd_config: Subsystem sftp internal-sftp; then: systemctl reload sshd"
        shell = "make ~/.bashrc (or its ForceCommand) there print nothing where there is no terminal"
        return NodeError(
            "its login shell prints text into the file transfer"
            if prints
            else "its SSH server offers no SFTP",
            where=self._node,
            evidence=str(error) or "it ends at once",
            remedy=f"{shell}\nor {internal}" if prints else f"{internal}\n{shell}",
            code="sftp-noise" if prints else "no-sftp",
        )

    def _open_subsystem(self) -> paramiko.Channel:
        channel = self._open_channel()
        channel.invoke_subsystem("sftp")
        return channel


def _make_parents(sftp: paramiko.SFTPClient, directory: PurePosixPath) -> None:
    missing: list[PurePosixPath] = []
    for candidate in (directory, *directory.parents):
        try:
            sftp.stat(str(candidate))
            break
        except FileNotFoundError:
            missing.append(candidate)
    for path in reversed(missing):
        sftp.mkdir(str(path), 0o750)


def _blocks(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while block := file.read(1 << 20):
            yield block


def _transfer_seconds(content: bytes | Path) -> float:
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    return 60 + size / 1_000_000


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
