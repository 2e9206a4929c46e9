"""What each verb makes of a cluster that vLLM serves, without any node."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lingctl.errors import ConfigurationError, UsageError
from lingctl.flows.files.inputs import known_offline
from lingctl.flows.files.judge import check_file
from lingctl.flows.files.kubernetes import manifests
from lingctl.flows.files.render import needs_addresses, rendered
from lingctl.flows.network.check import scope_of
from lingctl.flows.overlay.by_hand import change_overlay, look_at_overlay
from lingctl.flows.overlay.patch import PatchOptions
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.output.person import Terminal
from lingctl.release.state import NodeState
from lingctl.release.weights_steps import weights_plan
from lingctl.remote.command import command
from tests.unit.seam.test_second_engine import weights
from tests.unit.vllm.samples import LITE_CONFIG, PLUS_CONFIG, vllm_cluster

VLLM = EngineChoice(name="vllm", version="0.32.0")
TWO = vllm_cluster("Ling-plus", 2)


def judged(folder: Path, document: object, choice: EngineChoice = VLLM) -> tuple[str, bool, str]:
    path = folder / "file.json"
    path.write_text(json.dumps(document))
    kind, (one,) = check_file(path, choice)
    return kind, one.accepted, one.judge


def test_a_model_config_is_judged_by_the_version_that_would_read_it(tmp_path):
    assert judged(tmp_path, LITE_CONFIG) == ("model config", True, "vLLM 0.32.0")
    assert judged(tmp_path, LITE_CONFIG, EngineChoice(name="vllm"))[1] is False


def test_files_of_the_other_engine_are_refused_and_not_judged(tmp_path):
    for document in ({"server_list": [], "server_count": "1"}, {"ServerConfig": {}, "BackendConfig": {}}):
        with pytest.raises(ConfigurationError, match="reads no such file"):
            judged(tmp_path, document)


@pytest.mark.parametrize(
    ("part", "code"),
    [("ranktable", "rank-table-not-needed"), ("config", "config-not-needed")],
)
def test_what_it_does_not_read_is_not_rendered(part, code):
    with pytest.raises(UsageError) as told:
        rendered(TWO, part, known_offline(TWO))
    assert told.value.code == code and "lingctl render environment" in told.value.remedy


def test_several_nodes_are_rendered_without_asking_their_cards():
    assert not needs_addresses(TWO, "all")
    files = rendered(TWO, "all", known_offline(TWO, PLUS_CONFIG | {"norm_head": False}))
    assert {file.name for file in files} == {
        "environment.sh",
        "start.sh",
        "container.sh",
        "model-config.json",
    }


def test_its_weights_are_neither_converted_nor_given_other_modes():
    config = LITE_CONFIG | {"norm_head": False}
    found = weights("bin", config)
    state = NodeState("node1", downloaded=found, converted=weights("none", None))
    plan = weights_plan(vllm_cluster(), state, lambda *words: command("node-program", *words))
    assert plan.settled and [step.state for step in plan.steps] == ["in place", "in place"]
    assert "as .bin, which it reads" in plan.steps[0].reason


def test_nodes_are_checked_for_its_image_driver_and_one_port():
    scope = scope_of(TWO)
    assert (scope.image, scope.driver) == ("quay.io/ascend/vllm-ascend:v0.23.0", "25.2")
    assert scope.ports == {"service": 1025} and scope.shared_ports == {"inter-node": 1120}
    assert any("16608" in remark for remark in scope.remarks)


def test_kubernetes_probes_its_health_on_the_first_node_alone():
    objects = manifests(TWO, {}, "/root/models/Ling_plus", "ling", PLUS_CONFIG)
    containers = [
        one["spec"]["template"]["spec"]["containers"][0] for one in objects if one["kind"] == "StatefulSet"
    ]
    probe = containers[0]["startupProbe"]["httpGet"]
    assert (containers[0]["name"], probe["path"], probe["port"]) == ("vllm", "/health", 1025)
    assert "startupProbe" not in containers[1]
    assert not any(one["metadata"]["name"].endswith("overlay") for one in objects)


def test_there_is_nothing_to_patch():
    for action in (
        lambda: look_at_overlay(TWO, "status", PatchOptions()),
        lambda: change_overlay(TWO, "apply", PatchOptions(), Terminal(yes=True)),
    ):
        with pytest.raises(UsageError, match="nothing to patch"):
            action()
