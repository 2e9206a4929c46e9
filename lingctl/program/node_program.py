"""Our program on one node: asked, followed and understood in one way, whichever verb asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lingctl.errors import NodeError
from lingctl.node.progress import Report
from lingctl.program.answers import Answers, read_result
from lingctl.program.job import run_job
from lingctl.program.translate import program_error
from lingctl.remote.command import Command, command
from lingctl.remote.completed import Completed
from lingctl.remote.connection import Connection

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter on a node."""

    version: tuple[int, int]
    has_module: bool  # whether it has the module that was asked for; true where none was
    name: str  # by which it is found there
    path: str  # of its executable


class NodeProgram:
    """Our program where it can be run; see ``prepare``.

    Attributes:
        node: its name.
        pythons: those of the host, as far as they were looked for.
    """

    def __init__(self, connection: Connection, *before: str, pythons: Sequence[Python] = ()) -> None:
        """A program that is there already."""
        self.node = connection.node
        self.pythons = tuple(pythons)
        self._connection = connection
        self._before = before

    def command(self, *words: str | int) -> Command:
        """The program with arguments, as a command for its node."""
        return command(*self._before, *words)

    def ask(
        self,
        kind: type[T],
        *words: str | int,
        timeout: float = 60.0,
        hear: Report | None = None,
        jobs: str = "",
    ) -> T:
        """Run it to its end; its answer.

        Args:
            jobs: as for ``run_program``.

        Raises:
            LingctlError: what the program found wrong; see ``program_error``.
            ConnectError: the connection was lost; what the program began in the background goes on.
            NodeError: it gave no answer, or one that is not understood.
        """
        title = " ".join(map(str, words[:2]))
        done, result = run_program(
            self._connection, self.command(*words).titled(title), timeout=timeout, jobs=jobs, hear=hear
        )
        if result is None:
            raise NodeError(
                f"the node program gave no answer to {title}, exit status {done.exit_status}",
                where=self.node,
                evidence=done.last_words(),
                # Not known of a container: a command there tells no Python from a program that fails.
                remedy="" if self.pythons else "Python 3.9 or newer must be there as python3",
                code="command-failed" if self.pythons else "no-python",
            )
        try:
            return read_result(kind, result)
        except ValueError as error:
            raise NodeError(
                f"the node program's answer to {title} is not understood",
                where=self.node,
                evidence=str(error),
                code="program-answer",
            ) from error


def run_program(
    connection: Connection,
    command: Command,
    *,
    timeout: float,
    jobs: str = "",
    hear: Report | None = None,
    doing: str = "",
) -> tuple[Completed, Mapping[str, Any] | None]:
    """Run a command that may be our program; how it ended, and its result if it gave one.

    Args:
        jobs: folder of jobs on the node for a command that outlives the connection (see ``run_job``).

    Raises:
        LingctlError: what the program found wrong; see ``program_error``.
        ConnectError: the connection was lost.
        NodeError: the time limit passed.
    """
    answers = Answers(hear)
    if jobs:
        done = run_job(connection, jobs, command, timeout=timeout, on_output=answers)
    else:
        done = connection.run(command, timeout=timeout, on_output=answers)
    if answers.trouble is not None:
        raise program_error(answers.trouble, connection.node, doing)
    return done, answers.result
