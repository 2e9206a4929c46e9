"""prove from the question to the verdict: nodes share it, what goes on is picked up, unknown stays so."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lingctl.errors import LingctlError
from lingctl.events import ignore
from lingctl.findings import Verdict
from lingctl.flows.serve import asked_service
from lingctl.flows.serve.asked_service import ClusterService
from lingctl.flows.serve.proof_shares import shares_of
from lingctl.flows.serve.proof_texts import ProofOptions
from lingctl.flows.serve.prove import prove_cluster, prove_endpoint
from lingctl.inventory.load import load_cluster
from lingctl.node.prove.request import alone
from lingctl.remote.group import Group
from lingctl.remote.local import LocalConnection
from tests import forked

torch = pytest.importorskip("torch")

from tests.parity.checkpoints import case, make_tensors, write_checkpoint  # noqa: E402  (only where torch is)
from tests.parity.reference import Reference  # noqa: E402  (as above)
from tests.prove.service import Said, Telling, serving  # noqa: E402  (as above)

pytestmark = pytest.mark.torch

PROMPTS = ((5, 17, 900), (1000, 2, 31), (8, 9, 10), (400, 300, 200))
LENGTH = 10
CONFIG = case("lite").config


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    """The nodes' python3 is ours, which has numpy."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def right():
    """A model, and the answers that are its own."""
    tensors = make_tensors(CONFIG)
    model = Reference(CONFIG, tensors, stored=torch.float32)
    said = {}
    for prompt in PROMPTS:
        tokens, logits = list(prompt), []
        for _ in range(LENGTH):
            row = model.logits(tokens)[-1]
            logits.append(row.tolist())
            tokens.append(int(row.argmax()))
        said[" ".join(map(str, prompt))] = Said(prompt, tuple(tokens[3:]), logits)
    return tensors, said


@pytest.fixture
def weights(tmp_path, right):
    return write_checkpoint(tmp_path / "models" / "Ling_lite", case("lite").served, right[0])


@pytest.fixture
def options(tmp_path, right):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("\n".join(right[1]) + "\n")
    return ProofOptions(kind="base", prompts=prompts, max_tokens=LENGTH, host=True, arrays="numpy")


@pytest.fixture
def cluster(tmp_path, weights):
    hosts = tmp_path / "hosts.yaml"
    hosts.write_text(
        f"""
name: two
model: Ling-lite-base
paths: {{state: {tmp_path}/state, models: {weights.parent}, weights: {weights}}}
nodes:
  - {{name: one, address: 127.0.0.1, devices: [0, 1]}}
  - {{name: two, address: 127.0.0.2, devices: [0, 1]}}
"""
    )
    return load_cluster(hosts)


@pytest.fixture
def no_daemons(monkeypatch):
    """The nodes of this test run no daemon: only the service is asked."""
    monkeypatch.setattr(asked_service, "need_no_lost_node", lambda group, site, verb: None)


def group_of(cluster):
    return Group({node.name: LocalConnection(node.name) for node in cluster.nodes})


def asked_at(monkeypatch, endpoint):
    monkeypatch.setattr(asked_service, "endpoint_of", lambda cluster, tls: replace(endpoint, tls=tls))


def checks(report, verdict):
    return {finding.check for finding in report.findings if finding.verdict is verdict}


def test_a_right_service_is_proved(weights, options, right):
    telling = Telling(right[1])
    with serving(telling) as endpoint:
        report = prove_endpoint(endpoint, weights, options, ignore)
    assert report.exit_status == 0, report.findings
    assert {"answers", "likelihoods", "greedy"} <= checks(report, Verdict.PASS)
    document = report.as_json()
    assert document["verdict"] == "pass"
    figures = document["figures"]
    assert (figures["tokens"], figures["wrong"], figures["first_wrong"]) == (4 * LENGTH, 0, None)
    assert figures["largest_gap"] <= figures["explained_gap"]
    assert figures["controls"]["heads-dealt-wrongly"]["rejected"]
    assert [one["output_tokens"] for one in document["questions"]] == [LENGTH] * 4
    assert json.dumps(document)


def test_fields_that_a_service_refuses_are_left_out_and_not_asked_again(weights, options, right):
    telling = Telling(right[1], refused=("return_token_ids", "repetition_penalty"), tokenize=True)
    with serving(telling) as endpoint:
        report = prove_endpoint(endpoint, weights, options, ignore)
    asked = [one for one in telling.requests if one["path"] == "/v1/completions"]
    assert len(asked) == 2 + len(PROMPTS)
    # Its likelihoods name ids still; the prompts' come by /tokenize.
    assert report.exit_status == 0, report.findings
    assert sum(one["path"] == "/tokenize" for one in telling.requests) == len(PROMPTS)


def test_tokens_that_nobody_tells_are_unknown(weights, options, right):
    with serving(Telling(right[1], with_ids=False)) as endpoint:
        report = prove_endpoint(endpoint, weights, options, ignore)
    assert report.exit_status == 3
    assert checks(report, Verdict.UNKNOWN) == {"tokens", "answers"}
    assert report.costs == {}


def test_a_wrong_token_is_shown_where_it_stands(weights, options, right):
    said = dict(right[1])
    name, one = next(iter(said.items()))
    worst = min(range(1024), key=lambda token: one.logits[4][token])
    said[name] = replace(one, answer=(*one.answer[:4], worst, *one.answer[5:]))
    with serving(Telling(said, with_numbers=False)) as endpoint:
        report = prove_endpoint(endpoint, weights, options, ignore)
    assert report.exit_status == 1
    wrong = next(finding for finding in report.findings if finding.check == "answers")
    assert wrong.verdict is Verdict.FAILURE
    assert f"token {worst}" in wrong.evidence and "token 5" in wrong.evidence
    first = report.as_json()["figures"]["first_wrong"]
    assert (first["place"], first["token"], first["reference"]) == (5, worst, one.answer[4])


def test_nodes_share_the_answers(cluster, options, right, monkeypatch, no_daemons):
    with serving(Telling(right[1])) as endpoint:
        asked_at(monkeypatch, endpoint)
        report = prove_cluster(ClusterService(group_of(cluster), cluster), options, ignore)
    assert report.exit_status == 0, report.findings
    assert set(report.costs) == {"one", "two"}
    answers = next(finding for finding in report.findings if finding.check == "answers")
    assert f"{4 * LENGTH} of {4 * LENGTH}" in answers.message


def test_a_node_without_weights_takes_no_part(cluster, options, right, monkeypatch, no_daemons):
    class Without(LocalConnection):
        def run(self, command, **how):
            if " prove look " in command.text:
                raise LingctlError("no weights there")
            return super().run(command, **how)

    group = Group({"one": Without("one"), "two": LocalConnection("two")})
    with serving(Telling(right[1])) as endpoint:
        asked_at(monkeypatch, endpoint)
        report = prove_cluster(ClusterService(group, cluster), options, ignore)
    assert report.exit_status == 0, report.findings
    assert set(report.costs) == {"two"}
    assert [finding.node for finding in report.findings if finding.verdict is Verdict.NOTE] == ["one"]


def test_what_goes_on_without_us_is_picked_up_with_its_own_answers(
    cluster, options, right, monkeypatch, no_daemons, tmp_path
):
    telling = Telling(right[1])
    with serving(telling) as endpoint:
        asked_at(monkeypatch, endpoint)
        first = prove_cluster(ClusterService(group_of(cluster), cluster), options, ignore)
        asked = len(telling.requests)
        request = next((tmp_path / "state" / "two" / "prove").glob("*-two.json"))
        with alone(str(request)):  # as the program that goes on holds it
            second = prove_cluster(ClusterService(group_of(cluster), cluster), options, ignore)
    assert first.exit_status == second.exit_status == 0
    assert len(telling.requests) == asked
    assert second.costs == first.costs


def test_the_longest_answers_are_shared_out_first():
    class Text:
        def __init__(self, length):
            self.prompt, self.answer = (0,) * length, (0,)

    shares = shares_of([Text(9), Text(1), Text(8), Text(2)], ["one", "two"])
    assert shares == {"one": (0, 1), "two": (2, 3)}
    assert shares_of([Text(3)], ["one", "two"]) == {"one": (0,)}


def lingctl(*words, cwd):
    return forked.run("prove", *words, cwd=cwd, timeout=300)


def test_as_it_is_typed(weights, options, right, tmp_path):
    with serving(Telling(right[1])) as endpoint:
        words = ("--url", endpoint.service_url, "--weights", weights, "--prompts", options.prompts)
        words += ("--kind", "base", "--max-tokens", str(LENGTH), "--arrays", "numpy")
        shown = lingctl(*words, cwd=tmp_path)
        document = lingctl(*words, "--json", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "proved, by 4 answers" in shown.stdout
    assert "read once" in shown.stdout
    assert json.loads(document.stdout)["verdict"] == "pass"


USAGE = {
    "no weights": ("--url", "http://127.0.0.1:9"),
    "no service": ("--weights", "."),
    "no JSON": ("--url", "http://127.0.0.1:9", "--weights", ".", "--config-override", "{"),
    "no folder": ("--url", "http://127.0.0.1:9", "--weights", "nowhere"),
}


@pytest.mark.parametrize("mistake", [name for name in USAGE if name != "no service"])
def test_what_cannot_be_is_said(tmp_path, mistake):
    ended = lingctl(*USAGE[mistake], cwd=tmp_path)
    assert ended.returncode in (1, 2)
    assert "fix:" in ended.stderr or "error:" in ended.stderr
    assert "Traceback" not in ended.stderr
