"""Where the nodes are logged in to, and which lines of ssh's configuration say so: for ``render --show``."""

from __future__ import annotations

from lingctl.engine.files import Shown
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.ssh.machine import here
from lingctl.inventory.ssh.resolve import resolve


def shown_logins(cluster: Cluster) -> list[Shown]:
    """A value for each node of whose login ssh's configuration says something.

    No command of that configuration is run for it (``Match exec``).

    Raises:
        ConfigurationError: ssh's configuration says something that cannot be.
    """
    shown, machine = [], here()
    for node in cluster.nodes:
        target = resolve(node.address, cluster.ssh_of(node), machine)
        places = list(dict.fromkeys(place for _, _, place in target.taken))
        if places:
            shown.append(Shown(node.name, "login", target.shown, ", ".join(places)))
    return shown
