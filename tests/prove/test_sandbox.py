"""The emulated engine is proved; each mistake that its tiny models know is caught by HTTP answers alone."""

from __future__ import annotations

import numpy as np
import pytest

from lingctl.events import ignore
from lingctl.findings import Verdict
from lingctl.flows.serve.proof_texts import ProofOptions
from lingctl.flows.serve.prove import prove_endpoint
from lingctl.sandbox.engine.model.model import Cache, Model
from lingctl.sandbox.engine.model.placement import share_of, stock_heads
from lingctl.sandbox.engine.tiny_models.mistakes import MISTAKES
from lingctl.serving.endpoint import Endpoint
from tests.engine_node import EngineNode, address, copied, edit_json, tiny
from tests.prove.proving import proved
from tests.prove.service import Said, Telling

LENGTH = 12


def answers_of(tensors, shape):
    """Greedy answers of the emulated engine's model, with the logits before each token."""

    class Tensors:
        def tensor(self, name, wanted=None):
            return tensors[name]

    share = share_of(1, [0], stock_heads(shape.heads, shape.kv_heads, 1))
    engine = Model(Tensors(), shape, share, lambda part: part)
    random = np.random.default_rng(5)
    said = {}
    for _ in range(5):
        prompt = [int(token) for token in random.integers(0, 1000, 9)]
        cache, answer, logits, fed = Cache(), [], [], prompt
        while len(answer) < LENGTH:
            row = engine.forward([(fed, cache)])[0]
            logits.append(row.tolist())
            fed = [int(row.argmax())]
            answer += fed
        said[" ".join(map(str, prompt))] = Said(tuple(prompt), tuple(answer), logits)
    return said


def test_the_emulated_model_is_proved(tmp_path, model):
    weights, tensors, shape = model
    report = proved(tmp_path, weights, Telling(answers_of(tensors, shape)), LENGTH)
    assert report.exit_status == 0, report.findings


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_a_mistake_on_the_way_to_a_service_is_caught(tmp_path, model, number):
    weights, tensors, shape = model
    report = proved(tmp_path, weights, Telling(answers_of(*MISTAKES[number](tensors, shape))), LENGTH)
    wrong = {finding.check for finding in report.findings if finding.verdict is Verdict.FAILURE}
    assert wrong & {"answers", "likelihoods", "control-router-likelihoods"}, report.findings
    assert report.exit_status == 1


@pytest.fixture(scope="module", params=["1.0.0", "3.0.0"])
def engine(request, tmp_path_factory):
    node = EngineNode(tmp_path_factory.mktemp("node"), request.param, tiny("lite"), address(31))
    node.add_overlay()
    node.start()
    try:
        node.wait_success()
        yield node
    finally:
        node.close()


def endpoint_of(node):
    return Endpoint(
        f"http://{node.address}:{node.port}", f"http://{node.address}:{node.port + 1}", "bailing_moe"
    )


@pytest.mark.parametrize("kind", ["chat", "base"])
def test_an_emulated_mindie_is_proved_by_what_it_tells(engine, kind):
    """It tells no ids: the weights' tokenizer makes them, and /infer_token where texts do not tell."""
    options = ProofOptions(kind=kind, max_tokens=20, arrays="numpy")
    report = prove_endpoint(endpoint_of(engine), engine.weights, options, ignore)
    verdicts = {finding.check: finding.verdict for finding in report.findings}
    assert report.exit_status == 0, report.findings
    assert verdicts["prompt-tokens"] is verdicts["likelihoods"] is Verdict.PASS


def test_an_answer_that_was_not_the_likeliest_is_not_greedy(engine):
    engine.write_site(faults={"wrong-answer": ""})
    try:
        options = ProofOptions(max_tokens=8, arrays="numpy")
        report = prove_endpoint(endpoint_of(engine), engine.weights, options, ignore)
    finally:
        engine.write_site()
    assert report.exit_status == 1
    assert {finding.check for finding in report.findings if finding.verdict is Verdict.FAILURE}


def test_weights_of_another_folder_are_not_those_that_are_served(engine, tmp_path):
    other = copied("lite", tmp_path / "other")
    edit_json(other / "config.json", rope_theta=10000)
    options = ProofOptions(max_tokens=20, arrays="numpy")
    report = prove_endpoint(endpoint_of(engine), other, options, ignore)
    assert report.exit_status == 1, report.findings
