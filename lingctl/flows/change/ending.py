"""What follows when a service was changed: wait, settle, prove, note. Each verb has its own order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lingctl.events import Listener
from lingctl.flows.change.prove import prove_service, wait_until_serving
from lingctl.flows.change.releases import lacks_proof, note_proved
from lingctl.flows.look.daemon import DaemonSights
from lingctl.flows.run.change import settle
from lingctl.inventory.cluster import Cluster
from lingctl.release.state import NodeState
from lingctl.remote.group import Group
from lingctl.serving.smoke.report import SmokeReport


@dataclass(frozen=True, slots=True)
class ChangeEnding:
    """The parts of it, for one change."""

    cluster: Cluster
    states: Mapping[str, NodeState]  # the nodes as the plan found them
    sights: DaemonSights | None = None  # their daemons, if they were looked at

    def wait(self, group: Group, listener: Listener) -> None:
        """Wait until the service answers."""
        wait_until_serving(group, self.cluster, listener)

    def wait_from_there(self, group: Group, listener: Listener) -> None:
        """As ``wait``, where nothing was changed since the nodes were looked at."""
        wait_until_serving(group, self.cluster, listener, self.sights)

    def settle(self, group: Group, listener: Listener) -> None:
        """Close what earlier runs left half-done: it is done now."""
        settle(group, self.cluster, self.states, listener)

    def prove(self, group: Group, listener: Listener) -> SmokeReport:
        """Prove that it answers rightly, and note that on every node."""
        report = prove_service(group, self.cluster, listener)
        note_proved(group, self.cluster)
        return report

    def prove_if_lacking(self, group: Group, listener: Listener) -> SmokeReport | None:
        """Prove it where the run that deployed this release ended before its proof."""
        return self.prove(group, listener) if lacks_proof(self.states) else None
