"""Releases that were recorded can be read, matched, pruned and come back to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lingctl.errors import NodeError
from lingctl.inventory.sections import Container, Paths
from lingctl.plan import Run
from lingctl.release.planning import deploy_steps
from lingctl.release.record import (
    KEEP,
    Recording,
    matching,
    proved_command,
    read_head,
    read_record,
    record_steps,
    record_text,
    recorded,
    release_id,
    running,
)
from lingctl.release.site import site_of
from lingctl.release.state import NodeState
from lingctl.remote.local import LocalConnection
from lingctl.remote.upload import WriteFile
from tests.unit.release.conftest import cluster_of, deployed, releases_of, with_state

NEW = Recording("20261125-081500-abcd", "2026-11-25 08:15:00 UTC", "root@ops1", {"node1": "sha"})


def test_what_is_read_back_is_what_was_wanted(cluster, releases):
    for name, release in releases.items():
        assert read_record(name, record_text(cluster, release, NEW)) == release


def test_the_first_line_describes_it(cluster, releases):
    head = read_head("node1", record_text(cluster, releases["node1"], NEW).splitlines()[0])
    assert head["model"] == "Ling-lite"
    assert (head["who"], head["weights_digest"], head["digest"]) == (
        "root@ops1",
        "sha",
        releases["node1"].digest,
    )


@pytest.mark.parametrize("text", ["", "nonsense\n", '{"id": "x"}\n', '{"id": "x"}\n{"files": [1]}'])
def test_a_damaged_record_is_an_error_and_no_traceback(text: str):
    with pytest.raises(NodeError) as caught:
        read_record("node1", text)
    assert caught.value.code == "release-unreadable"


def names(states: dict[str, NodeState], *per_node: tuple[str, ...]) -> dict[str, NodeState]:
    return {
        name: replace(state, releases=listing)
        for (name, state), listing in zip(states.items(), per_node, strict=True)
    }


def test_listings_of_the_nodes_make_one_list_newest_first(states):
    seen = names(
        states,
        ("20260101-000000-aaaa.d1.json", "20260101-000000-aaaa.proved", "20260202-000000-bbbb.d3.json"),
        ("20260101-000000-aaaa.d2.json", "20260101-000000-aaaa.proved", "junk"),
    )
    newer, older = recorded(seen)
    assert (newer.id, newer.digests, newer.proved) == ("20260202-000000-bbbb", {"node1": "d3"}, False)
    assert (older.digests, older.proved) == ({"node1": "d1", "node2": "d2"}, True)
    assert older.whole(["node1", "node2"]) and not newer.whole(["node1", "node2"])


def test_the_running_release_is_the_one_all_daemons_were_started_with(states):
    listings = tuple((f"20260101-000000-aaaa.{state.started}.json",) for state in states.values())
    found = running(names(states, *listings))
    assert found is not None and found.id == "20260101-000000-aaaa"
    assert running(with_state(names(states, *listings), "node2", started="")) is None


def test_a_new_release_is_recorded_on_every_node_and_a_known_one_is_not(cluster, states, releases):
    steps = record_steps(cluster, states, releases, NEW)
    assert {(s.node, s.state) for s in steps} == {("node1", "change"), ("node2", "change")}
    assert not any(s.interrupts for s in steps)
    listings = tuple((f"{NEW.id}.{release.digest}.json",) for release in releases.values())
    known = names(states, *listings)
    assert matching(known, {n: r.digest for n, r in releases.items()}) is not None
    assert {s.state for s in record_steps(cluster, known, releases, NEW)} == {"in place"}


def test_a_release_that_one_node_lost_is_recorded_anew(cluster, states, releases):
    half = names(states, (f"{NEW.id}.{releases['node1'].digest}.json",), ())
    assert {s.state for s in record_steps(cluster, half, releases, NEW)} == {"change"}


def test_ids_differ_by_time_and_content(releases):
    other = releases_of(cluster_of("node1", "node2", container=Container(image="mindie:other")))
    assert release_id("20260101-000000", releases) != release_id("20260101-000000", other)
    assert release_id("20260101-000000", releases) < release_id("20260101-000001", releases)


def test_going_back_is_a_plan_like_any_other(releases):
    """From a newer image back to the recorded release, through the planning of a deploy."""
    newer = cluster_of("node1", "node2", container=Container(image="mindie:other"))
    cluster = cluster_of("node1", "node2")
    states = {name: deployed(newer, release) for name, release in releases_of(newer).items()}
    back = {name: read_record(name, record_text(cluster, r, NEW)) for name, r in releases.items()}
    plan = deploy_steps(site_of(newer), states, back)
    assert [s.stage.word for s in plan.changes if s.node == "node1"] == ["stop", "container", "daemon"]
    assert back["node1"].container.image in plan.changes[2].actions[-1].command.text


def run(steps, node: str, connection: LocalConnection) -> None:
    for step in steps:
        for action in step.actions if step.node == node else ():
            if isinstance(action, WriteFile):
                connection.put(action)
            elif isinstance(action, Run):
                connection.run(action.command).checked(node)


def test_old_releases_go_but_neither_the_running_nor_the_last_proved_one(tmp_path: Path):
    cluster = cluster_of("node1", paths=Paths(state=str(tmp_path)))
    layout, connection = cluster.layout, LocalConnection("node1")
    for number in range(KEEP + 5):
        connection.put(
            WriteFile(f"{layout.releases}/2025{number:04}-000000-aaaa.d{number}.json", b"{}", 0o640)
        )
    connection.put(WriteFile(layout.started, b"d1\n77\n", 0o640))
    connection.run(proved_command(cluster.layout, "20250003-000000-aaaa")).checked("node1")
    releases = releases_of(cluster)
    run(record_steps(cluster, {"node1": NodeState("node1")}, releases, NEW), "node1", connection)
    left = sorted(path.name for path in Path(layout.releases).glob("*.json"))
    assert f"{NEW.id}.{releases['node1'].digest}.json" in left
    assert "20250001-000000-aaaa.d1.json" in left
    assert "20250003-000000-aaaa.d3.json" in left
    assert len(left) == KEEP + 2
    assert json.loads(Path(layout.releases, left[-1]).read_text().splitlines()[0])["id"] == NEW.id


def test_only_a_recorded_release_can_be_proved(tmp_path: Path):
    cluster = cluster_of("node1", paths=Paths(state=str(tmp_path)))
    assert not LocalConnection().run(proved_command(cluster.layout, "20250003-000000-aaaa")).ok
