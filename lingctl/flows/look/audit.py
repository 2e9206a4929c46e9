"""audit: what was changed on the nodes, when, by whom, and how it ended."""

from __future__ import annotations

from typing import Any

from lingctl.inventory.cluster import Cluster
from lingctl.release.journal import journal_command, read_journal
from lingctl.remote.group import Group


def audit_entries(group: Group, cluster: Cluster, lines: int) -> list[dict[str, Any]]:
    """The last entries of every node's audit log, oldest first, each with its ``node``."""
    show = journal_command(cluster.layout.audit, lines)
    logs = group.all(lambda connection: connection.run(show, timeout=30).checked(connection.node).stdout)
    entries = [{"node": node, **entry} for node, text in logs.items() for entry in read_journal(text)]
    return sorted(entries, key=lambda entry: str(entry.get("time", "")))
