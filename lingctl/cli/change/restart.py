"""``lingctl restart``: the daemons end and start again; nothing else changes."""

from __future__ import annotations

from lingctl.cli.common import LockWaitOption, NodesOption, YesOption, nothing_changed, required_cluster


def restart(nodes: NodesOption = None, yes: YesOption = False, lock_wait: LockWaitOption = 0) -> None:
    """Stop all daemons, start them again with the files that are there, and wait until they answer."""
    from lingctl.flows.change.restart import restart as restart_cluster
    from lingctl.output.person import Terminal
    from lingctl.output.screen.terminal import say

    outcome = restart_cluster(required_cluster(nodes), Terminal(yes=yes), lock_wait=lock_wait)
    if outcome.state == "declined":
        raise nothing_changed()
    say("Ready: it answers.", style="bold green")
