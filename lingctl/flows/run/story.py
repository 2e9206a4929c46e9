"""The story of every change, told once: look, plan, show, ask, lock, run, and what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack, nullcontext
from typing import TypeVar

from lingctl.events import Listener, ignore
from lingctl.flows.run.change import Change, changing
from lingctl.flows.run.execute import execute
from lingctl.flows.run.person import Person
from lingctl.flows.run.proposal import Outcome, Part, Proposal
from lingctl.inventory.cluster import Cluster
from lingctl.remote.group import Group, connect

R = TypeVar("R")


def carry_out(
    cluster: Cluster,
    person: Person,
    look: Callable[[Group, Listener], Proposal[R]],
    *,
    quick: bool = False,
    dry_run: bool = False,
    lock_wait: float = 0.0,
) -> Outcome[R]:
    """Plan a change, and make it if the person agrees.

    Nothing is connected while they are asked: an answer may take a night, and what was planned is looked at
    again before it is done. The lock is held from there on until ``Proposal.locked`` has ended.

    Args:
        look: looks at the nodes and plans; changes nothing there.
        quick: the look takes a second, and needs no progress.
        lock_wait: seconds to wait for somebody else's change to end.
    """
    with ExitStack() as connections:
        with nullcontext(ignore) if quick else person.progress() as listener:
            group = connections.enter_context(connect(cluster, listener))
            proposal = look(group, listener)
        person.show(proposal)
        if dry_run:
            return Outcome(proposal, "planned")
        if proposal.plan.empty:
            result = proposal.seen
            if proposal.unchanged:
                with person.progress() as listener:
                    result = _last(proposal.unchanged, group, listener, result)
            return Outcome(proposal, "unchanged", result)
    if not person.agrees(proposal):
        return Outcome(proposal, "declined")
    with person.progress() as listener, connect(cluster, listener) as group:
        with changing(group, cluster, proposal.command, listener, wait=lock_wait) as change:
            result = _run(proposal, group, listener, change)
            result = _last(proposal.locked, group, listener, result)
        result = _last(proposal.afterwards, group, listener, result)
    return Outcome(proposal, "changed", result)


def _run(proposal: Proposal[R], group: Group, listener: Listener, change: Change) -> R | None:
    if proposal.run is not None:
        return proposal.run(group, listener, change)
    execute(proposal.plan, group, listener, change)
    return None


def _last(parts: Iterable[Part[R]], group: Group, listener: Listener, result: R | None) -> R | None:
    """Do each; what the last of them gave back that gave anything, else ``result``."""
    for part in parts:
        given = part(group, listener)
        result = result if given is None else given
    return result
