"""A service deployed, changed, brought back and stopped by a Python program: no command line, no terminal.

As docs/how-to/from-python.md has it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lingctl.events import Event, ignore
from lingctl.flows.accept.protocol import AcceptOptions
from lingctl.flows.accept.run import accept
from lingctl.flows.change.deploy import deploy
from lingctl.flows.change.releases import list_releases
from lingctl.flows.change.rollback import rollback
from lingctl.flows.change.stop import stop
from lingctl.flows.run.person import Unattended
from lingctl.flows.run.proposal import Proposal
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.load import load_cluster
from lingctl.output.acceptance.page import acceptance_page
from lingctl.remote.group import connect
from tests.documents.blocks import CHECKOUT, blocks_of
from tests.sandbox.live import Live

pytestmark = pytest.mark.sandbox
DOCUMENT = CHECKOUT / "docs/how-to/from-python.md"


def interrupts_nobody(proposal: Proposal) -> bool:
    return not any(step.interrupts for step in proposal.plan.changes)


@pytest.fixture(scope="module")
def cluster(modern_cluster: Live) -> Iterator[Cluster]:
    cluster = load_cluster(modern_cluster.hosts)
    yield cluster
    stop(cluster, Unattended())


def running(cluster: Cluster) -> list[tuple[str, bool]]:
    """Id of the release that runs, and whether it is proved."""
    with connect(cluster) as group:
        return [(row.id, row.proved) for row in list_releases(group, cluster) if row.current]


def test_a_program_deploys_and_its_rule_is_kept(cluster: Cluster, capfd):
    heard: list[Event] = []
    refused = deploy(cluster, Unattended(decide=interrupts_nobody))
    assert refused.state == "declined" and not refused.proposal.plan.empty
    done = deploy(cluster, Unattended(heard.append))
    assert done.changed and done.result is not None
    assert "Ling" in done.result.answer
    assert {"start the daemon", "smoke test"} <= {one.task for one in heard if one.state == "done"}
    assert deploy(cluster, Unattended(decide=interrupts_nobody)).state == "unchanged"
    assert capfd.readouterr() == ("", "")


def test_what_the_document_shows_runs_as_it_stands(
    modern_cluster: Live, cluster: Cluster, monkeypatch, capsys
):
    deploy(cluster, Unattended())
    monkeypatch.chdir(modern_cluster.hosts.parent)
    given = {"is_night": lambda: True, "log": logging.getLogger("a program")}
    blocks = blocks_of(DOCUMENT)
    assert {block.kind for block in blocks} == {"tested"}
    for block in blocks:
        exec("\n".join(block.text), given)
    assert capsys.readouterr().out.splitlines()[0] == "unchanged"
    assert given["outcome"].state == "unchanged"


def accepted(cluster: Cluster, folder: Path, *only: str) -> Mapping[str, Any]:
    options = AcceptOptions(only=only)
    return accept(cluster, options, folder, ignore, lambda: connect(cluster), acceptance_page).report


def test_an_acceptance_passes_and_a_fault_fails_its_own_part_alone(
    modern_cluster, cluster: Cluster, tmp_path
):
    deploy(cluster, Unattended())
    parts = ("network", "versions", "weights", "overlay", "state", "smoke", "proof")
    report = accepted(cluster, tmp_path / "whole", *parts)
    good = {part["name"]: part["verdict"] for part in report["parts"] if part["name"] in parts}
    assert set(good.values()) <= {"pass", "note"}, report
    assert report["verdict"] == "pass"
    assert "Acceptance report" in (tmp_path / "whole" / "report.html").read_text()
    with modern_cluster.broken("node1", "card-alarm=1"):
        report = accepted(cluster, tmp_path / "broken", "network", "versions", "smoke")
    found = {part["name"]: part for part in report["parts"]}
    assert found["network"]["verdict"] in ("warning", "failure")
    assert {("node1", 1)} <= {(one["node"], one["device"]) for one in found["network"]["findings"]}
    assert found["versions"]["verdict"] == found["smoke"]["verdict"] == "pass"


def test_a_program_goes_back_and_stops(cluster: Cluster, capfd):
    deploy(cluster, Unattended())
    ((before, proved),) = running(cluster)
    assert proved
    other = cluster.model_copy(update={"serving": cluster.serving.model_copy(update={"max_batch_size": 8})})
    assert deploy(other, Unattended(), smoke=False).changed
    ((now, proved),) = running(cluster)
    assert now != before and not proved
    back = rollback(cluster, Unattended())
    assert back.changed and back.proposal.release == before
    assert running(cluster) == [(before, True)]
    assert stop(cluster, Unattended()).changed
    assert stop(cluster, Unattended()).state == "unchanged"
    assert capfd.readouterr() == ("", "")
