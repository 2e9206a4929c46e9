"""The ladder against the emulated MindIE: real tokens, real faults, each failing its own rung by name."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from lingctl.findings import Verdict
from lingctl.serving.endpoint import Endpoint, TlsFiles
from lingctl.serving.http.client import Client, ModelList
from lingctl.serving.http.exchange import Limits
from lingctl.serving.smoke.ladder import smoke_test
from lingctl.serving.smoke.report import RUNGS, SmokeOptions
from tests.engine_node import EngineNode, address, copied, edit_json, join_world, rename_tensors, tiny
from tests.serving_server import make_certificate

LIMITS = Limits(connect=2, idle=8, total=20)


def endpoint_of(node, name="bailing_moe", **more):
    url = f"http://{node.address}:{node.port}"
    return Endpoint(url, f"http://{node.address}:{node.port + 1}", name, **more)


def climb(node, options=None, limits=LIMITS, **more):
    return smoke_test(Client(endpoint_of(node, **more), {}, limits), options or SmokeOptions())


def failed(report):
    return [finding.check for finding in report.findings if finding.verdict is Verdict.FAILURE]


@pytest.fixture(scope="module", params=["1.0.0", "3.0.0"])
def node(request, tmp_path_factory):
    node = EngineNode(tmp_path_factory.mktemp("node"), request.param, tiny("lite"), address(70))
    node.add_overlay()
    node.start()
    try:
        node.wait_success()
        yield node
    finally:
        node.close()


@pytest.fixture
def make(tmp_path):
    nodes = []

    def make(weights, version="3.0.0", model_cards=8):
        number = 80 + len(nodes)
        node = EngineNode(tmp_path / f"n{number}", version, weights, address(number), model_cards)
        node.add_overlay()
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        node.close()


@pytest.mark.parametrize("kind", ["chat", "base"])
def test_a_healthy_service_warns_of_nothing(node, kind):
    report = climb(node, SmokeOptions(kind=kind))
    assert [finding.check for finding in report.findings] == list(RUNGS)
    assert report.verdict is Verdict.PASS, report.findings
    assert "Ling" in report.answer if kind == "chat" else "Paris" in report.answer


def test_the_name_is_found_out_where_none_is_given(node):
    report = climb(node, name="")
    assert (report.verdict, report.model) == (Verdict.PASS, "bailing_moe")


def test_a_wrong_name_fails_at_models(node):
    report = climb(node, name="qwen")
    assert failed(report) == ["models"]
    assert "bailing_moe" in next(f for f in report.findings if f.check == "models").remedy


def test_a_prompt_that_is_too_long_fails_at_generate(node):
    report = climb(node, SmokeOptions(prompt="word " * 4000))
    assert failed(report) == ["generate"]
    finding = next(f for f in report.findings if f.check == "generate")
    assert "HTTP 424 Generation Error" in finding.evidence
    assert "max_input_tokens" in finding.remedy


STREAMS = {
    "stuck-stream": "stream",
    "truncated-stream": "stream",
    "error-in-stream": "stream",
    "wrong-answer": "answer",
    "slow-first-token": "first-token",
}


@pytest.mark.parametrize("fault", STREAMS)
def test_a_fault_while_serving_fails_its_rung(node, fault):
    node.write_site(faults=[fault])
    try:
        report = climb(node, SmokeOptions(first_token_limit=0.3), replace(LIMITS, idle=4))
    finally:
        node.write_site()
    assert failed(report) == [STREAMS[fault]], report.findings


def swap_layers(folder):
    other = {"0": "1", "1": "0"}

    def rename(name):
        head, mark, rest = name.partition("model.layers.")
        return f"{head}{mark}{other[rest[0]]}{rest[1:]}" if mark else name

    rename_tensors(folder, rename)


WRONG = {
    "layers-swapped": swap_layers,
    "head-not-normalised": lambda folder: edit_json(folder / "config.json", norm_head=False),
    "another-rope-base": lambda folder: edit_json(folder / "config.json", rope_theta=10000),
}


@pytest.mark.parametrize("kind", ["chat", "base"])
@pytest.mark.parametrize("case", WRONG)
def test_wrong_weights_fail_at_the_answer(make, tmp_path, case, kind):
    folder = copied("lite", tmp_path / "weights")
    WRONG[case](folder)
    node = make(folder)
    node.start()
    node.wait_success()
    report = climb(node, SmokeOptions(kind=kind))
    assert "answer" in failed(report), report.findings
    assert "lingctl verify-weights" in next(f for f in report.findings if f.check == "answer").remedy


def test_a_service_that_lost_a_node_is_not_asked_for_text(make):
    nodes = [make(tiny("plus")), make(tiny("plus"))]
    join_world(nodes, worldSize=8)
    for node in nodes:
        node.start()
    for node in nodes:
        node.wait_success()
    assert climb(nodes[0]).verdict is Verdict.PASS
    nodes[1].stop()
    lost = f"{nodes[1].address}: the daemon is dead"
    report = smoke_test(Client(endpoint_of(nodes[0]), {}, LIMITS), without_asking=lost)
    asked = next(f for f in report.findings if f.check == "generate")
    assert (asked.verdict, asked.evidence) == (Verdict.UNKNOWN, lost)
    # Health need not tell of the loss, and a request shows it the hard way.
    assert isinstance(Client(endpoint_of(nodes[0])).models(), ModelList)
    assert "generate" in failed(climb(nodes[0]))


@pytest.fixture
def secured(make, tmp_path):
    """A service with HTTPS on; gives it, its authority and a client's certificate."""
    node = make(tiny("lite"))
    server = make_certificate(tmp_path / "server.pem", node.address)
    client = make_certificate(tmp_path / "client.pem", node.address)
    places = {"tlsCert": server, "tlsPk": server, "tlsCaFile": client}
    for prefix in ("", "management", "metrics"):
        for name, source in places.items():
            name = f"{prefix}{name[0].upper()}{name[1:]}" if prefix else name
            target = node.service / "security" / f"{name}.pem"
            shutil.copy(source, target)
            target.chmod(0o600)
    files = {
        f"{prefix}{name}": f"security/{prefix}{name}.pem"
        for prefix in ("management", "metrics")
        for name in ("TlsCert", "TlsPk")
    }
    authorities = {f"{prefix}TlsCaFile": [f"{prefix}TlsCaFile.pem"] for prefix in ("management", "metrics")}
    own = {"tlsCert": "security/tlsCert.pem", "tlsPk": "security/tlsPk.pem", "tlsCaFile": ["tlsCaFile.pem"]}
    none = {f"{prefix}CrlPath": "" for prefix in ("tls", "managementTls", "metricsTls")}
    node.configure(httpsEnabled=True, tlsCaPath="security/", **own, **files, **authorities, **none)
    node.start()
    node.wait_success()
    return node, server, client


def test_https(secured, tmp_path):
    node, server, client = secured
    plain = endpoint_of(node)
    secure = replace(
        plain,
        service_url=plain.service_url.replace("http", "https"),
        management_url=plain.management_url.replace("http", "https"),
    )
    other = make_certificate(tmp_path / "other.pem", node.address)

    def tls_finding(endpoint):
        report = smoke_test(Client(endpoint, {}, LIMITS))
        assert failed(report) == ["tls"], report.findings
        return next(finding for finding in report.findings if finding.check == "tls")

    report = smoke_test(Client(replace(secure, tls=TlsFiles(server, client)), {}, LIMITS))
    assert report.verdict is Verdict.PASS, report.findings
    assert "--ca" in tls_finding(replace(secure, tls=TlsFiles(other, client))).remedy
    assert "--cert" in tls_finding(replace(secure, tls=TlsFiles(server))).remedy
    assert "tlsCaFile" in tls_finding(replace(secure, tls=TlsFiles(server, other))).remedy
    assert "https://" in tls_finding(plain).remedy
