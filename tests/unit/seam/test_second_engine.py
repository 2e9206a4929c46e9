"""Another engine behind the seam goes through planning, start, readiness and diagnosis, unknown above."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lingctl import engines
from lingctl.cli.files.render import render
from lingctl.engine.capacity import capacity_findings
from lingctl.engine.interface import Engine
from lingctl.errors import ConfigurationError, EngineError
from lingctl.events import Event, ignore
from lingctl.findings import Verdict
from lingctl.flows.change import watch_start
from lingctl.flows.change.watch_start import wait_until_loaded
from lingctl.flows.files.capacity import Wishes, answer_capacity
from lingctl.flows.files.inputs import known_offline
from lingctl.flows.files.kubernetes import manifests
from lingctl.flows.files.render import rendered
from lingctl.flows.look.node_states import look_of
from lingctl.flows.look.status.cluster_status import _overlay_word
from lingctl.flows.network.check import scope_of
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.models.catalogue import find_model
from lingctl.inventory.sections import Container, Paths, Serving
from lingctl.node.weights.expected import Shapes
from lingctl.plan import Stage
from lingctl.release.daemon import watch_command
from lingctl.release.planning import deploy_steps
from lingctl.release.site import site_of
from lingctl.release.state import NodeState
from lingctl.release.wanted import wanted_release
from lingctl.release.weights_state import WeightsState
from lingctl.release.weights_steps import weights_plan
from lingctl.remote.command import Command, command
from lingctl.remote.completed import Completed, OutputListener
from lingctl.remote.group import Group
from lingctl.remote.local import LocalConnection
from lingctl.serving.endpoint import endpoint_of
from lingctl.serving.http.client import Client
from lingctl.serving.readiness import probe_of
from tests.serving_server import Serving as Served
from tests.serving_server import serve
from tests.unit.release.conftest import cluster_of, deployed
from tests.unit.seam.toy import FULL, LOADED, Toy

CONFIG: dict[str, object] = {"model_type": "bailing_moe"}
WEIGHTS = "/root/models/Ling_lite"


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """In the place of the engine that every cluster has."""
    engine: Engine = Toy()
    monkeypatch.setitem(engines._BY_NAME, "mindie", lambda version: engine)
    return engine


@pytest.fixture
def cluster() -> Cluster:
    return cluster_of("node1", "node2")


def released(cluster: Cluster) -> dict[str, object]:
    return {node.name: wanted_release(cluster, node, {}, CONFIG, WEIGHTS) for node in cluster.nodes}


def test_its_release_has_its_own_files_start_words_and_container_and_nothing_of_another_s(cluster):
    releases = released(cluster)
    second = releases["node2"]
    files = {file.name: file.content.decode() for file in second.files}
    assert list(files) == ["environment.sh", "start.sh"]
    assert "export ASCEND_RT_VISIBLE_DEVICES=0,1,2,3,4,5,6,7\n" in files["environment.sh"]
    words = "toy serve /home/HwHiAiUser/Ascend/Ling_lite --port 1025"
    assert f"\n{words} --node-rank 1 --master-addr 10.0.0.1 --headless &\n" in files["start.sh"]
    assert "--headless" not in releases["node1"].files[1].content.decode()
    assert second.overlay == ()
    assert second.container.image == "registry.example/toy:0.1"
    assert not any("atb_llm" in mount or "overlay" in mount for mount in second.container.mounts)
    assert not any("mindie" in text.lower() for text in (*files.values(), str(second.container)))


def test_a_bare_node_gets_it_without_an_overlay_and_a_second_run_finds_nothing_to_do(cluster):
    releases = released(cluster)
    bare = {name: NodeState(name, image_present=True) for name in releases}
    stages = [stage for stage, _ in deploy_steps(site_of(cluster), bare, releases).stages()]
    assert stages == [Stage.FILES, Stage.CONTAINER, Stage.DAEMON]
    states = {name: deployed(cluster, release) for name, release in releases.items()}
    assert deploy_steps(site_of(cluster), states, releases).empty


def test_what_it_cannot_be_told_is_refused_with_its_words():
    cluster = cluster_of("node1", serving=Serving(max_input_tokens=5))
    with pytest.raises(ConfigurationError) as told:
        wanted_release(cluster, cluster.primary, {}, CONFIG, WEIGHTS)
    assert told.value.where == "serving.max_input_tokens"


def weights(form: str, config: dict[str, object] | None) -> WeightsState:
    """A folder as the node program describes it; whole if it holds a model."""
    return WeightsState(
        form, config is not None, "", (), config, "", None, False, Shapes(None, None), "", (), ()
    )


def test_weights_that_it_reads_are_not_converted(cluster):
    found = weights("bin", CONFIG)
    state = NodeState("node1", downloaded=found, converted=weights("none", None))
    plan = weights_plan(cluster, state, lambda *words: command("node-program", *words))
    assert plan.settled and plan.folder == WEIGHTS
    assert [step.state for step in plan.steps] == ["in place", "in place"]


def test_a_model_that_it_cannot_serve_is_refused_with_its_words(cluster):
    found = weights("safetensors", {**CONFIG, "quantize": "w8a8"})
    with pytest.raises(ConfigurationError) as told:
        weights_plan(cluster, NodeState("node1", converted=found), lambda *words: command("x"))
    assert told.value.code == "toy-quantised"


def test_its_nodes_are_checked_for_what_it_needs(cluster):
    scope = scope_of(cluster)
    assert (scope.image, scope.driver) == ("registry.example/toy:0.1", "25.0")
    assert "the overlay" not in scope.digests.values()
    assert scope.ports == {"service": 1025} and scope.shared_ports == {"inter-node": 1120}
    own = cluster_of("node1", container=Container(image="mirror.example/toy:0.1"))
    assert look_of(own).image == "mirror.example/toy:0.1"
    assert [path.rsplit("/", 1)[-1] for path in look_of(cluster).paths] == ["environment.sh", "start.sh"]
    assert _overlay_word(cluster, NodeState("node1")) == "-"


def test_its_own_arithmetic_says_what_fits(cluster, toy):
    memory = {name: dict.fromkeys(range(8), 65536) for name in cluster.node_names}
    (found,) = capacity_findings(toy.capacity, cluster, memory)
    assert (found.verdict, found.message) == (Verdict.PASS, "a toy has 44.6 GiB left")
    assert not answer_capacity(find_model("Ling-lite"), Wishes(hbm_gib=12), cluster).found.fits


def test_its_start_script_runs_its_words_and_keeps_how_they_ended(tmp_path, monkeypatch):
    program = ("sh", "-c", f'echo "{LOADED}"; exit 3', "toy")
    monkeypatch.setitem(engines._BY_NAME, "mindie", lambda version: Toy(str(tmp_path), program))
    cluster = cluster_of("node1", paths=Paths(state=str(tmp_path)))
    release = wanted_release(cluster, cluster.primary, {}, CONFIG, WEIGHTS)
    for file in release.files:
        Path(file.path).parent.mkdir(parents=True, exist_ok=True)
        Path(file.path).write_bytes(file.content)
    layout = cluster.layout
    assert subprocess.run(["bash", layout.start], check=False, timeout=60).returncode == 3
    assert Path(layout.exit_status).read_text() == "3\n"
    assert Path(layout.console).read_text() == f"{LOADED}\n"


class _Node(LocalConnection):
    """A node whose daemon is told by the test."""

    def __init__(self, name: str, look: str, console: str, status: str = "") -> None:
        super().__init__(name)
        self._said = f"{look}\nd1g35t\n{status}\n{console}"

    def run(
        self, command: Command, *, timeout: float = 60.0, on_output: OutputListener | None = None
    ) -> Completed:
        return Completed(command, 0, self._said if command.title == "look at the daemon" else "", "")


def test_a_node_that_prints_no_word_of_success_counts_as_loaded_while_it_lives(cluster):
    heard: list[Event] = []
    nodes = [_Node("node1", "alive 7", LOADED), _Node("node2", "alive 8", "")]
    wait_until_loaded(Group({node.node: node for node in nodes}), cluster, heard.append)
    assert [event.node for event in heard if event.state == "done"] == ["node1", "node2"]
    asked = [watch_command(site_of(cluster), name).text for name in cluster.node_names]
    assert LOADED in asked[0] and LOADED not in asked[1]


def test_its_death_is_told_in_its_own_words(cluster, monkeypatch):
    monkeypatch.setattr(watch_start, "_SETTLE_SECONDS", 0.0)
    nodes = [_Node("node1", "alive 7", ""), _Node("node2", "dead", f"Worker: {FULL}", "0")]
    with pytest.raises(EngineError) as told:
        wait_until_loaded(Group({node.node: node for node in nodes}), cluster, ignore)
    error = told.value
    assert (error.code, error.where) == ("toy-T1", "node2")
    assert error.what == "the Toy daemon ended (exit status 0): the cards are in use (certain)"


@pytest.mark.parametrize(("kind", "path"), [("chat", "/v1/chat/completions"), ("base", "/v1/completions")])
def test_it_is_ready_when_it_generates_and_its_health_is_not_asked(cluster, kind, path):
    endpoint = endpoint_of(cluster)
    assert endpoint.management_url == ""
    served = Served(mindie=False)
    with serve(served) as url:
        there = type(endpoint)(url, "", served.name)
        assert probe_of(Client(there), kind)().state == "ready"
    assert [asked for asked, _ in served.requests] == [path]


def test_it_is_rendered_and_exported_like_any_other(cluster):
    files = rendered(cluster, "all", known_offline(cluster))
    assert [file.name for file in files if file.node == "node1"] == [
        "environment.sh",
        "start.sh",
        "container.sh",
    ]
    objects = manifests(cluster, {}, WEIGHTS, "ling")
    assert [one["kind"] for one in objects] == ["ConfigMap", "StatefulSet"] * 2 + ["Service"]
    pod = objects[1]["spec"]["template"]["spec"]
    assert not any(volume["name"] == "overlay" for volume in pod["volumes"])
    probe = pod["containers"][0]["startupProbe"]["httpGet"]
    assert (pod["containers"][0]["name"], probe["path"], probe["port"]) == ("toy", "/health", 1025)


def test_the_command_line_shows_its_values(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts.yaml").write_text("name: ling\nmodel: Ling-lite\nnodes: [{address: 10.0.0.1}]\n")
    render(show=True)
    shown = capsys.readouterr().out
    assert "Ling-lite" in shown and "mindie" not in shown.lower()
