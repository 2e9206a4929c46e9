"""Weights whose head has to be folded before vLLM serves them: asked for in hosts.yaml, planned, refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lingctl.engines import engine_of
from lingctl.errors import ConfigurationError, WeightsError
from lingctl.flows.files.inputs import known_offline
from lingctl.inventory.cluster import Cluster
from lingctl.node.weights.expected import Shapes
from lingctl.release.state import NodeState
from lingctl.release.weights_state import WeightsState, WeightsUnknown
from lingctl.release.weights_steps import WeightsPlan, weights_plan
from lingctl.remote.command import Command, command
from tests.unit.vllm.samples import LITE_CONFIG, vllm_cluster

ASKED = {"name": "vllm", "version": "0.23.0", "fold_norm_head": True}
FOLDED = LITE_CONFIG | {"norm_head": False}


def weights(form: str, config: dict[str, Any] | None = None) -> WeightsState:
    """A folder as the node program describes it; whole if it holds a model."""
    shapes = Shapes((3072, 2048), (2048, 2048))
    return WeightsState(form, config is not None, "", (), config, "", None, False, shapes, "", (), ())  # type: ignore[arg-type]


def plan(cluster: Cluster, **found: WeightsState | WeightsUnknown) -> WeightsPlan:
    nothing = weights("none")
    state = NodeState("node1", **{"downloaded": nothing, "converted": nothing, "folded": nothing, **found})

    def program(*words: object) -> Command:
        return command("node-program", *map(str, words))

    return weights_plan(cluster, state, program)


def test_it_is_folded_beside_the_original_and_then_served_from_there() -> None:
    cluster = vllm_cluster(engine=ASKED)
    planned = plan(cluster, downloaded=weights("safetensors", LITE_CONFIG))
    assert not planned.settled and planned.folder == cluster.folded_weights
    [step] = planned.steps
    [action] = step.actions
    assert step.title == "fold norm_head into lm_head"
    assert f"fold {cluster.downloaded_weights} {cluster.folded_weights}" in action.command.text
    settled = plan(
        cluster, downloaded=weights("safetensors", LITE_CONFIG), folded=weights("safetensors", FOLDED)
    )
    assert settled.settled and settled.folder == cluster.folded_weights
    assert [step.state for step in settled.steps] == ["in place", "in place"]


def test_bin_weights_are_converted_first_and_the_converted_folded() -> None:
    cluster = vllm_cluster(engine=ASKED)
    first = plan(cluster, downloaded=weights("bin", LITE_CONFIG))
    assert [step.title for step in first.steps] == ["convert .bin to safetensors"]
    second = plan(
        cluster, downloaded=weights("bin", LITE_CONFIG), converted=weights("safetensors", LITE_CONFIG)
    )
    assert f"fold {cluster.converted_weights} {cluster.folded_weights}" in str(second.steps[0].actions[0])


def test_unless_it_is_asked_for_it_is_refused_with_the_choices() -> None:
    cluster = vllm_cluster(engine={"name": "vllm", "version": "0.23.0"})
    with pytest.raises(ConfigurationError) as told:
        plan(cluster, downloaded=weights("safetensors", LITE_CONFIG))
    assert told.value.code == "vllm-norm-head"
    assert "fold_norm_head: true" in told.value.remedy and "0.26" in told.value.remedy


@pytest.mark.parametrize(
    ("version", "config"),
    [("0.26.0", LITE_CONFIG), ("0.23.0", FOLDED)],
    ids=["a version that normalises", "a model that does not"],
)
def test_nothing_is_folded_that_need_not_be(version: str, config: dict[str, Any]) -> None:
    cluster = vllm_cluster(engine=ASKED | {"version": version})
    planned = plan(cluster, downloaded=weights("safetensors", config))
    assert planned.settled and planned.folder == cluster.downloaded_weights


@pytest.mark.parametrize(
    "folded",
    [weights("safetensors", LITE_CONFIG), replace(weights("safetensors", FOLDED), complete=False)],
    ids=["its config.json says otherwise", "not whole"],
)
def test_a_copy_that_is_not_whole_or_not_folded_is_made_again(folded: WeightsState) -> None:
    planned = plan(vllm_cluster(engine=ASKED), downloaded=weights("safetensors", LITE_CONFIG), folded=folded)
    assert not planned.settled


def test_a_copy_that_could_not_be_looked_at_is_not_taken_for_absent() -> None:
    with pytest.raises(WeightsError) as told:
        plan(
            vllm_cluster(engine=ASKED),
            downloaded=weights("safetensors", LITE_CONFIG),
            folded=WeightsUnknown("a mount hangs"),
        )
    assert told.value.code == "weights-unknown"


def test_what_is_rendered_is_the_copy_that_will_be_served() -> None:
    cluster = vllm_cluster(engine=ASKED)
    known = known_offline(cluster, LITE_CONFIG)
    assert known.weights == cluster.folded_weights
    config, reasons = engine_of(cluster).model_config(LITE_CONFIG)
    assert config["norm_head"] is False and "folded into lm_head" in reasons[0]
