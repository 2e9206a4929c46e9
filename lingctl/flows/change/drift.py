"""A plan is only as good as what it was made from: the nodes are looked at again before anything changes."""

from __future__ import annotations

from collections.abc import Mapping

from lingctl.errors import NodeError
from lingctl.flows.look.node_states import Look, node_state
from lingctl.release.state import NodeState, drift
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group


def need_no_drift(group: Group, look: Look, before: Mapping[str, NodeState]) -> None:
    """Be sure that every node is still as the plan found it.

    Raises:
        NodeError: a node changed since (code ``drifted``); nothing was done.
    """

    def look_again(connection: Connection) -> list[str]:
        seen = before[connection.node]
        return drift(seen, node_state(connection, look.with_files(*seen.files)))

    changed = {node: what for node, what in group.all(look_again).items() if what}
    if changed:
        raise NodeError(
            "changed since the plan was made; nothing was done",
            where=", ".join(changed),
            evidence="\n".join(f"{node}: {', '.join(what)}" for node, what in changed.items()),
            code="drifted",
        )
