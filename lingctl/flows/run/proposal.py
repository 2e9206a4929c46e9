"""A change as it was planned, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from lingctl.errors import LingctlError
from lingctl.events import Listener
from lingctl.findings import Finding
from lingctl.flows.run.change import Change
from lingctl.plan import Difference, Plan
from lingctl.remote.group import Group

R = TypeVar("R")
# What follows the steps of a plan: it waits, looks or proves, and may have something to give back.
Part = Callable[[Group, Listener], R | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal(Generic[R]):
    """What is planned: how it is done, and what a person should know before they agree."""

    command: str  # what others are told, and what the journal says
    question: str  # what agreeing means
    plan: Plan  # the steps
    # does them, the cluster's lock being held; None where ``execute`` does
    run: Callable[[Group, Listener, Change], R | None] | None = None
    locked: tuple[Part[R], ...] = ()  # what follows while the lock is still held
    afterwards: tuple[Part[R], ...] = ()  # what follows once it is given back
    unchanged: tuple[Part[R], ...] = ()  # what is done instead of all these where nothing has to change
    # what is given back where nothing has to change, if no part of ``unchanged`` gives anything
    seen: R | None = None
    release: str = ""  # id of the recorded release that it goes back to; empty where it goes to none
    unfit: LingctlError | None = None  # what was found wrong although nothing has to change
    heading: str = ""  # to be told first; may be empty
    findings: tuple[Finding, ...] = ()  # what checks found
    instead: tuple[str, ...] = ()  # what tells more than the plan's own table; empty where the table does
    # of files that are changed by what its steps start, and not by the steps themselves
    differences: tuple[Difference, ...] = ()
    # what the nodes are like where nothing has to change, in words after ``as``
    wanted: str = "hosts.yaml asks"
    remarks: tuple[str, ...] = ()  # to be told last


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """What became of a proposal."""

    proposal: Proposal[R]
    # ``planned`` for a dry run, ``unchanged`` as nothing had to, ``declined``, ``changed``
    state: Literal["planned", "unchanged", "declined", "changed"]
    result: R | None = None  # what its parts gave back, the last of them: a deploy's, the proof

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return self.state == "changed"

    @property
    def unfit(self) -> LingctlError | None:
        """What was found wrong although nothing has to change; the service runs with it."""
        return self.proposal.unfit
