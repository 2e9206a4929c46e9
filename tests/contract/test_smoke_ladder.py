"""The ladder against a real server: each fault fails its own rung by name; a healthy service passes all."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from lingctl.findings import Verdict
from lingctl.serving.endpoint import Endpoint, TlsFiles
from lingctl.serving.http.client import Client
from lingctl.serving.http.exchange import Limits
from lingctl.serving.reach import client_for
from lingctl.serving.smoke.ladder import smoke_test
from lingctl.serving.smoke.report import RUNGS, SmokeOptions
from tests.serving_server import GOOD_CHAT, Serving, make_certificate, serve

# Long enough for a busy machine; where a test waits for the silence to end, it is shorter.
QUICK = Limits(connect=10, idle=10, total=30)
SHORT = replace(QUICK, idle=1.5)
SILENT = ("silent", "stuck-stream")


def climb(serving, options=None, limits=None):
    limits = limits or (SHORT if serving.fault in SILENT else QUICK)
    with serve(serving) as url:
        endpoint = Endpoint(url, url if serving.mindie else "", serving.name, serving.key)
        return smoke_test(Client(endpoint, {}, limits), options or SmokeOptions())


def verdicts(report, verdict):
    return {finding.check for finding in report.findings if finding.verdict is verdict}


@pytest.mark.parametrize("mindie", [True, False])
@pytest.mark.parametrize("kind", ["chat", "base"])
def test_a_healthy_service_gives_no_warning(kind, mindie):
    report = climb(Serving(mindie=mindie), SmokeOptions(kind=kind))
    assert report.verdict <= Verdict.NOTE, report.findings
    assert [finding.check for finding in report.findings] == list(RUNGS)
    assert report.exit_status == 0
    assert report.answer


FAULTS = {
    "closes": "models",
    "lost-follower": "health",
    "stopped": "health",
    "wrong-name": "models",
    "422": "generate",
    "424": "generate",
    "500": "generate",
    "no-tokenizer": "generate",
    "engine-timeout": "generate",
    "stopping": "generate",
    "silent": "generate",
    "not-json": "generate",
    "noise": "answer",
    "mixed": "answer",
    "one-token": "answer",
    "bangs": "answer",
    "empty": "answer",
    "marker": "answer",
    "mojibake": "answer",
    "chinese": "answer",
    "odd-finish": "finish",
    "no-usage": "tokens",
    "zero-tokens": "tokens",
    "too-many-tokens": "tokens",
    "stream-differs": "stream",
    "stream-html": "stream",
    "stuck-stream": "stream",
    "truncated-stream": "stream",
    "half-event": "stream",
    "error-in-stream": "stream",
    "timeout-in-stream": "stream",
    "no-response-in-stream": "stream",
    "garbage-in-stream": "stream",
    "bad-request-500": "bad-request",
    "bad-request-200": "bad-request",
    "bad-request-kills": "bad-request",
}


@pytest.mark.parametrize(("fault", "rung"), FAULTS.items())
def test_each_fault_fails_its_rung(fault, rung):
    report = climb(Serving(fault))
    failed = verdicts(report, Verdict.FAILURE)
    assert rung in failed, report.findings
    # An empty answer has no stream text either; nothing else may be blamed.
    assert failed <= ({rung, "stream"} if fault == "empty" else {rung}), report.findings
    assert report.exit_status == 1
    broken = next(finding for finding in report.findings if finding.check == rung)
    assert broken.remedy
    assert broken.evidence or fault == "empty"


@pytest.mark.parametrize(
    "fault", ["stuck-stream", "truncated-stream", "error-in-stream", "timeout-in-stream"]
)
def test_infer_streams_break_by_name_too(fault):
    report = climb(Serving(fault), SmokeOptions(kind="base"))
    assert verdicts(report, Verdict.FAILURE) == {"stream"}


def test_a_services_own_trouble_is_told_as_such_and_not_as_the_requests():
    told = {
        "no-tokenizer": ("every tokenizer process is in use", "lingctl restart"),
        "engine-timeout": ("the engine brought no token in time", "every node's console"),
        "stopping": ("the service is stopping", "lingctl status"),
        "422": ("the request was not answered", "serving.served_name"),
    }
    for fault, (message, remedy) in told.items():
        finding = next(f for f in climb(Serving(fault)).findings if f.check == "generate")
        assert finding.message == message
        assert remedy in finding.remedy


def test_the_node_that_health_may_name_is_told():
    """By MindIE's documents; 3.0.0 never says it."""
    health = next(f for f in climb(Serving("lost-follower")).findings if f.check == "health")
    assert health.message == "the primary says that it has lost a node"
    assert "10.0.0.2" in health.evidence


def test_no_text_is_asked_for_where_a_node_is_lost():
    serving = Serving()
    with serve(serving) as url:
        client = Client(Endpoint(url, url, serving.name), {}, QUICK)
        report = smoke_test(client, SmokeOptions(), without_asking="node2: the daemon is dead")
    assert serving.requests == []
    assert verdicts(report, Verdict.UNKNOWN) == set(RUNGS[RUNGS.index("generate") :])
    assert "node2" in next(f.message for f in report.findings if f.check == "generate")
    assert report.exit_status == 3


def test_what_stands_on_a_broken_rung_is_unknown_and_no_pass():
    report = climb(Serving("424"))
    assert verdicts(report, Verdict.UNKNOWN) == set(RUNGS[RUNGS.index("answer") :])


def test_a_slow_first_token_is_named():
    report = climb(Serving("slow-first-token"), SmokeOptions(first_token_limit=0.3))
    assert verdicts(report, Verdict.FAILURE) == {"first-token"}


def test_answers_that_differ_are_a_warning_and_no_fault_of_the_stream():
    report = climb(Serving("not-repeatable"))
    assert verdicts(report, Verdict.WARNING) == {"repeat"}
    assert not verdicts(report, Verdict.FAILURE)
    assert report.exit_status == 3


@pytest.mark.parametrize(("fault", "check"), [("busy", "health"), ("early-length", "finish")])
def test_what_is_odd_but_works_is_a_warning(fault, check):
    assert verdicts(climb(Serving(fault)), Verdict.WARNING) == {check}


def test_a_model_that_thinks_first_is_given_the_tokens_that_it_needs():
    serving = Serving("thinks")
    report = climb(serving)
    assert report.verdict <= Verdict.NOTE, report.findings
    assert report.answer == GOOD_CHAT
    told = next(finding for finding in report.findings if finding.check == "first-token")
    assert "a thought; the answer's first: after" in told.message
    # It made 100 tokens in some 20 ms: the most that is ever allowed fits into half the patience.
    assert {body["max_tokens"] for _, body in serving.requests if body} >= {100, 4096}


def test_thoughts_that_stand_in_the_text_are_told_and_are_no_answer():
    report = climb(Serving("thinks-inline"))
    assert report.verdict <= Verdict.NOTE, report.findings
    assert report.answer == GOOD_CHAT
    told = {finding.check: finding.message for finding in report.findings}
    assert "leaves its thoughts in the text" in told["answer"]
    assert "same text as unstreamed" in told["stream"]
    assert "a thought; the answer's first: after" in told["first-token"]


def test_of_a_slow_model_no_more_is_asked_than_patience_allows():
    """An answer that is no stream is silent until it is whole."""
    serving = Serving("thinks-for-ever")
    report = climb(serving, SmokeOptions(patience=0.5))
    told = next(finding for finding in report.findings if finding.check == "answer")
    assert (told.verdict, "it still thought after 100 tokens" in told.message) == (Verdict.WARNING, True)
    most = max(body["max_tokens"] for _, body in serving.requests if "max_tokens" in (body or {}))
    assert 100 <= most <= 0.5 / 2 * 100 / 0.02
    assert report.exit_status == 3


def test_a_closed_port_is_not_reachable():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    report = smoke_test(Client(Endpoint(f"http://127.0.0.1:{port}"), {}, QUICK))
    assert verdicts(report, Verdict.FAILURE) == {"port"}
    assert report.exit_status == 4


def test_a_port_closed_behind_a_tunnel_is_the_ports_fault():
    with serve(Serving("closes")) as url:
        here = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
        client = Client(Endpoint("http://10.99.0.1:1025"), {("10.99.0.1", 1025): here}, QUICK)
        assert verdicts(smoke_test(client), Verdict.FAILURE) == {"port"}


def test_the_key_is_sent_and_never_shown():
    assert climb(Serving(key="s3cret")).verdict is Verdict.PASS
    with serve(Serving(key="s3cret")) as url:
        report = smoke_test(Client(Endpoint(url, url, "bailing_moe", "wrong"), {}, QUICK))
    failed = [finding for finding in report.findings if finding.verdict is Verdict.FAILURE]
    assert "LINGCTL_API_KEY" in failed[-1].remedy
    assert "s3cret" not in repr(Endpoint("http://a", api_key="s3cret"))


def test_https_with_its_authority_passes(tmp_path):
    certificate = make_certificate(tmp_path / "server.pem")
    with serve(Serving(), certificate) as url:
        report = smoke_test(Client(Endpoint(url, url, "bailing_moe", tls=TlsFiles(certificate)), {}, QUICK))
    assert report.verdict is Verdict.PASS, report.findings


def test_https_with_the_wrong_authority_fails_at_tls(tmp_path):
    certificate, other = make_certificate(tmp_path / "a.pem"), make_certificate(tmp_path / "b.pem")
    with serve(Serving(), certificate) as url:
        report = smoke_test(Client(Endpoint(url, url, "bailing_moe", tls=TlsFiles(other)), {}, QUICK))
    assert verdicts(report, Verdict.FAILURE) == {"tls"}
    assert "--ca" in next(f.remedy for f in report.findings if f.check == "tls")


def test_https_for_another_address_fails_at_tls(tmp_path):
    certificate = make_certificate(tmp_path / "a.pem", "10.1.2.3")
    with serve(Serving(), certificate) as url:
        report = smoke_test(Client(Endpoint(url, url, "bailing_moe", tls=TlsFiles(certificate)), {}, QUICK))
    assert verdicts(report, Verdict.FAILURE) == {"tls"}
    assert "issued for" in next(f.remedy for f in report.findings if f.check == "tls")


def test_http_asked_of_an_https_service_says_so(tmp_path):
    with serve(Serving(), make_certificate(tmp_path / "a.pem")) as url:
        report = smoke_test(Client(Endpoint(url.replace("https", "http")), {}, QUICK))
    assert verdicts(report, Verdict.FAILURE) == {"tls"}
    assert "https://" in next(f.remedy for f in report.findings if f.check == "tls")


def test_https_asked_of_an_http_service_says_so():
    with serve(Serving()) as url:
        report = smoke_test(Client(Endpoint(url.replace("http", "https")), {}, QUICK))
    assert verdicts(report, Verdict.FAILURE) == {"tls"}
    assert "http://" in next(f.remedy for f in report.findings if f.check == "tls")


def test_the_readme_requests_are_sent():
    chat, base = Serving(), Serving()
    climb(chat)
    climb(base, SmokeOptions(kind="base"))
    path, body = chat.requests[0]
    assert path == "/v1/chat/completions"
    assert body == {
        "model": "bailing_moe",
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "Who are you?"},
        ],
        "max_tokens": 100,
        "temperature": 0,
        "stream": False,
    }
    path, body = base.requests[0]
    assert path == "/infer"
    assert body == {
        "inputs": "My name is Olivier and I",
        "stream": False,
        "parameters": {"temperature": 1, "max_new_tokens": 100, "do_sample": False},
    }


@pytest.mark.parametrize(("name", "fault"), [("Ling-lite-base", ""), ("any", "no-template")])
def test_auto_knows_a_base_model(name, fault):
    report = climb(Serving(fault, name, mindie=False))
    assert report.kind == "base"
    assert report.verdict <= Verdict.NOTE, report.findings


def test_expected_text_decides():
    assert climb(Serving(), SmokeOptions(prompt="Who made you?", expect="INCLUSIONai")).exit_status == 0
    report = climb(Serving(), SmokeOptions(prompt="Who made you?", expect="Paris"))
    assert verdicts(report, Verdict.FAILURE) == {"answer"}


@pytest.mark.parametrize(("fault", "rung"), [("endless-answer", "generate"), ("endless-stream", "stream")])
def test_an_answer_without_end_is_cut_off(fault, rung):
    report = climb(Serving(fault), limits=replace(QUICK, largest=1 << 20))
    assert verdicts(report, Verdict.FAILURE) == {rung}
    assert "more than 1048576 bytes" in next(f.evidence for f in report.findings if f.check == rung)


def test_proxies_of_the_environment_are_ignored(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert climb(Serving()).exit_status == 0


def test_a_tunnel_is_used_where_the_place_is_closed_from_here():
    with serve(Serving()) as url:
        here = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
        opened = []

        class Tunnel:
            def __init__(self, host, port):
                opened.append((host, port))

            def __enter__(self):
                return here

            def __exit__(self, *_):
                pass

        endpoint = Endpoint("http://127.0.0.1:1", "http://127.0.0.2:2", "bailing_moe")
        with client_for(endpoint, Tunnel, QUICK) as client:
            report = smoke_test(client)
    assert opened == [("127.0.0.1", 1), ("127.0.0.2", 2)]
    assert report.exit_status == 0, report.findings
