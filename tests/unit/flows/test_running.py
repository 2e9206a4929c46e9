"""The loss of a node does not show in what the service says: every daemon is looked at before it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from lingctl.errors import ConnectError, EngineError, LingctlError, NotAskedError
from lingctl.events import ignore
from lingctl.findings import Verdict
from lingctl.flows.look.running import lost_nodes, need_no_lost_node
from lingctl.flows.serve import asked_service
from lingctl.flows.serve.asked_service import ClusterService
from lingctl.flows.serve.bench import BenchOptions, bench_service
from lingctl.flows.serve.smoke_test import smoke_test_service
from lingctl.release.site import site_of
from lingctl.remote.command import Command
from lingctl.remote.group import Group
from lingctl.serving.endpoint import Endpoint
from lingctl.serving.http.client import Client
from lingctl.serving.smoke.report import RUNGS, SmokeOptions
from tests.serving_server import Serving, serve
from tests.unit.release.conftest import cluster_of

CLUSTER = cluster_of("node1", "node2")
SITE = site_of(CLUSTER)
ALIVE, DEAD, NEVER = "alive 42\nabcd\n\n\n", "dead\nabcd\n137\n\n", "dead\n\n\n"


@dataclass
class Said:
    stdout: str


@dataclass
class Node:
    """Answers every look at its daemon alike, and nothing to anything else."""

    node: str
    daemon: str

    def run(self, command: Command, *, timeout: float) -> Said:
        return Said(self.daemon if command.title == "look at the daemon" else "")


def nodes(first: str | None = None, second: str | None = None, **errors: LingctlError) -> Group:
    """The two nodes with what each says of its daemon; one without a word has an error, or is not there."""
    said = {
        name: Node(name, word) for name, word in (("node1", first), ("node2", second)) if word is not None
    }
    return Group(said, errors)  # type: ignore[arg-type]  # stand-ins for connections


def group(second: str | None) -> Group:
    """Two nodes; the second cannot be reached where it is None."""
    return nodes(ALIVE, second, **({} if second else {"node2": ConnectError("no route to node2")}))


def test_only_a_daemon_that_was_seen_alive_counts():
    assert lost_nodes(group(ALIVE), SITE) == ""
    assert lost_nodes(group(DEAD), SITE) == "node2: the daemon is dead"
    assert lost_nodes(group(NEVER), SITE) == "node2: the daemon was stopped, or never started"
    assert lost_nodes(nodes(ALIVE, node2=NotAskedError("x")), SITE) == "node2: not asked"
    assert lost_nodes(group(None), SITE) == "node2: could not be asked (no route to node2)"


@contextmanager
def served(monkeypatch: pytest.MonkeyPatch, serving: Serving) -> Iterator[None]:
    """The cluster's service is this one."""
    with serve(serving) as url:

        @contextmanager
        def here(*_: object) -> Iterator[Client]:
            yield Client(Endpoint(url, url, serving.name))

        monkeypatch.setattr(asked_service, "client_for", here)
        yield


@pytest.mark.parametrize("second", [DEAD, None])
def test_smoke_test_does_not_ask_for_text_where_a_node_is_lost(second, monkeypatch):
    serving = Serving()
    with served(monkeypatch, serving):
        report = smoke_test_service(ClusterService(group(second), CLUSTER), SmokeOptions(), ignore)
    assert serving.requests == []
    found = {(f.check, f.node): f for f in report.findings}
    # Health goes on saying that all is well.
    assert found["health", ""].verdict is Verdict.PASS
    assert found["generate", ""].verdict is Verdict.UNKNOWN
    assert "node2" in found["generate", ""].message
    assert found["daemon", "node2"].verdict is (Verdict.FAILURE if second else Verdict.UNKNOWN)
    assert found["daemon", "node1"].verdict is Verdict.PASS
    # Cards of a node without a daemon hold nothing because of that.
    assert {node for check, node in found if check == "memory"} == {"node1"}
    assert report.exit_status == (1 if second else 3)


def test_smoke_test_asks_where_all_are_alive(monkeypatch):
    serving = Serving()
    with served(monkeypatch, serving):
        report = smoke_test_service(ClusterService(group(ALIVE), CLUSTER), SmokeOptions(), ignore)
    rungs = [f for f in report.findings if f.check in RUNGS]
    assert {f.verdict for f in rungs} == {Verdict.PASS}
    assert serving.requests


@pytest.mark.parametrize("left_out", ["node1", "node2"])
def test_smoke_test_of_a_part_of_the_nodes_asks_for_no_text_and_passes_nothing_for_the_rest(
    left_out, monkeypatch
):
    serving, asked = Serving(), "node2" if left_out == "node1" else "node1"
    not_asked = NotAskedError("not asked")
    some = nodes(ALIVE, node2=not_asked) if asked == "node1" else nodes(None, ALIVE, node1=not_asked)
    with served(monkeypatch, serving):
        report = smoke_test_service(ClusterService(some, CLUSTER), SmokeOptions(), ignore)
    assert serving.requests == []
    found = {(f.check, f.node): f for f in report.findings}
    assert found["daemon", asked].verdict is Verdict.PASS
    assert found["daemon", ""].verdict is Verdict.UNKNOWN and left_out in found["daemon", ""].message
    assert found["generate", ""].verdict is Verdict.UNKNOWN and left_out in found["generate", ""].message
    # The service is the first node's: where that is not asked, none of its rungs is known.
    assert found["port", ""].verdict is (Verdict.UNKNOWN if left_out == "node1" else Verdict.PASS)
    assert report.exit_status == 3


@pytest.mark.parametrize("second", [DEAD, None])
def test_bench_does_not_load_a_service_that_has_lost_a_node(second, monkeypatch):
    serving = Serving()
    with served(monkeypatch, serving), pytest.raises(EngineError, match="lost") as caught:
        bench_service(ClusterService(group(second), CLUSTER), BenchOptions(requests=2), ignore)
    assert serving.requests == []
    assert "node2" in caught.value.evidence


def test_where_nothing_was_ever_deployed_it_is_said_and_what_to_type(monkeypatch):
    nowhere = nodes(NEVER, NEVER)
    with served(monkeypatch, Serving()):
        report = smoke_test_service(ClusterService(nowhere, CLUSTER), SmokeOptions(), ignore)
    for name in SITE.nodes:
        [found] = [f for f in report.wrong if f.node == name]
        assert "nothing is deployed" in found.message and found.remedy == "lingctl deploy"
        assert found.evidence == ""  # it did not end: nothing is known of how
    with pytest.raises(EngineError) as refused:
        need_no_lost_node(nowhere, SITE, "bench")
    assert (refused.value.code, refused.value.remedy) == ("not-deployed", "lingctl deploy")


@pytest.mark.parametrize("first", [ALIVE, DEAD])
def test_a_node_without_a_daemon_beside_one_that_was_started_is_lost(first):
    with pytest.raises(EngineError) as refused:
        need_no_lost_node(nodes(first, NEVER), SITE, "bench")
    assert refused.value.code == "bench-node-lost"
