"""A command that ran to its end, and who hears what it prints meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lingctl.errors import NodeError
from lingctl.remote.command import Command

OutputListener = Callable[[bytes], None]


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
