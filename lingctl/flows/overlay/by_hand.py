"""The overlay by hand: looked at, put in or taken out, in a tree on this machine or on every node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from lingctl.engines import engine_of
from lingctl.errors import LingctlError, UsageError
from lingctl.events import Listener
from lingctl.findings import in_short
from lingctl.flows.overlay.patch import PatchOptions, PatchReport, patch_here, patch_nodes
from lingctl.flows.run.change import Change
from lingctl.flows.run.person import Person
from lingctl.flows.run.proposal import Outcome, Proposal
from lingctl.flows.run.story import carry_out
from lingctl.inventory.cluster import Cluster
from lingctl.plan import Plan, Stage, Step, differences_of
from lingctl.release.evidence.redaction import redacted
from lingctl.remote.group import Group, connect

PatchAction = Literal["apply", "revert"]
# What tells beforehand what each would do, and what agreeing to it means.
_PREVIEWS = {"apply": "diff", "revert": "status"}
_QUESTIONS = {"apply": "Put the overlay there?", "revert": "Take the overlay out?"}


def look_at_overlay(
    cluster: Cluster | None, action: Literal["status", "verify", "diff"], options: PatchOptions
) -> PatchReport:
    """What an action that changes nothing says of every node's tree, or without a cluster of this machine's.

    Raises:
        UsageError: the cluster's engine needs no overlay.
        LingctlError: it cannot be said of any of them.
    """
    if cluster is None:
        return patch_here(action, options)
    _need_overlay(cluster)
    with connect(cluster) as group:
        return patch_nodes(group, cluster, action, options)


def _need_overlay(cluster: Cluster) -> None:
    engine = engine_of(cluster)
    if not engine.overlay.files:
        title = engine.about.title
        raise UsageError(
            f"{title} has the code of the Ling models itself: there is nothing to patch",
            where="engine in hosts.yaml",
            code="no-overlay",
        )


def change_overlay(
    cluster: Cluster | None,
    action: PatchAction,
    options: PatchOptions,
    person: Person,
    *,
    lock_wait: float = 0.0,
) -> Outcome[PatchReport]:
    """Tell what the action would do, and do it: on every node, or without a cluster on this machine.

    Raises:
        UsageError: the cluster's engine needs no overlay.
        LockedError: somebody else is changing this cluster, or the tree.
        LingctlError: it cannot be done here, or on no node; what fails on one is in the report.
    """
    if cluster is not None:
        _need_overlay(cluster)
    preview = _PREVIEWS[action]
    if cluster is None:
        proposal = _proposal(action, Plan(), patch_here(preview, options))
        person.show(proposal)
        if not person.agrees(proposal):
            return Outcome(proposal, "declined")
        return Outcome(proposal, "changed", patch_here(action, options))

    def look(group: Group, listener: Listener) -> Proposal[PatchReport]:
        plan = plan_by_hand(cluster, action)

        def run(group: Group, listener: Listener, change: Change) -> PatchReport:
            return change_nodes(group, cluster, plan, action, options, change)

        looked = patch_nodes(group, cluster, preview, options)
        errors = [answer for answer in looked.answers.values() if isinstance(answer, LingctlError)]
        if len(errors) == len(looked.answers):
            raise errors[0]  # nothing could be done anywhere: there is nothing to ask
        return replace(_proposal(action, plan, looked), run=run)

    return carry_out(cluster, person, look, quick=True, lock_wait=lock_wait)


def plan_by_hand(cluster: Cluster, action: PatchAction) -> Plan:
    """One step on each node, as the journal has it: the node program looks for itself what has to change."""
    steps = (
        Step(Stage.OVERLAY, name, f"patch {action}", "change", "asked for") for name in cluster.node_names
    )
    return Plan(tuple(steps))


def change_nodes(
    group: Group, cluster: Cluster, plan: Plan, action: PatchAction, options: PatchOptions, change: Change
) -> PatchReport:
    """Do the action on every node as ``patch_nodes`` does, and write it down there."""
    there = group.connections
    reached = Plan(tuple(step for step in plan.steps if step.node in there))
    change.begin(reached)
    report = patch_nodes(group, cluster, action, options)
    for step in reached.steps:
        answer = report.answers[step.node]
        change.steps(group[step.node], [step], answer if isinstance(answer, LingctlError) else None)
    return report


def differences(report: PatchReport, *, whole: bool = False) -> Iterator[str]:
    """What differs from the overlay as shipped, by place and file; ``whole``: with the lines that do."""
    for node, answer in report.answers.items():
        if isinstance(answer, LingctlError):
            yield f"{node}: {answer.what}"
            continue
        what = "" if answer.changes is None else f", {len(answer.changes)} files differ"
        yield f"{node}: {answer.after.root}: {answer.after.state}{what}"
        for change in answer.changes or ():
            yield f"  {change['kind']} {change['path']}"
            if whole:
                yield change["difference"]


def _told_once(report: PatchReport) -> Iterator[str]:
    """What differs on the nodes: on those where it is the same, once."""
    nodes: dict[tuple[str, ...], list[str]] = {}
    for node, answer in report.answers.items():
        said = tuple(line.removeprefix(f"{node}: ") for line in differences(PatchReport({node: answer})))
        nodes.setdefault(said, []).append(node)
    for (first, *more), names in nodes.items():
        yield f"{in_short(names)}: {first}"
        yield from more


def _proposal(action: PatchAction, plan: Plan, preview: PatchReport) -> Proposal[PatchReport]:
    return Proposal(
        command=f"lingctl patch {action}",
        question=_QUESTIONS[action],
        plan=plan,
        instead=tuple(_told_once(preview)),
        differences=differences_of(
            (node, f"{change['kind']} {change['path']}", redacted(change["difference"]))
            for node, change in preview.changes
        ),
    )
