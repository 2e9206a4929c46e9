"""SFTP on an emulated node: its own files, by their real paths."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko import sftp

from lingctl.sandbox.node.ssh_session import end_message

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Subsystem(paramiko.SFTPServer):
    """SFTP that ends with an exit status, which scp passes on as its own."""

    def start_subsystem(self, name: str, transport: paramiko.Transport, channel: paramiko.Channel) -> None:
        """Serve until the client is done."""
        # paramiko answers a client's close at once, from another thread; sshd tells the exit status first.
        closing = channel._close_internal  # type: ignore[attr-defined]  # the one place both ways pass
        channel._close_internal = lambda: (_exit_status(channel), *closing())  # type: ignore[attr-defined]  # as above
        super().start_subsystem(name, transport, channel)

    def finish_subsystem(self) -> None:
        """Close the files, then the channel."""
        super().finish_subsystem()
        if isinstance(self.sock, paramiko.Channel):
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                self.sock.close()


def _exit_status(channel: paramiko.Channel) -> paramiko.Message | None:
    """The message that tells status 0; None where the channel is closed already."""
    if channel.closed:
        return None
    message = end_message(channel, "exit-status")
    message.add_int(0)
    return message


class NodeFiles(paramiko.SFTPServerInterface):
    """The part of SFTP that clients use for whole files and folders."""

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        """Entries with their attributes."""
        try:
            return [
                paramiko.SFTPAttributes.from_stat(entry.lstat(), entry.name) for entry in Path(path).iterdir()
            ]
        except OSError as error:
            return _status(error)

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        """Attributes, links followed."""
        try:
            return paramiko.SFTPAttributes.from_stat(Path(path).stat())
        except OSError as error:
            return _status(error)

    def lstat(self, path: str) -> paramiko.SFTPAttributes | int:
        """Attributes of a link itself."""
        try:
            return paramiko.SFTPAttributes.from_stat(Path(path).lstat())
        except OSError as error:
            return _status(error)

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        """A file to read or write."""
        try:
            mode = attr.st_mode if attr is not None and attr.st_mode is not None else 0o644
            descriptor = os.open(path, flags, mode)
            writes, both = flags & os.O_WRONLY, flags & os.O_RDWR
            file = os.fdopen(descriptor, "r+b" if both else "wb" if writes else "rb", buffering=0)
        except OSError as error:
            return _status(error)
        handle = _Handle(flags)
        handle.readfile = handle.writefile = file  # type: ignore[attr-defined]  # paramiko's own, its types do not tell it
        return handle

    def remove(self, path: str) -> int:
        """Delete a file."""
        return _did(lambda: Path(path).unlink())

    def rename(self, old: str, new: str) -> int:
        """Rename; SFTP's own kind refuses an existing target."""
        if Path(new).exists():
            return int(sftp.SFTP_FAILURE)
        return _did(lambda: Path(old).rename(new))

    def posix_rename(self, old: str, new: str) -> int:
        """Rename over an existing target."""
        return _did(lambda: Path(old).replace(new))

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        """Make a folder."""
        mode = attr.st_mode if attr is not None and attr.st_mode is not None else 0o755
        return _did(lambda: Path(path).mkdir(mode))

    def rmdir(self, path: str) -> int:
        """Remove an empty folder."""
        return _did(lambda: Path(path).rmdir())

    def chattr(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        """Change mode, owner, times or size."""
        return _did(lambda: paramiko.SFTPServer.set_file_attr(path, attr))

    def canonicalize(self, path: str) -> str:
        """Absolute path; relative ones start at the user's home."""
        return os.path.normpath(Path("/root") / path)


class _Handle(paramiko.SFTPHandle):
    """An open file whose write errors (a full disk) reach the client."""

    def write(self, offset: int, data: Buffer) -> int:
        """Write at an offset."""
        try:
            file = self.writefile  # type: ignore[attr-defined]  # set by paramiko's server
            os.pwrite(file.fileno(), data, offset)
        except OSError as error:
            return _status(error)
        return int(sftp.SFTP_OK)

    def stat(self) -> paramiko.SFTPAttributes | int:
        """Attributes of the open file."""
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))  # type: ignore[attr-defined]  # as above

    def chattr(self, attr: paramiko.SFTPAttributes) -> int:
        """Change the open file."""
        return _did(lambda: os.fchmod(self.readfile.fileno(), attr.st_mode or 0))  # type: ignore[attr-defined]  # as above


def _did(work: Callable[[], Any]) -> int:
    try:
        work()
    except OSError as error:
        return _status(error)
    return int(sftp.SFTP_OK)


def _status(error: OSError) -> int:
    return int(paramiko.SFTPServer.convert_errno(error.errno or 0))
