"""``lingctl lock``: who is changing the cluster, and giving the lock back for someone who cannot."""

from __future__ import annotations

from contextlib import closing

import typer

from lingctl.cli.common import JsonOption, NodesOption, YesOption, required_cluster

app = typer.Typer(help="The lock that keeps two changes of one cluster apart.", no_args_is_help=True)


@app.command()
def status(nodes: NodesOption = None, as_json: JsonOption = False) -> None:
    """Tell who holds the lock. Exit status 5 when somebody does."""
    from lingctl.flows.run.lock import lock_status
    from lingctl.output.documents import print_json
    from lingctl.output.screen.terminal import answer
    from lingctl.remote.group import connect_node

    cluster = required_cluster(nodes)
    with closing(connect_node(cluster, cluster.primary)) as connection:
        holder = lock_status(connection, cluster)
    if as_json:
        held = None
        if holder is not None:
            held = {
                "who": holder.who,
                "command": holder.command,
                "since": holder.since,
                "pid": holder.pid,
                "quiet_seconds": holder.quiet,
                "gone": holder.is_gone,
            }
        print_json("lock", {"cluster": cluster.name, "held": held})
    elif holder is None:
        answer("free")
    else:
        gone = " (gone: the next change takes it over)" if holder.is_gone else ""
        answer(f"{holder.description}; last sign of life {holder.quiet} s ago{gone}")
    if holder is not None and not holder.is_gone:
        raise typer.Exit(5)


@app.command()
def release(nodes: NodesOption = None, yes: YesOption = False) -> None:
    """Give the lock back for its holder. A lock whose holder died frees itself within a minute."""
    from lingctl.flows.run.lock import lock_release, lock_status
    from lingctl.output.questions import confirm
    from lingctl.output.screen.terminal import say
    from lingctl.remote.group import connect_node

    cluster = required_cluster(nodes)
    with closing(connect_node(cluster, cluster.primary)) as connection:
        holder = lock_status(connection, cluster)
        if holder is None:
            say("The lock is free.")
            return
        say(f"Held: {holder.description}; last sign of life {holder.quiet} s ago.")
        if not confirm("Give it back? A lingctl that is still at work stops at its next stage.", yes=yes):
            say("Nothing was changed.")
            raise typer.Exit(1)
        lock_release(connection, cluster, holder)
    say("The lock is free.")
