"""The proof at the end of a deploy: every daemon has loaded, the service answers, and the answer is right."""

from __future__ import annotations

from collections.abc import Mapping

from lingctl.errors import ChecksFailed
from lingctl.events import Event, Listener
from lingctl.findings import Verdict, worst_first
from lingctl.flows.change.watch_start import need_living_daemons, wait_until_loaded
from lingctl.flows.look.daemon import DaemonSight
from lingctl.flows.serve.smoke_test import smoke_test_cluster
from lingctl.inventory.cluster import Cluster
from lingctl.remote.group import Group
from lingctl.serving.endpoint import endpoint_of
from lingctl.serving.reach import client_for, forward_to
from lingctl.serving.readiness import probe_of, wait_until_ready
from lingctl.serving.smoke.report import SmokeOptions, SmokeReport


def wait_until_serving(
    group: Group, cluster: Cluster, listener: Listener, seen: Mapping[str, DaemonSight] | None = None
) -> None:
    """Wait until every daemon has loaded and the primary answers with tokens.

    Args:
        seen: the daemons, where they were looked at a moment ago.

    Raises:
        EngineError: a daemon ended, or there is no answer in time; says which node and why.
    """
    wait_until_loaded(group, cluster, listener, seen)

    def still_alive() -> None:
        need_living_daemons(group, cluster, listener)

    with client_for(endpoint_of(cluster), forward_to(group, cluster)) as client:
        wait_until_ready(
            probe_of(client, cluster.catalogue_model.kind),
            seconds=cluster.timeouts.start,
            listener=listener,
            still_alive=still_alive,
        )


def prove_service(group: Group, cluster: Cluster, listener: Listener) -> SmokeReport:
    """Run the smoke test.

    Raises:
        ChecksFailed: the service answers, but a rung failed or could not be judged.
    """
    report = smoke_test_cluster(group, cluster, SmokeOptions(), listener)
    bad = [finding for finding in worst_first(report.findings) if finding.verdict >= Verdict.UNKNOWN]
    if bad:
        first = bad[0]
        raise ChecksFailed(
            f"the service runs, but its smoke test fails at {first.check!r}: {first.message}",
            where=first.where or cluster.primary.name,
            evidence=first.evidence,
            remedy=first.remedy or "lingctl smoke-test shows every rung",
            code=f"smoke-{first.check}",
        )
    listener(Event("smoke test", "done", text=f"{len(report.findings)} rungs passed"))
    return report
