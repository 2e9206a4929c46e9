"""One error type per kind of trouble: what and where, the evidence, the remedy, and an exit status.

Exit statuses: 0 done, 1 failed on a node, 2 usage or configuration, 3 findings or partial,
4 unreachable or not logged in, 5 locked; 130, 143 or 129 when Ctrl-C, SIGTERM or SIGHUP ended it.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import ClassVar, Self


class LingctlError(Exception):
    """Root of every error that a user is meant to read.

    Args:
        what: what went wrong, one sentence.
        where: node, card, file:line:col or field it happened at.
        evidence: the line or value that shows it.
        remedy: what to type or change next; where it is not said, what the catalogue says of the code.
        code: stable name of this message, for searching the docs.
        also: others of the kind that were found with it, in the order in which a reader would mend them.
    """

    exit_status: ClassVar[int] = 1
    default_code: ClassVar[str] = "failed"

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        evidence: str = "",
        remedy: str = "",
        code: str = "",
        also: Sequence[LingctlError] = (),
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.evidence = evidence
        self.code = code or self.default_code
        self.remedy = remedy
        self.also = tuple(also)

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what

    @property
    def remedy(self) -> str:
        """What to type or change next."""
        if self._remedy or self.code == self.default_code:
            return self._remedy
        from lingctl.codes.catalogue import usual_remedy  # read when it is shown: it takes a moment

        return usual_remedy(self.code)

    @remedy.setter
    def remedy(self, text: str) -> None:
        self._remedy = text

    def but(self, **changed: object) -> Self:
        """The same error with other words: ``what``, ``where``, ``evidence``, ``remedy`` or ``also``."""
        other = copy(self)
        for name, value in changed.items():
            setattr(other, name, value)
        return other


class UsageError(LingctlError):
    """The command line asks for something that cannot be."""

    exit_status = 2
    default_code = "usage"


class ConfigurationError(LingctlError):
    """hosts.yaml, a rendered file or a model's config says something that cannot be."""

    exit_status = 2
    default_code = "configuration"


def as_one_error(errors: Sequence[ConfigurationError]) -> ConfigurationError:
    """The first of several mistakes, with the others beside it."""
    first, *others = errors
    return first.but(also=tuple(others))


class ChecksFailed(LingctlError):
    """Checks ran to their end and found trouble, or could judge only a part."""

    exit_status = 3
    default_code = "findings"


class ConnectError(LingctlError):
    """A node could not be reached, is not who it should be, or did not let us in."""

    exit_status = 4
    default_code = "connect"


class LockedError(LingctlError):
    """Another lingctl is changing this cluster."""

    exit_status = 5
    default_code = "locked"


class NodeError(LingctlError):
    """A command on a node failed, timed out or answered nonsense."""

    default_code = "node"


class NotAskedError(NodeError):
    """A node was left out on purpose, so what depends on it is unknown."""

    default_code = "not-asked"


class WeightsError(LingctlError):
    """A checkpoint is missing, incomplete, damaged or not what it claims to be."""

    default_code = "weights"


class EngineError(LingctlError):
    """MindIE refused to start, died, or answers wrongly."""

    default_code = "engine"


class SandboxError(LingctlError):
    """The emulated cluster could not be built, found or changed."""

    default_code = "sandbox"


class Interrupted(LingctlError):
    """The user pressed Ctrl-C."""

    exit_status = 130
    default_code = "interrupted"


class InternalError(LingctlError):
    """A defect of lingctl, met in one node's work."""

    default_code = "internal"


class Terminated(Interrupted):
    """SIGTERM came: somebody, or the system, wants it to end."""

    exit_status = 143
    default_code = "terminated"


class HungUp(Interrupted):
    """SIGHUP came: its terminal is gone."""

    exit_status = 129
    default_code = "hung-up"
