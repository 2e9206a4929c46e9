"""``lingctl rollback``: show the way back, ask, go it, prove it."""

from __future__ import annotations

from typing import Annotated

import typer

from lingctl.cli.common import (
    DryRunOption,
    JsonOption,
    LockWaitOption,
    NodesOption,
    SmokeOption,
    YesOption,
    nothing_changed,
    required_cluster,
)


def rollback(
    release: Annotated[
        str | None,
        typer.Argument(
            help="Id of a release, or its last four digits; default: that of an interrupted rollback, "
            "else the last proved one before the one that runs."
        ),
    ] = None,
    nodes: NodesOption = None,
    dry_run: DryRunOption = False,
    smoke: SmokeOption = True,
    yes: YesOption = False,
    lock_wait: LockWaitOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Bring every node back to an earlier release: files, overlay, container, the model's config.json."""
    from lingctl.flows.change.rollback import rollback as roll_back
    from lingctl.output.documents import print_json
    from lingctl.output.person import Terminal
    from lingctl.output.screen.terminal import say
    from lingctl.output.verbs.plans import plan_json

    cluster = required_cluster(nodes)
    outcome = roll_back(
        cluster,
        Terminal(yes=yes, differences=dry_run),
        release,
        smoke=smoke,
        dry_run=dry_run,
        lock_wait=lock_wait,
    )
    if as_json:
        plan = plan_json(outcome.proposal.plan)
        head = {"cluster": cluster.name, "release": outcome.proposal.release, "plan": plan}
        print_json("rollback", {**head, "changed": outcome.changed})
    if outcome.state == "declined":
        raise nothing_changed()
    if outcome.changed:
        say(f"Ready: release {outcome.proposal.release} answers.", style="bold green")
