"""What every connection to a node can do, however it gets there: commands and files go by the same way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from lingctl.errors import NodeError
from lingctl.remote.command import Command, command
from lingctl.remote.completed import Completed, OutputListener
from lingctl.remote.putting import check_put, put_command
from lingctl.remote.upload import WriteFile

# Of a file that is read: a record of a release, or a part of an answer, has a hundredth of it.
_MOST_BYTES = 64 << 20


class Connection(ABC):
    """One node, ready to take commands. Every call has a time limit; nothing waits for ever."""

    def __init__(self, node: str) -> None:
        self._node = node

    @property
    def node(self) -> str:
        """Name of the node, as in hosts.yaml."""
        return self._node

    def run(
        self, command: Command, *, timeout: float = 60.0, on_output: OutputListener | None = None
    ) -> Completed:
        """Run to the end and return what it said; any exit status is an answer.

        What the login shell printed before the command began is no part of it.

        Args:
            command: what to run, by the node's ``sh``.
            on_output: gets standard output as it arrives; only the end of what was said is kept then.

        Raises:
            ConnectError: the connection was lost.
            NodeError: the time limit passed (code ``command-timeout``), it prints without end
                (``output-endless``), or the login shell ran something else (``not-run``).
        """
        return self._run(command, timeout, on_output, None)

    def put(self, *files: WriteFile, placed: Callable[[WriteFile], None] = lambda _: None) -> None:
        """Write files: each complete under its name, with its mode, or not at all. Makes parents (0750).

        It returns when the node has confirmed their contents by their digests, and its disk that it has them.
        None is put in place before all have arrived.

        Args:
            placed: hears of each that is in place, also where a later one then fails.

        Raises:
            ConnectError: the connection was lost; of each, the old file is there or the whole new one.
            NodeError: one could not be written (``write-failed``, ``disk-full``); it is as it was.
        """
        seconds = 60 + sum(len(file.content) for file in files) / 1_000_000
        content = (block for file in files for block in file.blocks())
        done = self._run(put_command(files), seconds, None, content)
        check_put(done, files, placed, self._node)

    def get(self, path: str) -> bytes:
        """Read a file of at most 64 MiB. Raises NodeError: it is longer, not there, or cannot be read."""
        content = bytearray()
        read = command("head", "-c", _MOST_BYTES + 1, path, title=f"read {path}")
        done = self.run(read, on_output=content.extend)
        if not done.ok or len(content) > _MOST_BYTES:
            why = done.last_words(1).rpartition(": ")[2]
            raise NodeError(
                f"cannot read {path}: {why if not done.ok else f'it is longer than {_MOST_BYTES >> 20} MiB'}",
                where=self._node,
                evidence="" if done.ok else done.last_words(),
                remedy=f"look on the node: {command('ls', '-l', path)}",
                code="read-failed",
            )
        return bytes(content)

    @abstractmethod
    def close(self) -> None:
        """Give the connection back. May be called twice."""

    @abstractmethod
    def _run(
        self,
        command: Command,
        timeout: float,
        on_output: OutputListener | None,
        content: Iterator[bytes] | None,
    ) -> Completed:
        """As ``run``, with standard input: what reads it knows how much there is."""


@runtime_checkable
class CanForward(Protocol):
    """A connection through which tunnels can be opened."""

    def forward(self, host: str, port: int) -> AbstractContextManager[tuple[str, int]]:
        """See ``SshConnection.forward``."""
