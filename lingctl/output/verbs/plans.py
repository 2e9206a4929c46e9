"""Plans for people: per stage and node, what will change and why, with the difference of each file."""

from __future__ import annotations

from lingctl.output.tables import print_table
from lingctl.output.terminal import conversation, show, words
from lingctl.plan import Plan, Run, Stage, Step
from lingctl.remote.upload import WriteFile

_MOST_NAMES = 3


def print_plan(plan: Plan, *, differences: bool = False, wanted: str = "hosts.yaml asks") -> None:
    """Print a plan to standard error; where nothing has to change, that all is as ``wanted``."""
    out = conversation()
    print_table(
        ("stage", "nodes", "state", "step", "why"), plan_rows(plan), texts=("step", "why"), console=out
    )
    if differences:
        for step in plan.changes:
            if step.difference:
                show(words(f"\n{step.node}: {step.title}", "bold"), out=out)
                _print_difference(step.difference)
    show(words(outcome(plan, wanted), "bold"), out=out)


def plan_rows(plan: Plan) -> list[tuple[str, str, str, str, str]]:
    """Stage, nodes, state, title and reason; nodes with the same step share a row."""
    everywhere = len({step.node for step in plan.steps})
    nodes: dict[tuple[str, str, str, str], list[str]] = {}
    for step in plan.steps:
        nodes.setdefault((step.stage.word, step.state, step.title, step.reason), []).append(step.node)
    return [
        (stage, _names(names, everywhere), state, title, reason)
        for (stage, state, title, reason), names in nodes.items()
    ]


def _names(names: list[str], everywhere: int) -> str:
    if len(names) == everywhere > _MOST_NAMES:
        return f"all {everywhere} nodes"
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def outcome(plan: Plan, wanted: str = "hosts.yaml asks") -> str:
    """One line: how much changes, and whether the service goes down for it."""
    if plan.empty:
        return f"Nothing to do: every node is as {wanted}."
    count, nodes = len(plan.changes), len({step.node for step in plan.changes})
    changes = f"{count} change{'s' if count > 1 else ''} on {nodes} node{'s' if nodes > 1 else ''}."
    return f"{changes}{_interruption(plan)}"


def _interruption(plan: Plan) -> str:
    stages = {step.stage for step in plan.changes if step.interrupts}
    if Stage.DAEMON in stages:
        return " The service is down until the daemons have loaded the model."
    return " The service ends." if stages else ""


def plan_json(plan: Plan) -> dict[str, object]:
    """A plan as plain data."""
    return {"empty": plan.empty, "steps": [_step_json(step) for step in plan.steps]}


def _step_json(step: Step) -> dict[str, object]:
    actions: list[dict[str, object]] = []
    for action in step.actions:
        if isinstance(action, Run):
            actions.append({"run": action.command.text, "timeout": action.timeout})
        elif isinstance(action, WriteFile):
            actions.append({"write": action.path, "mode": f"{action.mode:04o}", "bytes": len(action.content)})
        else:
            actions.append({"download": action.repository, "folder": action.folder})
    return {
        "stage": step.stage.word,
        "node": step.node,
        "title": step.title,
        "state": step.state,
        "reason": step.reason,
        "interrupts": step.interrupts,
        "difference": step.difference,
        "actions": actions,
    }


def _print_difference(text: str) -> None:
    out = conversation()
    for line in text.splitlines():
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        show(words(f"  {line}", style), out=out)
