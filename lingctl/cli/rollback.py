"""``lingctl rollback``: show the way back, ask, go it, prove it."""

from __future__ import annotations

from typing import Annotated

import typer

from lingctl.cli.common import JsonOption, LockWaitOption, NodesOption, YesOption, required_cluster


def rollback(
    release: Annotated[
        str | None,
        typer.Argument(
            help="Id of a release, or its last four digits; default: that of an interrupted rollback, "
            "else the last proved one before the one that runs."
        ),
    ] = None,
    nodes: NodesOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Stop after the plan, and show the files' differences.")
    ] = False,
    smoke: Annotated[bool, typer.Option("--smoke-test/--no-smoke-test", help="Prove it at the end.")] = True,
    yes: YesOption = False,
    lock_wait: LockWaitOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Bring every node back to an earlier release: files, overlay, container, the model's config.json."""
    from lingctl.flows.change.prove import prove_service, wait_until_serving
    from lingctl.flows.change.releases import note_proved
    from lingctl.flows.change.rollback import plan_rollback, run_rollback
    from lingctl.flows.run.change import changing, settle
    from lingctl.output.documents import print_json
    from lingctl.output.plans import plan_json, print_plan
    from lingctl.output.progress import progress
    from lingctl.output.questions import confirm
    from lingctl.output.terminal import say
    from lingctl.remote.group import connect

    cluster = required_cluster(nodes)
    with connect(cluster) as group:
        back = plan_rollback(group, cluster, release)
    say(f"Back to release {back.release}:")
    print_plan(back.plan, differences=dry_run, wanted=f"release {back.release} has it")
    if back.plan.empty and not dry_run:
        # A rollback that was interrupted may have left daemons that still load.
        with progress() as listener, connect(cluster, listener) as group:
            wait_until_serving(group, cluster, listener)
            if smoke:
                prove_service(group, cluster, listener)
                note_proved(group, cluster)
            settle(group, cluster, back.states, listener)
    content = {"cluster": cluster.name, "release": back.release, "plan": plan_json(back.plan)}
    done = dry_run or back.plan.empty
    if done or not confirm("Do this?", yes=yes):
        if as_json:
            print_json("rollback", {**content, "changed": False})
        if not done:
            say("Nothing was changed.")
            raise typer.Exit(1)
        return
    # The proof is a part of it: until then, the same command goes on with this release and no earlier one.
    with (
        progress() as listener,
        connect(cluster, listener) as group,
        changing(group, cluster, back.command, listener, wait=lock_wait) as change,
    ):
        run_rollback(group, cluster, back, listener, change)
        wait_until_serving(group, cluster, listener)
        settle(group, cluster, back.states, listener)
        if smoke:
            prove_service(group, cluster, listener)
            note_proved(group, cluster)
    if as_json:
        print_json("rollback", {**content, "changed": True})
    say(f"Ready: release {back.release} answers.", style="bold green")
