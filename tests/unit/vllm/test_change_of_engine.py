"""From one engine to the other and back: the plan, what is taken away, and what a record keeps."""

from __future__ import annotations

from dataclasses import replace

from lingctl.flows.change.rollback import _of_another_engine
from lingctl.flows.look.node_states import look_of
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.plan import Stage
from lingctl.release.planning import deploy_steps
from lingctl.release.record import Recording, read_record, record_text
from lingctl.release.site import site_of
from lingctl.release.wanted import wanted_release
from tests.unit.release.conftest import cluster_of, deployed, releases_of
from tests.unit.vllm.samples import LITE_CONFIG

VLLM = EngineChoice(name="vllm", version="0.32.0", parallel="tensor")


def test_the_files_and_the_overlay_of_the_one_are_taken_away_for_the_other():
    before = cluster_of("node1", "node2")
    after = before.served_by(VLLM)
    releases = releases_of(after, LITE_CONFIG)
    states = {name: deployed(before, release) for name, release in releases_of(before).items()}
    plan = deploy_steps(site_of(after), states, releases)
    changes = [step.title for step in plan.changes if step.node == "node1"]
    assert changes == [
        "stop the daemon",
        "remove the bailing_moe overlay",
        "write environment.sh",
        "write start.sh",
        "remove config.json",
        "remove rank_table.json",
        "run container lingctl-ling",
        "start the daemon",
    ]
    (overlay,) = (step for step in plan.changes if step.stage is Stage.OVERLAY and step.node == "node1")
    assert len(overlay.actions) == len(states["node1"].overlay_names)


def test_a_second_run_finds_nothing_to_do_and_the_way_back_brings_all_again():
    before = cluster_of("node1", "node2")
    after = before.served_by(VLLM)
    releases = releases_of(after, LITE_CONFIG)
    states = {name: deployed(after, release) for name, release in releases.items()}
    assert deploy_steps(site_of(after), states, releases).empty
    back = deploy_steps(site_of(before), states, releases_of(before))
    titles = {step.title for step in back.changes}
    assert {"write config.json", "write rank_table.json", "place the bailing_moe overlay"} <= titles
    assert not any(title.startswith("remove") for title in titles)


def test_nodes_are_looked_at_for_files_of_either_engine():
    paths = look_of(cluster_of("node1").served_by(VLLM)).paths
    assert {path.rsplit("/", 1)[-1] for path in paths} >= {"config.json", "rank_table.json", "start.sh"}


def test_a_record_keeps_the_engine_with_its_settings():
    cluster = cluster_of("node1").served_by(replace_choice(eager=True))
    release = wanted_release(cluster, cluster.primary, {}, LITE_CONFIG, "/root/models/Ling_lite")
    read = read_record("node1", record_text(cluster, release, Recording("20260101-1", "now", "me", {})))
    assert (read.engine.name, read.engine.version, read.engine.eager) == ("vllm", "0.32.0", True)
    assert read == replace(release, engine=read.engine)
    usual = cluster_of("node1")
    release = wanted_release(usual, usual.primary, {}, LITE_CONFIG, "/root/models/Ling_lite")
    read = read_record("node1", record_text(usual, release, Recording("20260101-2", "now", "me", {})))
    assert (read.engine.name, read.engine.version) == ("mindie", "1.0.0")


def replace_choice(**changes: object) -> EngineChoice:
    return EngineChoice(**{"name": "vllm", "version": "0.32.0", **changes})


def test_a_rollback_to_another_engine_says_that_hosts_yaml_names_this_one():
    now = cluster_of("node1").served_by(VLLM)
    (said,) = _of_another_engine(now, now.served_by(EngineChoice(name="mindie", version="3.0.0")))
    assert "MindIE 3.0.0" in said and "hosts.yaml names vLLM" in said
    assert _of_another_engine(now, now.served_by(replace_choice(version="0.23.0"))) == ()
