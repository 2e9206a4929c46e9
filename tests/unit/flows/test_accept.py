"""The protocol of an acceptance: order, what rests on what, what is kept, and what two reports tell."""

from __future__ import annotations

import errno
import hashlib
import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from lingctl.errors import (
    ConfigurationError,
    ConnectError,
    EngineError,
    Interrupted,
    NodeError,
    UsageError,
    WeightsError,
)
from lingctl.events import ignore
from lingctl.findings import Finding, Verdict
from lingctl.flows.accept import answers as answers_module
from lingctl.flows.accept import run as run_module
from lingctl.flows.accept.answers import proof_part, same_answer
from lingctl.flows.accept.compare import compared, read_report
from lingctl.flows.accept.load import SoakWindow, judge_soak
from lingctl.flows.accept.parts import of_image
from lingctl.flows.accept.protocol import (
    Acceptance,
    AcceptancePart,
    AcceptOptions,
    Judged,
    PartResult,
    run_part,
    verdict_of,
)
from lingctl.flows.accept.run import Accepted, accept
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.load import cluster_from
from lingctl.inventory.yaml_text.source import YamlSource
from tests.unit.checks.world import World, complained

PROJECT = Path(__file__).resolve().parents[3]
HOSTS = 'name: demo\nmodel: Ling-lite\nmindie: "3.0.0"\nnodes: [{address: 192.0.2.11}]\n'


def cluster(text: str = HOSTS) -> Cluster:
    return cluster_from(YamlSource(text, "hosts.yaml"), {})


def given(**options: object) -> Acceptance:
    return Acceptance(cluster(), AcceptOptions(**options), ignore, nullcontext)  # type: ignore[arg-type]


def good(_: Acceptance) -> Judged:
    return Judged("fine", (Finding("x", Verdict.PASS, "fine"),), {"answers": True})


def raising(error: BaseException):
    def part(_: Acceptance) -> Judged:
        raise error

    return part


def test_what_could_not_be_looked_at_is_unknown_and_what_is_wrong_is_a_failure():
    lost = run_part(
        AcceptancePart("a", "x", raising(ConnectError("gone", where="node2", remedy="look"))), given(), {}
    )
    dead = run_part(
        AcceptancePart("a", "x", raising(EngineError("it died", remedy="lingctl logs"))), given(), {}
    )
    assert (lost.verdict, dead.verdict) == ("unknown", "failure")
    assert dead.findings[0]["remedy"] == "lingctl logs"


def test_ctrl_c_ends_the_run_and_no_part():
    with pytest.raises(Interrupted):
        run_part(AcceptancePart("a", "x", raising(Interrupted("stop"))), given(), {})


@pytest.mark.parametrize(
    ("ground", "verdict"),
    [
        (PartResult("smoke", "failure", "", "", data={"answers": False}), "not reached"),
        (PartResult("smoke", "failure", "", "", data={}), "not reached"),
        (PartResult("smoke", "failure", "", "", data={"answers": True}), "pass"),
        (PartResult("smoke", "skipped", "", ""), "pass"),
        (None, "pass"),
    ],
)
def test_a_part_is_run_unless_what_it_rests_on_was_tried_and_does_not_hold(ground, verdict):
    part = AcceptancePart("load", "lingctl bench", good, "smoke", "answers")
    earlier = {"smoke": ground} if ground else {}
    assert run_part(part, given(), earlier).verdict == verdict


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        (["pass", "note"], "pass"),
        (["pass", "warning", "skipped"], "warning"),
        (["unknown", "warning"], "unknown"),
        (["failure", "unknown", "not reached"], "failure"),
        (["pass", "not reached"], "unknown"),
        (["skipped", "skipped"], "unknown"),
        ([], "unknown"),
    ],
)
def test_the_whole_is_as_good_as_its_worst_part_and_nothing_run_is_no_pass(verdicts, whole):
    assert verdict_of([PartResult(str(n), verdict, "", "") for n, verdict in enumerate(verdicts)]) == whole


@pytest.fixture
def parts(monkeypatch):
    """Three parts of our own, and how often each was run."""
    ran: list[str] = []

    def counting(name: str, inner=good):
        def part(asked: Acceptance) -> Judged:
            ran.append(name)
            return inner(asked)

        return part

    own = {
        name: AcceptancePart(name, f"lingctl {name}", counting(name)) for name in ("network", "smoke", "soak")
    }
    monkeypatch.setattr(run_module, "PARTS", tuple(own.values()))
    monkeypatch.setattr(run_module, "unknown_lines", lambda _: ())

    def put(name: str, inner) -> None:
        own[name] = replace(own[name], run=counting(name, inner))
        monkeypatch.setattr(run_module, "PARTS", tuple(own.values()))

    return ran, put


def whole(folder: Path, options: AcceptOptions | None = None, text: str = HOSTS) -> Accepted:
    page = "<!doctype html>"
    return accept(cluster(text), options or AcceptOptions(), folder, ignore, nullcontext, lambda _: page)


def test_a_run_that_was_ended_goes_on_where_it_was(tmp_path, parts):
    ran, put = parts
    put("soak", raising(Interrupted("stop")))
    with pytest.raises(Interrupted):
        whole(tmp_path / "a")
    assert ran == ["network", "smoke", "soak"]
    put("soak", good)
    assert whole(tmp_path / "a").verdict == "pass"
    assert ran == ["network", "smoke", "soak", "soak"]


def test_the_sums_notice_a_changed_report(tmp_path, parts):
    done = whole(tmp_path)
    sums = (tmp_path / "SHA256SUMS").read_bytes()
    assert hashlib.sha256(sums).hexdigest() == done.sum
    for line in sums.decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    assert {line.split("  ")[1] for line in sums.decode().splitlines()} == {
        "report.html",
        "report.json",
        "run.json",
    }


def test_another_hosts_yaml_is_another_acceptance_and_an_ended_one_is_not_written_over(tmp_path, parts):
    _, put = parts
    put("smoke", raising(Interrupted("stop")))
    with pytest.raises(Interrupted):
        whole(tmp_path)
    with pytest.raises(UsageError, match="of another"):
        whole(tmp_path, text=HOSTS + "serving: {max_batch_size: 8}\n")
    put("smoke", good)
    whole(tmp_path, text=HOSTS + "# only a comment\n")
    with pytest.raises(UsageError, match="has ended"):
        whole(tmp_path)


def test_a_folder_that_cannot_be_written_is_told_and_a_full_disk_by_its_code(tmp_path, parts, monkeypatch):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot write") as told:
        whole(tmp_path / "file" / "below")
    assert "--output" in told.value.remedy

    def full(target: Path, *_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr("lingctl.flows.accept.record.write_file", full)
    with pytest.raises(NodeError) as told:
        whole(tmp_path / "new")
    assert told.value.code == "disk-full"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"head": {}}', '{"head": 1, "parts": 2}', "null"])
def test_a_spoilt_record_is_refused(tmp_path, parts, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ConfigurationError):
        whole(tmp_path)


def test_what_was_left_out_is_listed_as_not_tested(tmp_path, parts):
    done = whole(tmp_path, AcceptOptions(only=("network",), skip={"network": "not today"}))
    assert done.verdict == "unknown"
    listed = {row["what"]: row["why"] for row in done.report["not_tested"]}
    assert listed["network"] == "not today"
    assert listed["smoke"] == "other parts alone were asked for"
    with pytest.raises(UsageError, match="no part 'nework'"):
        whole(tmp_path / "b", AcceptOptions(only=("nework",)))


def windows(speeds: list[float], failed: int = 0, memory: list[int] | None = None) -> list[SoakWindow]:
    used = memory or [100] * len(speeds)
    return [
        SoakWindow(60.0 * n, failed, 10, 100.0, 50.0, speed, {"node1 card 0": used[n]} if used[n] else {})
        for n, speed in enumerate(speeds)
    ]


@pytest.mark.parametrize(
    ("seen", "check", "verdict"),
    [
        (windows([20, 20, 21]), "soak-speed", Verdict.PASS),
        (windows([20, 20, 23]), "soak-speed", Verdict.WARNING),
        (windows([20, 20, 30]), "soak-speed", Verdict.FAILURE),
        (windows([20, 20, 0]), "soak-speed", Verdict.UNKNOWN),
        (windows([20, 20, 20], failed=1), "soak-errors", Verdict.FAILURE),
        (windows([20, 20, 20]), "soak-memory", Verdict.PASS),
        (windows([20, 20, 20], memory=[50, 100, 100]), "soak-memory", Verdict.PASS),
        (windows([20, 20, 20], memory=[50, 100, 110]), "soak-memory", Verdict.WARNING),
        (windows([20, 20, 20], memory=[50, 100, 0]), "soak-memory", Verdict.UNKNOWN),
    ],
)
def test_a_soak_is_judged_by_errors_speed_and_memory(seen, check, verdict):
    assert {one.check: one.verdict for one in judge_soak(seen)}[check] is verdict


def test_the_report_has_the_published_shape(tmp_path, parts):
    schema = json.loads((PROJECT / "docs/reference/acceptance.schema.json").read_text())
    jsonschema.validate(json.loads(json.dumps(whole(tmp_path / "a").report)), schema)
    left_out = whole(tmp_path / "b", AcceptOptions(only=("network",))).report
    jsonschema.validate(json.loads(json.dumps(left_out)), schema)


def test_two_reports_side_by_side_tell_what_differs(tmp_path, parts):
    first = dict(whole(tmp_path / "a").report)
    second = json.loads(json.dumps({**first, "engine": "MindIE 3.1.0"}))
    second["parts"][0]["verdict"] = "failure"
    rows = {row[0]: row[1:] for row in compared(first, second)}
    assert rows["engine"] == ("MindIE 3.0.0", "MindIE 3.1.0", "differs")
    assert rows["part network"] == ("pass", "failure", "differs")
    assert rows["part smoke"] == ("pass", "pass", "")
    assert read_report(tmp_path / "a")["verdict"] == "pass"
    (tmp_path / "odd.json").write_text('{"document": "bench"}')
    for odd in (tmp_path / "odd.json", tmp_path / "none"):
        with pytest.raises(ConfigurationError):
            read_report(odd)


@pytest.mark.parametrize(
    "data", [{"trials": [{}]}, {"trials": 1}, {"trials": [{"concurrency": {}}]}, [1], {"trials": ["x"]}]
)
def test_a_report_that_somebody_changed_is_refused_and_no_defect(tmp_path, parts, data):
    first = dict(whole(tmp_path).report)
    second = json.loads(json.dumps(first))
    second["parts"].append({"name": "load", "data": data})
    with pytest.raises(ConfigurationError, match="not understood"):
        compared(second, second)


def smoked(answer: str, repeat: Verdict = Verdict.PASS, prompt: str = "hello") -> Judged:
    found = (Finding("repeat", repeat, "the same answer twice"),)
    return Judged("16 of 16 rungs", found, {"answers": bool(answer), "prompt": prompt, "answer": answer})


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (smoked("Ling"), smoked("Ling"), Verdict.PASS),
        (smoked("Ling"), smoked("Gnil"), Verdict.FAILURE),
        (smoked("Ling", Verdict.WARNING), smoked("Gnil"), Verdict.NOTE),
        (smoked("Ling"), smoked("Gnil", Verdict.WARNING), Verdict.FAILURE),
        (smoked(""), smoked("Ling"), Verdict.UNKNOWN),
        (smoked("Ling", prompt="other"), smoked("Gnil"), Verdict.UNKNOWN),
    ],
)
def test_a_restart_has_to_answer_as_before(before, after, verdict):
    assert same_answer(before, after).verdict is verdict


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("prove-bin", "unknown"),
        ("prove-quantised", "unknown"),
        ("prove-model", "unknown"),
        ("prove-weights", "failure"),
        ("prove-tokens", "failure"),
    ],
)
def test_weights_without_a_reference_are_not_judged_and_wrong_ones_fail(monkeypatch, code, verdict):
    kind = UsageError if code == "prove-model" else WeightsError

    def refused(*_: object) -> None:
        raise kind("holds .bin files", remedy="lingctl convert /models/x", code=code)

    monkeypatch.setattr(answers_module, "prove_cluster", refused)
    found = run_part(AcceptancePart("proof", "lingctl prove", proof_part), given(), {})
    assert found.verdict == verdict
    assert found.findings[0]["remedy"] == "lingctl convert /models/x"


@pytest.mark.parametrize("said", ["Error: No such image: mindie:1.0.0", "the store is locked"])
def test_what_brings_a_missing_image_can_be_typed_as_it_is_told(said):
    world = World.healthy(2).set("node1", "image", complained(said, 1))
    found = of_image(world.facts["node1"], world.scope)
    assert found is not None
    assert found.verdict is (Verdict.FAILURE if "No such" in said else Verdict.UNKNOWN)
    assert found.remedy.startswith("docker pull mindie:1.0.0") and "IMAGE" not in found.remedy
    assert of_image(world.facts["node2"], world.scope) is None
