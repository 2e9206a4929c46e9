"""A service deployed and stopped by a Python program: no command line, no terminal."""

from __future__ import annotations

import pytest

from lingctl.events import Event
from lingctl.flows.change.deploy import deploy
from lingctl.flows.change.stop import stop
from lingctl.flows.run.person import Unattended
from lingctl.flows.run.proposal import Proposal
from lingctl.inventory.load import load_cluster
from tests.sandbox.live import Live

pytestmark = pytest.mark.sandbox


def interrupts_nobody(proposal: Proposal) -> bool:
    return not any(step.interrupts for step in proposal.plan.changes)


def test_a_program_deploys_and_stops_without_the_command_line(modern_cluster: Live, capfd):
    cluster = load_cluster(modern_cluster.hosts)
    heard: list[Event] = []
    refused = deploy(cluster, Unattended(decide=interrupts_nobody))
    assert refused.state == "declined" and not refused.proposal.plan.empty
    done = deploy(cluster, Unattended(heard.append))
    try:
        assert done.changed and done.result is not None
        assert "Ling" in done.result.answer
        assert {"start the daemon", "smoke test"} <= {one.task for one in heard if one.state == "done"}
        assert deploy(cluster, Unattended(decide=interrupts_nobody)).state == "unchanged"
    finally:
        assert stop(cluster, Unattended()).changed
    assert stop(cluster, Unattended()).state == "unchanged"
    assert capfd.readouterr() == ("", "")
