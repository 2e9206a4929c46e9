"""SFTP on an emulated node: its own files, by their real paths."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import paramiko
from paramiko import sftp

from lingctl.sandbox.node.ssh_session import end_message

if TYPE_CHECKING:
    from typing_extensions import Buffer

_P = ParamSpec("_P")
_T = TypeVar("_T")


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


def _told(work: Callable[_P, _T | None]) -> Callable[_P, _T | int]:
    """A request that answers with what it gives, or that all went well, or why it did not."""

    @wraps(work)
    def told(*given: _P.args, **named: _P.kwargs) -> _T | int:
        try:
            found = work(*given, **named)
        except OSError as error:
            return int(paramiko.SFTPServer.convert_errno(error.errno or 0))
        return int(sftp.SFTP_OK) if found is None else found

    return told


class NodeFiles(paramiko.SFTPServerInterface):
    """The part of SFTP that clients use for whole files and folders."""

    @_told
    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes]:
        """Entries with their attributes."""
        return [
            paramiko.SFTPAttributes.from_stat(entry.lstat(), entry.name) for entry in Path(path).iterdir()
        ]

    @_told
    def stat(self, path: str) -> paramiko.SFTPAttributes:
        """Attributes, links followed."""
        return paramiko.SFTPAttributes.from_stat(Path(path).stat())

    @_told
    def lstat(self, path: str) -> paramiko.SFTPAttributes:
        """Attributes of a link itself."""
        return paramiko.SFTPAttributes.from_stat(Path(path).lstat())

    @_told
    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle:
        """A file to read or write."""
        mode = attr.st_mode if attr is not None and attr.st_mode is not None else 0o644
        descriptor = os.open(path, flags, mode)
        writes, both = flags & os.O_WRONLY, flags & os.O_RDWR
        file = os.fdopen(descriptor, "r+b" if both else "wb" if writes else "rb", buffering=0)
        handle = _Handle(flags)
        handle.readfile = handle.writefile = file  # type: ignore[attr-defined]  # paramiko's own, its types do not tell it
        return handle

    @_told
    def remove(self, path: str) -> None:
        """Delete a file."""
        Path(path).unlink()

    @_told
    def rename(self, old: str, new: str) -> int | None:
        """Rename; SFTP's own kind refuses an existing target."""
        if Path(new).exists():
            return int(sftp.SFTP_FAILURE)
        Path(old).rename(new)
        return None

    @_told
    def posix_rename(self, old: str, new: str) -> None:
        """Rename over an existing target."""
        Path(old).replace(new)

    @_told
    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> None:
        """Make a folder."""
        Path(path).mkdir(attr.st_mode if attr is not None and attr.st_mode is not None else 0o755)

    @_told
    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        Path(path).rmdir()

    @_told
    def chattr(self, path: str, attr: paramiko.SFTPAttributes) -> None:
        """Change mode, owner, times or size."""
        paramiko.SFTPServer.set_file_attr(path, attr)

    def canonicalize(self, path: str) -> str:
        """Absolute path; relative ones start at the user's home."""
        return os.path.normpath(Path("/root") / path)


class _Handle(paramiko.SFTPHandle):
    """An open file whose write errors (a full disk) reach the client."""

    @_told
    def write(self, offset: int, data: Buffer) -> None:
        """Write at an offset."""
        os.pwrite(self.writefile.fileno(), data, offset)  # type: ignore[attr-defined]  # set by paramiko's server

    @_told
    def stat(self) -> paramiko.SFTPAttributes:
        """Attributes of the open file."""
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))  # type: ignore[attr-defined]  # as above

    @_told
    def chattr(self, attr: paramiko.SFTPAttributes) -> None:
        """Change the open file."""
        os.fchmod(self.readfile.fileno(), attr.st_mode or 0)  # type: ignore[attr-defined]  # as above
