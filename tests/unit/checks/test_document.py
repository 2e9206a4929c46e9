"""The JSON document is as its schema says, and every check is explained and shown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lingctl.ascend.unread import Unread
from lingctl.findings import Verdict
from lingctl.flows.network.check import judged
from lingctl.flows.network.document import network_json
from lingctl.flows.network.probe import NodeAnswers, facts_of, hits_of
from lingctl.output.documents import document
from lingctl.output.verbs.network import COLUMNS
from lingctl.remote.probe import Answer
from tests.unit.checks.world import World, complained, listed, said

PROJECT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((PROJECT / "docs/reference/check-network.schema.json").read_text())


def _strict(schema: Any) -> Any:
    """The schema with nothing allowed that it does not name."""
    if isinstance(schema, dict):
        inner = {key: _strict(value) for key, value in schema.items()}
        if "properties" in inner and "additionalProperties" not in inner:
            inner["additionalProperties"] = False
        return inner
    return [_strict(value) for value in schema] if isinstance(schema, list) else schema


def _document(world: World, pings: dict[str, Answer]) -> Any:
    records = {
        name: NodeAnswers({**answers, **(pings if name == "node1" else {})}, asked_at=1.0, heard_at=2.0)
        for name, answers in world.nodes.items()
    }
    report = judged(world.scope, records)
    return json.loads(json.dumps(document("check-network", network_json(report))))


def _odd_world() -> World:
    world = World.healthy(2)
    world.set("node2", "card:0:link", said("link status: DOWN\n"))
    world.set(
        "node2", "card:1:address", complained("Get ipconf failed, because no ip was preset there!\n", 13)
    )
    world.set("node2", "card:2:tls", said("?"))
    world.set("node2", "card:3:speed", said("Speed: Unknown!\n"))
    world.set("node1", "pci", listed("pci devices: 0\n"))
    world.set(
        "node1", "pod:0:place", said("SDID : 1\nSuper Pod Size : 2\nSuper Pod ID : 0\nServer Index : 0\n")
    )
    del world.nodes["node1"]["memory"]
    return world


PINGS = {
    "ping/0/1/0/10.1.2.1": said("3 packets transmitted, 3 received, 0.00% packet loss\n"),
    "ping/1/1/1/10.1.2.2": said("3 packets transmitted, 0 received, 100.00% packet loss\n", 1),
    "ping/2/1/2/10.1.2.3": said("?!"),
}


@pytest.mark.parametrize("world", [World.healthy(2), _odd_world()], ids=["healthy", "odd"])
def test_the_document_is_as_its_schema_says(world: World) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(_document(world, PINGS), _strict(SCHEMA))


def test_the_schema_refuses_what_is_not_so() -> None:
    good = _document(World.healthy(2), PINGS)
    for spoil in (
        lambda d: d.update(version=2),
        lambda d: d["findings"][0].update(verdict="fine"),
        lambda d: d["nodes"][0]["facts"]["cards"]["0"].update(link="Up"),
        lambda d: d["mesh"][0].pop("answered"),
    ):
        bad = json.loads(json.dumps(good))
        spoil(bad)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, SCHEMA)


def test_pings_are_read_back_from_a_record() -> None:
    world = World.healthy(2)
    hits = hits_of(world.scope, "node1", NodeAnswers(PINGS))
    assert [(hit.shot.source, hit.shot.target, hit.ok) for hit in hits] == [
        (("node1", 0), ("node2", 0), True),
        (("node1", 1), ("node2", 1), False),
        (("node1", 2), ("node2", 2), False),
    ]
    assert isinstance(hits[2].ping, Unread)


def test_a_record_without_answers_passes_nothing() -> None:
    world = World.healthy(2)
    facts = facts_of(world.scope, "node1", NodeAnswers({}, complete=False))
    report = judged(world.scope, {"node1": NodeAnswers({}, complete=False)})
    assert not facts.complete
    assert not [finding for finding in report.findings if finding.verdict is Verdict.PASS]


def _check_names() -> set[str]:
    """Every name that a check gives its findings, from the sources."""
    text = "\n".join(path.read_text() for path in (PROJECT / "lingctl/checks").rglob("*.py"))
    text += (PROJECT / "lingctl/flows/network/check.py").read_text()
    names = set(re.findall(r'(?:Finding|Subject|Same|judge_of)\(\s*"([a-z-]+)"', text))
    return names | {"shm", "disk"}


def test_every_check_is_explained_in_the_guide() -> None:
    guide = (PROJECT / "docs/how-to/network.md").read_text()
    assert {name for name in _check_names() if f"`{name}`" not in guide} == set()


def test_every_check_has_its_column() -> None:
    assert _check_names() == {check for checks in COLUMNS.values() for check in checks}
