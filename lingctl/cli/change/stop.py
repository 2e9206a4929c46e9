"""``lingctl stop``: a clean end on every node."""

from __future__ import annotations

from lingctl.cli.common import LockWaitOption, NodesOption, YesOption, nothing_changed, required_cluster


def stop(nodes: NodesOption = None, yes: YesOption = False, lock_wait: LockWaitOption = 0) -> None:
    """Stop the daemons and their containers; weights, files and containers stay for the next `deploy`."""
    from lingctl.flows.change.stop import stop as stop_cluster
    from lingctl.output.person import Terminal
    from lingctl.output.screen.terminal import say

    outcome = stop_cluster(required_cluster(nodes), Terminal(yes=yes), lock_wait=lock_wait)
    if outcome.state == "declined":
        raise nothing_changed()
    if outcome.changed:
        say("Stopped.")
