"""Which release a rollback goes to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lingctl.errors import NodeError, UsageError
from lingctl.flows.change.releases import lacks_proof
from lingctl.flows.change.rollback import Rollback, _choose, _interrupted, _need
from lingctl.flows.look.node_states import look_of
from lingctl.inventory.runtime import DOCKER
from lingctl.plan import Plan
from lingctl.release.journal import ChangeRun, Unfinished
from lingctl.release.record import Recorded
from lingctl.release.state import FileState, NodeState
from tests.unit.release.conftest import cluster_of, deployed, releases_of

CLUSTER = cluster_of("node1", "node2")
BOTH = {"node1": "a", "node2": "b"}
OLD = Recorded("20260101-000000-aaaa", BOTH, True)
HALF = Recorded("20260202-000000-bbbb", {"node1": "a"}, True)
BAD = Recorded("20260303-000000-cccc", BOTH, False)
NOW = Recorded("20260404-000000-dddd", BOTH, True)
KNOWN = [NOW, BAD, HALF, OLD]


def test_without_a_name_it_is_the_last_proved_whole_one_before_the_running():
    assert _choose(KNOWN, NOW, CLUSTER, None) == OLD


def test_where_nothing_known_runs_it_is_the_last_proved_one():
    assert _choose(KNOWN, None, CLUSTER, None) == NOW


def test_a_name_or_its_last_digits_choose_any_whole_one():
    assert _choose(KNOWN, NOW, CLUSTER, BAD.id) == BAD
    assert _choose(KNOWN, NOW, CLUSTER, "cccc") == BAD


@pytest.mark.parametrize(
    ("wanted", "code"),
    [("nope", "no-release"), ("c", "no-release"), (HALF.id, "release-not-whole")],
)
def test_what_cannot_be_gone_back_to(wanted: str, code: str):
    with pytest.raises(UsageError) as caught:
        _choose(KNOWN, NOW, CLUSTER, wanted)
    assert (caught.value.code, caught.value.exit_status) == (code, 2)
    assert "lingctl releases" in caught.value.remedy


def test_with_no_earlier_proved_one_a_name_is_asked_for():
    with pytest.raises(UsageError) as caught:
        _choose([NOW, BAD], NOW, CLUSTER, None)
    assert caught.value.code == "no-release"


def test_image_and_weights_of_that_release_must_still_be_there():
    release = releases_of(CLUSTER)["node1"]
    state = deployed(CLUSTER, release)
    with pytest.raises(NodeError) as caught:
        _need(DOCKER, state, release)
    assert caught.value.code == "weights-missing"
    with pytest.raises(NodeError) as caught:
        _need(DOCKER, NodeState("node1"), release)
    assert caught.value.code == "image-missing"
    files = {f"{release.weights}/config.json": FileState(0o640, 0, b"{}")}
    _need(DOCKER, NodeState("node1", files=files, image_present=True), release)


def half_done(command: str) -> Unfinished:
    return Unfinished(
        ChangeRun("r1", command, "me@here"), "2026-01-01T00:00:00Z", ("stop the daemon",), ("start it",)
    )


def test_an_interrupted_rollback_goes_on_to_its_own_release_and_not_to_an_earlier_one():
    back = Rollback(OLD.id, CLUSTER, Plan(()), look_of(CLUSTER), {})
    states = {"node1": NodeState("node1"), "node2": NodeState("node2", unfinished=half_done(back.command))}
    assert _interrupted(states) == OLD.id
    assert _interrupted({"node1": NodeState("node1", unfinished=half_done("lingctl deploy"))}) is None


def test_a_release_that_runs_and_was_never_proved_is_told_from_one_that_was():
    listed = (f"{NOW.id}.a.json",)
    state = NodeState("node1", started="a", releases=listed)
    assert lacks_proof({"node1": state})
    assert not lacks_proof({"node1": replace(state, releases=(*listed, f"{NOW.id}.proved"))})
    assert not lacks_proof({"node1": replace(state, started="other")})
