"""``lingctl restart``: the daemons end and start again; nothing else changes."""

from __future__ import annotations

import typer

from lingctl.cli.common import LockWaitOption, NodesOption, YesOption, required_cluster


def restart(nodes: NodesOption = None, yes: YesOption = False, lock_wait: LockWaitOption = 0) -> None:
    """Stop all daemons, start them again with the files that are there, and wait until they answer."""
    from lingctl.flows.change.prove import wait_until_serving
    from lingctl.flows.change.restart import plan_restart
    from lingctl.flows.run.change import changing
    from lingctl.flows.run.execute import execute
    from lingctl.output.plans import print_plan
    from lingctl.output.progress import progress
    from lingctl.output.questions import confirm
    from lingctl.output.terminal import say
    from lingctl.remote.group import connect

    cluster = required_cluster(nodes)
    with connect(cluster) as group:
        plan = plan_restart(group, cluster)
    print_plan(plan)
    if not confirm("Restart the service?", yes=yes):
        say("Nothing was changed.")
        raise typer.Exit(1)
    with (
        progress() as listener,
        connect(cluster, listener) as group,
        changing(group, cluster, "lingctl restart", listener, wait=lock_wait) as change,
    ):
        execute(plan, group, listener, change=change)
        wait_until_serving(group, cluster, listener)
    say("Ready: it answers.", style="bold green")
