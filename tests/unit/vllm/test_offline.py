"""What has to hold before a batch is answered without a service."""

from __future__ import annotations

import pytest

from lingctl.errors import WeightsError
from lingctl.flows.serve.batch.offline import need_weights
from lingctl.plan import Stage, Step
from lingctl.release.weights_steps import WeightsPlan

CONFIG = "make the model's config.json loadable"


def plan(state: str, *, settled: bool = True) -> WeightsPlan:
    steps = (
        Step(Stage.WEIGHTS, "node1", "weights", "in place", ""),
        Step(Stage.MODEL_CONFIG, "node1", CONFIG, state, ""),
    )
    return WeightsPlan("/root/models/Ling_lite", steps, settled, {})


def test_weights_that_are_as_the_engine_is_to_read_them_will_do():
    need_weights(plan("in place"), "node1")


@pytest.mark.parametrize(
    ("given", "named"), [(plan("change"), CONFIG), (plan("in place", settled=False), "")]
)
def test_weights_that_a_deploy_would_still_change_are_not_read(given: WeightsPlan, named: str):
    with pytest.raises(WeightsError) as told:
        need_weights(given, "node1")
    assert told.value.code == "offline-weights" and told.value.evidence == named
