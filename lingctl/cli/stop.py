"""``lingctl stop``: a clean end on every node."""

from __future__ import annotations

import typer

from lingctl.cli.common import LockWaitOption, NodesOption, YesOption, required_cluster


def stop(nodes: NodesOption = None, yes: YesOption = False, lock_wait: LockWaitOption = 0) -> None:
    """Stop the daemons and their containers; weights, files and containers stay for the next `deploy`."""
    from lingctl.flows.change.stop import plan_stop
    from lingctl.flows.run.change import changing
    from lingctl.flows.run.execute import execute
    from lingctl.output.plans import print_plan
    from lingctl.output.progress import progress
    from lingctl.output.questions import confirm
    from lingctl.output.terminal import say
    from lingctl.remote.group import connect

    cluster = required_cluster(nodes)
    with connect(cluster) as group:
        plan = plan_stop(group, cluster)
        if plan.empty:
            say("Nothing to do: no container of this cluster runs.")
            return
        print_plan(plan)
        if not confirm("Stop the service?", yes=yes):
            say("Nothing was changed.")
            raise typer.Exit(1)
        with (
            progress() as listener,
            changing(group, cluster, "lingctl stop", listener, wait=lock_wait) as change,
        ):
            execute(plan, group, listener, change=change)
    say("Stopped.")
