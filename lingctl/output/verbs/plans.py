"""Plans for people: what changes, where and why; what is in place in one line; the differences of files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from lingctl.findings import in_short
from lingctl.output.screen.terminal import conversation, joined, show, words
from lingctl.output.tables import print_table, screen_of, table_lines
from lingctl.plan import Difference, DifferenceLine, Plan, Run, Stage, Step
from lingctl.remote.upload import WriteFile

_COLUMNS = ("stage", "nodes", "step")
# Lines of a screen for what stands around the rows: findings, remarks, the question.
_AROUND = 10
_LEAST_LINES = 6
_MOST_VALUES = 3
_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_MOST_OF_A_LINE = 2_000


def print_plan(
    plan: Plan, *, differences: bool = False, wanted: str = "hosts.yaml asks", short: bool = False
) -> None:
    """Print a plan to standard error; where nothing has to change, that all is as ``wanted``.

    Args:
        differences: with those of the files, each once.
        short: rows that leave no room on the screen for a question are counted, as ``rows_left_out`` says.
    """
    out = conversation()
    rows = plan_rows(plan)
    more = rows_left_out(plan) if short else 0
    if rows:
        print_table(_COLUMNS, rows[: len(rows) - more], console=out)
    if more:
        show(words(f"... and {more} more row{'s'[: more > 1]}: d shows them"), out=out)
    in_place = [step.stage.word for step in plan.steps if step.state == "in place"]
    if rows and in_place:
        stages = ", ".join(dict.fromkeys(in_place))
        show(words(f"{len(in_place)} more in place: {stages}", "dim"), out=out, hang=0)
    for line in plan_details(plan) if differences else ():
        show(line, out=out)
    show(words(outcome(plan, wanted), "bold"), out=out, hang=0)


def plan_rows(plan: Plan) -> list[tuple[str, str, str]]:
    """Stage, nodes, and what changes with its reason; nodes with the same step share a row."""
    everywhere = len({step.node for step in plan.steps})
    nodes: dict[tuple[str, str], list[str]] = {}
    for step in plan.changes:
        nodes.setdefault((step.stage.word, f"{step.title}: {step.reason}"), []).append(step.node)
    return [(stage, in_short(names, everywhere), step) for (stage, step), names in nodes.items()]


def rows_left_out(plan: Plan) -> int:
    """How many of its rows, the last ones, have no room on a screen beside a question."""
    screen, rows = screen_of(conversation()), plan_rows(plan)
    if screen is None:
        return 0
    room = max(screen.height - _AROUND, _LEAST_LINES)
    shown = len(rows)
    while shown > 1 and len(table_lines(_COLUMNS, rows[:shown], screen)) > room:
        shown -= 1
    return len(rows) - shown


def plan_details(plan: Plan, more: Sequence[Difference] = (), *, rows: bool = False) -> list[Text]:
    """What a person may look at before they agree: every row where some were left out, and what differs.

    Args:
        more: differences of files that its steps do not hold.
        rows: the rows too.
    """
    lines = [words(f"{stage}: {nodes}: {step}") for stage, nodes, step in plan_rows(plan)] if rows else []
    for difference in (*plan.differences, *more):
        lines.append(words(""))
        lines.append(words(f"{in_short(difference.nodes)}: {difference.title}", "bold"))
        lines += (shown for line in difference.lines for shown in _line(line))
    return lines


def _line(line: DifferenceLine) -> Iterator[Text]:
    """One line of a difference; where nodes have a line of their own, with their names."""
    if len(line) == 1:
        yield _coloured(line[0][0])
        return
    most = _MOST_VALUES if len(line) <= _MOST_VALUES else _MOST_VALUES - 1
    for text, nodes in line[:most]:
        yield joined(words(f"  {in_short(nodes)}: ", "bold"), _coloured(text, ""))
    if left := [node for _, nodes in line[most:] for node in nodes]:
        yield words(f"  ({len(left)} more nodes have a line of their own here)", "dim")


def _coloured(text: str, indent: str = "  ") -> Text:
    return words(f"{indent}{text}", _STYLES.get(text[:1], ""), _MOST_OF_A_LINE)


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
