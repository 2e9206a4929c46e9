"""The proof at the end of a deploy: every daemon has loaded, the service answers, and the answer is right."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future

from lingctl.errors import ChecksFailed
from lingctl.events import Event, Listener
from lingctl.findings import Verdict, worst_first
from lingctl.flows.change.watch_start import need_living_daemons, wait_until_loaded
from lingctl.flows.look.daemon import DaemonSights
from lingctl.flows.serve.asked_service import ClusterService
from lingctl.flows.serve.smoke_test import smoke_test_service
from lingctl.inventory.cluster import Cluster
from lingctl.remote.group import Group
from lingctl.remote.side_by_side import begun
from lingctl.serving.readiness import probe_of, wait_until_ready
from lingctl.serving.smoke.report import SmokeOptions, SmokeReport

# A daemon that was seen so lately need not be looked at again before the service is asked.
_FRESH_SECONDS = 3.0


def wait_until_serving(
    group: Group, cluster: Cluster, listener: Listener, seen: DaemonSights | None = None
) -> None:
    """Wait until every daemon has loaded and the primary answers with tokens.

    Args:
        seen: the daemons, where they were looked at a moment ago.

    Raises:
        EngineError: a daemon ended, or there is no answer in time; says which node and why.
    """
    wait_until_loaded(group, cluster, listener, seen)
    daemons = _LivingDaemons(lambda: need_living_daemons(group, cluster, listener), seen)
    with ClusterService(group, cluster).client() as client:
        wait_until_ready(
            probe_of(client, cluster.catalogue_model.kind, loaded=True, answered=daemons.look),
            seconds=cluster.timeouts.start,
            listener=listener,
            still_alive=daemons.need,
        )


class _LivingDaemons:
    """Every node's daemon is alive: looked at when it is asked for, or shortly before.

    So a service is asked on the strength of the look that showed that nothing has to change, and is asked for
    its health while the daemons are looked at after its answer.
    """

    def __init__(self, look: Callable[[], object], seen: DaemonSights | None) -> None:
        """Nothing is looked at yet.

        Args:
            look: looks at all; raises where one is not alive.
            seen: an earlier look.
        """
        self._look = look
        self._seen_at = seen.at if seen is not None and seen.all_loaded else -math.inf
        self._begun: Future[object] | None = None

    def look(self) -> None:
        """Begin to look; ``need`` hears what that shows."""
        self._seen_at = time.monotonic()
        self._begun = begun(self._look, "lingctl-daemons")

    def need(self) -> None:
        """Be sure that all are alive. Raises LingctlError: one is not; see ``need_living_daemons``."""
        look, self._begun = self._begun, None
        if look is not None:
            look.result()
        if time.monotonic() - self._seen_at > _FRESH_SECONDS:
            self._look()
        # One look is enough for one question.
        self._seen_at = -math.inf


def prove_service(group: Group, cluster: Cluster, listener: Listener) -> SmokeReport:
    """Run the smoke test.

    Raises:
        ChecksFailed: the service answers, but a rung failed or could not be judged.
    """
    report = smoke_test_service(ClusterService(group, cluster), SmokeOptions(), listener)
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
