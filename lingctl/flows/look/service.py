"""What a cluster's service says of itself, and whether that is so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lingctl.flows.look.daemon import DaemonSight
from lingctl.inventory.cluster import Cluster
from lingctl.remote.group import Group
from lingctl.serving.endpoint import endpoint_of
from lingctl.serving.http.exchange import Limits
from lingctl.serving.reach import client_for, forward_to
from lingctl.serving.readiness import judge_health, probe_of, settled_health
from lingctl.serving.trouble import ExchangeTrouble

# For two tokens, of a service that may have others to answer first.
_PATIENCE = Limits(idle=30.0, total=60.0)


@dataclass(frozen=True, slots=True)
class ServiceSight:
    """One look at the service."""

    word: str  # as status shows it
    problem: str = ""  # what is wrong, where the word does not say it


def look_at_service(
    group: Group, cluster: Cluster, sight: DaemonSight | None, lost: Mapping[str, str]
) -> ServiceSight:
    """Ask the service of the first node.

    Health of MindIE is that of its workers. vLLM's stays 200 while a worker hangs or is gone, so it is asked
    for two tokens, but not while a node is lost: that request would end it (seen on 0.32.0).

    Args:
        sight: what was seen of the first node's daemon.
        lost: nodes whose daemon is not known to live, with the reason.

    Of nodes that are left out nothing is known, so that it is not judged whether it is ready, and no text is
    asked for.
    """
    if sight is not None and not sight.alive:
        return ServiceSight("down")
    endpoint = endpoint_of(cluster)
    with client_for(endpoint, forward_to(group, cluster), _PATIENCE) as client:
        health = settled_health(client.health)
        if isinstance(health, ExchangeTrouble):
            loading = sight is not None and health.no_service and not sight.succeeded
            return ServiceSight("loading" if loading else "unreachable")
        verdict = judge_health(health)
        if verdict is not None:
            return ServiceSight(verdict.state)
        if lost:
            return ServiceSight("node lost")
        if group.left_out:
            return ServiceSight("not judged")
        if endpoint.management_url:
            return ServiceSight("ready")
        found = probe_of(client, cluster.catalogue_model.kind)()
    if found.state == "ready":
        return ServiceSight("ready")
    return ServiceSight(found.state, f"it calls itself healthy and gives no text: {found.text}")
