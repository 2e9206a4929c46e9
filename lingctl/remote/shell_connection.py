"""A connection that can run shell text: commands and files go to its node by the same way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

from lingctl.errors import NodeError
from lingctl.remote.command import Command, command
from lingctl.remote.connection import Completed, OutputListener, nobody
from lingctl.remote.putting import check_put, put_command
from lingctl.remote.upload import WriteFile

# Of a file that is read: a record of a release, or a part of an answer, has a hundredth of it.
_MOST_BYTES = 64 << 20


class ShellConnection(ABC):
    """A ``Connection``, but for its end; how a command runs is its own."""

    def __init__(self, node: str) -> None:
        self._node = node

    @property
    def node(self) -> str:
        """Name of the node."""
        return self._node

    def run(
        self, command: Command, *, timeout: float = 60.0, on_output: OutputListener | None = None
    ) -> Completed:
        """See ``Connection.run``."""
        return self._run(command, timeout, on_output, None)

    def put(self, *files: WriteFile, placed: Callable[[WriteFile], None] = nobody) -> None:
        """See ``Connection.put``."""
        seconds = 60 + sum(len(file.content) for file in files) / 1_000_000
        content = (block for file in files for block in file.blocks())
        done = self._run(put_command(files), seconds, None, content)
        check_put(done, files, placed, self._node)

    def get(self, path: str) -> bytes:
        """See ``Connection.get``."""
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
    def _run(
        self,
        command: Command,
        timeout: float,
        on_output: OutputListener | None,
        content: Iterator[bytes] | None,
    ) -> Completed:
        """As ``run``, with standard input: what reads it knows how much there is."""
