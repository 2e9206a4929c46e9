"""Runs a Plan: a barrier between stages, nodes side by side, the first failure stops what follows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, groupby
from types import MappingProxyType

from lingctl.engines import usual_engine
from lingctl.errors import LingctlError, NodeError
from lingctl.events import Event, Listener
from lingctl.flows.run.change import Change
from lingctl.plan import Plan, Run, Stage, Step
from lingctl.program.node_program import run_program
from lingctl.program.translate import telling
from lingctl.remote.completed import Completed
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.upload import WriteFile


def execute(
    plan: Plan,
    group: Group,
    listener: Listener,
    change: Change,
    *,
    until: Stage | None = None,
    gates: Mapping[Stage, Callable[[], None]] = MappingProxyType({}),
) -> None:
    """Run the plan's changes.

    Args:
        change: the lock that is held and the journal that is kept meanwhile.
        until: stop after this stage.
        gates: what has to hold before a stage begins; raises where it does not.

    Raises:
        LingctlError: a step failed; no later stage was begun, and what is named is all that is half-done.
    """
    change.begin(plan)
    for stage, steps in plan.stages():
        if until is not None and stage > until:
            return
        change.check()
        if stage in gates:
            gates[stage]()
        by_node = defaultdict(list)
        for step in steps:
            by_node[step.node].append(step)
        _run_stage(group, by_node, listener, change)


def _run_stage(group: Group, by_node: dict[str, list[Step]], listener: Listener, change: Change) -> None:
    def run_node(connection: Connection) -> None:
        for writes, steps in groupby(by_node[connection.node], _writes_only):
            if writes:
                _write(connection, list(steps), listener, change)
            else:
                for step in steps:
                    run_step(connection, step, listener, change)

    group.only(by_node).all(run_node, together=True)


def run_step(connection: Connection, step: Step, listener: Listener, change: Change) -> None:
    """Run one step on its node, and write it down there. Raises LingctlError: it failed; names the step."""
    listener(Event(step.title, "started", step.node))
    try:
        for kind, actions in groupby(step.actions, type):
            if kind is WriteFile:
                connection.put(*(action for action in actions if isinstance(action, WriteFile)))
                continue
            for action in actions:
                if not isinstance(action, Run):
                    raise TypeError("weights are fetched for all nodes together (flows.weights)")
                _run_command(connection, action, step, listener)
    except LingctlError as error:
        _failed(connection, step, error, listener, change)
        raise
    change.steps(connection, [step])
    listener(Event(step.title, "done", step.node))


def _writes_only(step: Step) -> bool:
    return all(isinstance(action, WriteFile) for action in step.actions)


def _write(connection: Connection, steps: Sequence[Step], listener: Listener, change: Change) -> None:
    """Run steps that only write files: all of them by one command, for a link may be slow."""
    files = [action for step in steps for action in step.actions if isinstance(action, WriteFile)]
    in_place: list[WriteFile] = []
    trouble: LingctlError | None = None
    listener(Event(steps[0].title, "started", steps[0].node))
    try:
        connection.put(*files, placed=in_place.append)
    except LingctlError as error:
        trouble = error
    ends = accumulate(len(step.actions) for step in steps)
    done = [step for step, end in zip(steps, ends, strict=True) if end <= len(in_place)]
    for step in steps[: len(done) + 1]:
        if step is not steps[0]:
            listener(Event(step.title, "started", step.node))
        if step in done:
            listener(Event(step.title, "done", step.node))
    if done:
        change.steps(connection, done)
    if trouble is not None:
        _failed(connection, steps[len(done)], trouble, listener, change)
        raise trouble


def _failed(
    connection: Connection, step: Step, error: LingctlError, listener: Listener, change: Change
) -> None:
    listener(Event(step.title, "failed", step.node, error.what))
    change.steps(connection, [step], error)


def _run_command(connection: Connection, action: Run, step: Step, listener: Listener) -> None:
    hear = telling(listener, step.node, step.title)
    done, _ = run_program(
        connection, action.command, timeout=action.timeout, jobs=action.jobs, hear=hear, doing=step.title
    )
    _check(done, step)


def _check(done: Completed, step: Step) -> None:
    if done.ok:
        return
    again = "then run the same command again: it goes on from here"
    # What a step prints is the words of tools, the runtime or the cards, whatever the engine.
    known = usual_engine().logs.explain(f"{done.stderr}\n{done.stdout}")
    if known:
        first = known[0]
        raise NodeError(
            f"{step.title}: {first.cause} (exit status {done.exit_status})",
            where=step.node,
            evidence=first.line,
            remedy=f"{first.remedy}\n{again}",
            code=f"step-{first.id}",
        )
    raise NodeError(
        f"{step.title}: exit status {done.exit_status}",
        where=step.node,
        evidence=done.last_words(),
        remedy=f"mend the cause, {again}",
        code="step-failed",
    )
