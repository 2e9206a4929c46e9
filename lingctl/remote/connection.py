"""What every connection to a node can do, however it gets there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from lingctl.errors import NodeError
from lingctl.remote.command import Command
from lingctl.remote.upload import WriteFile

OutputListener = Callable[[bytes], None]


def nobody(_file: WriteFile) -> None:
    """Hears of a file and does nothing."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ran to its end."""

    command: Command
    exit_status: int  # of the node's shell; 255 when a signal ended it
    stdout: str  # what it printed, decoded as UTF-8 with replacement
    stderr: str  # what it printed on the error stream
    truncated: bool = False  # true when more was printed than we keep

    @property
    def ok(self) -> bool:
        """Whether the exit status was 0."""
        return self.exit_status == 0

    def last_words(self, lines: int = 5) -> str:
        """The end of what it said, the error stream first: the evidence for an error."""
        said = self.stderr.strip() or self.stdout.strip()
        return "\n".join(said.splitlines()[-lines:])

    def checked(self, node: str, remedy: str = "") -> Completed:
        """Itself if it succeeded. Raises NodeError: it did not; quotes its last words."""
        if self.ok:
            return self
        raise NodeError(
            f"{self.command.in_short}: exit status {self.exit_status}",
            where=node,
            evidence=self.last_words(),
            remedy=remedy,
            code="command-failed",
        )


class Connection(Protocol):
    """One node, ready to take commands. Every call has a time limit; nothing waits for ever."""

    @property
    def node(self) -> str:
        """Name of the node, as in hosts.yaml."""

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

    def put(self, *files: WriteFile, placed: Callable[[WriteFile], None] = nobody) -> None:
        """Write files: each complete under its name, with its mode, or not at all. Makes parents (0750).

        It returns when the node has confirmed their contents by their digests, and its disk that it has them.
        None is put in place before all have arrived.

        Args:
            placed: hears of each that is in place, also where a later one then fails.

        Raises:
            ConnectError: the connection was lost; of each, the old file is there or the whole new one.
            NodeError: one could not be written (``write-failed``, ``disk-full``); it is as it was.
        """

    def get(self, path: str) -> bytes:
        """Read a file of at most 64 MiB. Raises NodeError: it is longer, not there, or cannot be read."""

    def close(self) -> None:
        """Give the connection back. May be called twice."""


@runtime_checkable
class CanForward(Protocol):
    """A connection through which tunnels can be opened."""

    def forward(self, host: str, port: int) -> AbstractContextManager[tuple[str, int]]:
        """See ``SshConnection.forward``."""
