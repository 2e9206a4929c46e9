"""The product's client, smoke test and benchmark against what the real MindIE 3.0.0 sent.

``tests/real_answers.py`` says what is replayed byte for byte and what is made out of the recorded forms.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lingctl.events import ignore
from lingctl.findings import Verdict
from lingctl.flows.serve.asked_service import UrlService
from lingctl.flows.serve.bench import BenchOptions, bench_service
from lingctl.serving.bench.connection import Target
from lingctl.serving.bench.load import Pace, resolve, run_load
from lingctl.serving.bench.outcome import RequestOutcome
from lingctl.serving.endpoint import Endpoint, address_of
from lingctl.serving.faults import fault_of, of_the_request
from lingctl.serving.http.answers import Piece
from lingctl.serving.http.api import CHAT, COMPLETIONS, INFER, Ask, Dialect
from lingctl.serving.http.client import Client
from lingctl.serving.http.exchange import HttpRequest, HttpResponse, Limits, exchange
from lingctl.serving.http.sse import SseParser
from lingctl.serving.http.streamed import Streamed, gather
from lingctl.serving.http.wire import ResponseReader
from lingctl.serving.readiness import decide, settled_health
from lingctl.serving.smoke.ladder import smoke_test
from lingctl.serving.smoke.report import RUNGS, SmokeOptions
from lingctl.serving.trouble import ExchangeTrouble, http_trouble
from tests import forked, real_answers
from tests.real_answers import LONG_TALK, SHORT_TALK, RealAnswer, Talk, health_answer, life, named, recorded
from tests.real_server import RealServer, cut, real_server, words_after

ROOT = Path(__file__).parents[2]
LIMITS = Limits(connect=10, idle=20, total=60)
DIALECTS = {"/v1/chat/completions": CHAT, "/v1/completions": COMPLETIONS, "/infer": INFER}
STREAMS = real_answers.streams(*DIALECTS, "/infer_token")
TALKS = {"eos": SHORT_TALK, "length": LONG_TALK}
KINDS = {"chat": CHAT, "base": INFER}


def entry(name: str) -> dict:
    return next(e for e in recorded() if e["name"] == name)


def as_recorded(name: str) -> Dialect:
    """The dialect of a recorded request's path, which sends that very request."""
    request = entry(name)
    dialect = DIALECTS.get(request["path"], INFER)
    return replace(dialect, path=request["path"], body=lambda *_: json.loads(request["body"]))


def client_of(url: str, limits: Limits = LIMITS) -> Client:
    return Client(Endpoint(url, "", "bailing_moe"), {}, limits)


def stream(dialect: Dialect, ask: Ask, server: RealServer) -> Streamed:
    with real_server(server) as url:
        return gather(client_of(url).stream(dialect, ask))


def load(dialect: Dialect, ask: Ask, server: RealServer, count: int = 3) -> tuple[RequestOutcome, ...]:
    with real_server(server) as url:
        place = address_of(url)
        target = Target(place, resolve(place.place), dialect)
        bodies = [dialect.body("bailing_moe", ask, True) for _ in range(count)]
        limits = Limits(connect=5, idle=20, total=60)
        return run_load(target, bodies, Pace(concurrency=2), limits=limits).outcomes


class Told:
    """What a recorded stream says, read off its events without the product."""

    def __init__(self, name: str) -> None:
        parts = [part.decode() for part in named(name).parts if b"[DONE]" not in part]
        events = [json.loads(part.removeprefix("data: ")) for part in parts]
        last = events[-1]
        if "choices" in last:
            texts = [e["choices"][0].get("delta", e["choices"][0]) for e in events]
            pieces = [t.get("content", t.get("text")) for t in texts]
            self.text = "".join(pieces)
            self.tokens = last["usage"]["completion_tokens"]
            self.with_text = sum(bool(piece) for piece in pieces)
        else:
            self.text = last["generated_text"]
            told = "".join(e["token"]["text"] for e in events[:-1])
            self.with_text = len(events) - (told == self.text)
            self.tokens = last["details"]["generated_tokens"] if last["details"] else self.with_text


def test_both_ends_and_single_tokens_were_recorded():
    """What is below would pass with nothing to read."""
    ends = {name: "".join(part.decode() for part in named(name).parts) for name in STREAMS}
    for path in DIALECTS:
        here = [name for name in STREAMS if entry(name)["path"] == path]
        assert len(here) >= 4, path
    assert any('"finish_reason":"length"' in said for said in ends.values())
    assert any('"finish_reason":"eos_token"' in said for said in ends.values())
    assert any(Told(name).with_text == 1 for name in STREAMS)


@pytest.mark.parametrize("torn", [0, 1, 7])
@pytest.mark.parametrize("name", STREAMS)
def test_every_recorded_stream_is_read_whole(name, torn):
    streamed = stream(as_recorded(name), Ask(""), RealServer(torn=torn))
    told = Told(name)
    assert streamed.trouble is None
    assert streamed.text == told.text
    assert streamed.first_token_seconds is not None
    if streamed.usage:
        assert streamed.usage.completion == told.tokens


@pytest.mark.parametrize("torn", [0, 1])
@pytest.mark.parametrize("name", STREAMS)
def test_every_recorded_stream_is_counted_rightly(name, torn):
    told = Told(name)
    for outcome in load(as_recorded(name), Ask(""), RealServer(torn=torn)):
        assert outcome.error == ""
        assert outcome.output_tokens == told.tokens
        assert len(outcome.token_at) == told.with_text
        assert outcome.token_at[-1] <= outcome.last_token_at == outcome.finished_at


@pytest.mark.parametrize("name", ["x chat who stream", "x comp stream logprobs", "x infer stream chinese"])
def test_a_cut_at_any_byte_changes_nothing(name):
    wire = b"".join(named(name).wire())
    payloads = [part[6:-2] for part in named(name).parts if b"[DONE]" not in part]
    for at in range(1, len(wire)):
        reader, parser, found = ResponseReader(), SseParser(), []
        for piece in (wire[:at], wire[at:]):
            found += parser.feed(reader.feed(piece))
        parser.close()
        assert reader.complete
        assert [json.loads(one) for one in found] == [json.loads(one) for one in payloads]


@pytest.mark.parametrize("tokens", [("灵",), ("我", "", "是", ""), ("I", " am", "", "\ufffd"), ("\ufffd",)])
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda d: d.name)
def test_tokens_without_text_and_characters_cut_by_the_limit_are_fine(dialect, tokens):
    ask = Ask("anything", max_tokens=len(tokens), details=True)
    streamed = stream(dialect, ask, RealServer(talk=Talk(tokens)))
    assert streamed.trouble is None
    assert streamed.text == "".join(tokens)
    assert (streamed.finish_reason, streamed.usage.completion) == ("length", len(tokens))


def test_control_characters_are_only_left_out_of_the_full_text():
    def change(method: str, path: str, answer: RealAnswer) -> RealAnswer:
        *pieces, last = answer.parts
        assert b" am" in pieces[1]
        pieces[1] = pieces[1].replace(b" am", b" \\u000cam")
        return replace(answer, parts=(*pieces, last))

    streamed = stream(INFER, Ask("anything", details=True), RealServer(change=change))
    assert (streamed.trouble, streamed.text) == (None, "".join(SHORT_TALK.tokens))


def test_a_piece_that_is_lost_is_still_found():
    def change(method: str, path: str, answer: RealAnswer) -> RealAnswer:
        return replace(answer, parts=(*answer.parts[:2], *answer.parts[3:]))

    streamed = stream(INFER, Ask("anything"), RealServer(change=change))
    assert streamed.trouble is not None
    assert streamed.trouble.kind == "malformed"


@pytest.mark.parametrize("after", [0, 1, 3])
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda d: d.name)
def test_a_stream_without_its_ending_chunk_is_broken(dialect, after):
    """So it ends when a worker dies, or at a SIGTERM: the last event whole, then nothing."""
    for server in (RealServer(change=cut(after)), RealServer(change=cut(99))):
        streamed = stream(dialect, Ask("anything"), server)
        assert streamed.trouble is not None
        assert streamed.trouble.kind == "closed"
        assert {outcome.error for outcome in load(dialect, Ask("anything"), server)} == {"closed"}


@pytest.mark.parametrize("reason", ["client timeout", "server tokenTimeout", "server e2eTimeout"])
@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda d: d.name)
def test_a_time_out_told_as_bare_text_is_a_time_out(dialect, after, ends, reason):
    words = f"Engine callback timeout: {reason}"
    server = RealServer(change=words_after(after, words, ends=ends), torn=3)
    assert stream(dialect, Ask("anything"), server).trouble == ExchangeTrouble("timeout", words)
    for outcome in load(dialect, Ask("anything"), server):
        assert (outcome.error, outcome.error_text) == ("timeout", words)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda d: d.name)
def test_an_engine_that_gives_nothing_is_told_in_its_own_words(dialect):
    words = "Failed to get engine response"
    server = RealServer(change=words_after(1, words))
    trouble = stream(dialect, Ask("anything"), server).trouble
    assert (trouble.kind, trouble.text, fault_of(trouble)) == ("http", words, "engine")
    assert {outcome.error for outcome in load(dialect, Ask("anything"), server)} == {"error-in-stream"}


def test_other_text_in_the_place_of_an_event_is_quoted():
    trouble = stream(CHAT, Ask("anything"), RealServer(change=words_after(2, "<html>gateway</html>"))).trouble
    assert trouble.kind == "malformed"
    assert "gateway" in trouble.text


def test_a_request_that_is_dropped_without_an_answer_is_closed():
    server = RealServer(change=lambda method, path, answer: None)
    with real_server(server) as url:
        answer = client_of(url).generate(CHAT, Ask("anything"))
    assert isinstance(answer, ExchangeTrouble)
    assert answer.kind == "closed"


@pytest.mark.parametrize(
    "name", ["GET live", "chat messages missing", "GET health-on-business", "GET models"]
)
def test_an_answer_does_not_end_with_its_connection(name):
    """The real server keeps the socket open after ``Connection: close``, and writes that field twice."""
    asked = entry(name)
    server = RealServer(asked["port"], keeps_open=True, torn=1)
    with real_server(server) as url:
        started = time.perf_counter()
        client = Client(Endpoint(url, url), {}, LIMITS)
        if asked["method"] == "POST":
            answer = client.post(asked["path"], json.loads(asked["body"]))
        else:
            answer = exchange(HttpRequest(address_of(url), "GET", asked["path"]), LIMITS)
    assert isinstance(answer, HttpResponse)
    assert (answer.status, answer.body) == (asked["answer"]["status"], asked["answer"]["body"].encode())
    assert time.perf_counter() - started < LIMITS.idle / 2


def test_the_empty_content_type_of_health_is_read():
    with real_server(RealServer("management")) as url:
        answer = Client(Endpoint(url, url), {}, LIMITS).health()
    assert isinstance(answer, HttpResponse)
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "", b"")


# What an answer of the recorded server means, by its words. Everything else with 422 is the request's own.
OF_THE_SERVICE = {
    "Cannot find available tokenizer.": "tokenizers",
    "Tokenizer encode wait sub process timeout.": "tokenizers",
}


def test_every_recorded_refusal_is_the_requests_own_and_no_other_answer_is():
    seen = set()
    for request in recorded():
        answer = request["answer"]
        if answer.get("status", 200) < 400:
            continue
        trouble = http_trouble(answer["status"], answer["body"].encode())
        seen.add(trouble.text)
        if answer["status"] >= 500:
            assert not of_the_request(trouble), trouble
        elif trouble.text in OF_THE_SERVICE:
            assert fault_of(trouble) == OF_THE_SERVICE[trouble.text]
            assert not of_the_request(trouble)
        else:
            assert of_the_request(trouble), trouble
        if answer["status"] == 424:
            assert fault_of(trouble) == "length"
    assert set(OF_THE_SERVICE) <= seen


def test_a_stopping_service_is_told_as_that():
    events = life()["SIGTERM to the daemon, streams open: t from the signal"]["events"]
    refused = next(e["what"] for e in events if "a new POST" in e["what"])
    body = re.search(r"b'(.*)'$", refused)[1].encode()
    health = next(e["what"] for e in events if e["what"].startswith("503"))
    trouble = http_trouble(500, body)
    assert fault_of(trouble) == "stopping"
    told = health_answer(health)
    # MindIE's words after its own /stopService, from its source.
    stopped = http_trouble(
        503, b'{"error":"The service has been stopped","error_type":"Service Unavailable"}'
    )
    assert fault_of(stopped) == fault_of(http_trouble(told.status, b"".join(told.parts))) == "stopping"

    def change(method: str, path: str, answer: RealAnswer) -> RealAnswer:
        stopping = replace(named("chat messages missing"), status=500, parts=(body,))
        headers = tuple((n, str(len(body)) if n == "Content-Length" else v) for n, v in stopping.headers)
        return replace(stopping, headers=headers) if method == "POST" else answer

    with real_server(RealServer(change=change)) as url:
        report = smoke_test(client_of(url), SmokeOptions("chat"))
    generate = next(f for f in report.findings if f.check == "generate")
    assert (generate.verdict, generate.message) == (Verdict.FAILURE, "the service is stopping")
    assert "has been stopped" in generate.evidence


class Life:
    """The health of the recorded server over time, on a clock of its own."""

    def __init__(self, scene: str, start: float) -> None:
        told = life()[scene]
        events = told if isinstance(told, list) else told["events"]
        self.changes = [(e["t"], e["what"]) for e in events if e["who"] == "GET /v2/health/ready"]
        self.now = start

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def answer(self, method: str, path: str, answer: RealAnswer) -> RealAnswer | None:
        return health_answer([what for at, what in self.changes if at <= self.now][-1])


STARTS = [scene for scene in life() if scene.startswith("start")]


@pytest.mark.parametrize("scene", STARTS)
@pytest.mark.parametrize("after", [0.4, 2.0, 5.3])
def test_a_service_that_has_just_started_is_ready_and_not_unhealthy(scene, after):
    health = Life(scene, after)
    with (
        real_server(RealServer()) as url,
        real_server(RealServer("management", change=health.answer)) as management,
    ):
        client = Client(Endpoint(url, management, "bailing_moe"), {}, LIMITS)
        ready = decide(
            client.models,
            lambda: client.generate(CHAT, Ask("Hi", max_tokens=2)),
            lambda: settled_health(client.health, health),
        )
    assert ready.state == "ready"
    # One interval of its health checker was enough, and one ERROR line in its console the most.
    assert health.now <= 5.0 + after


@pytest.mark.parametrize(
    "scene",
    [
        "SIGTERM to the daemon, streams open: t from the signal",
        "kill -9 of the worker, streams open: t from the signal",
    ],
)
def test_a_service_that_goes_down_is_not_taken_for_well(scene):
    health = Life(scene, 0.5)
    with real_server(RealServer("management", change=health.answer)) as url:
        client = Client(Endpoint(url, url), {}, LIMITS)
        told = settled_health(client.health, health)
        found = Piece("Hi", "stop", seconds=0.1)
        assert (
            decide(lambda: ExchangeTrouble("http", "", 404), lambda: found, lambda: told).state == "stopping"
        )
    assert health.now == 0.5


@pytest.mark.parametrize("torn", [0, 5])
@pytest.mark.parametrize("end", TALKS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_smoke_test_passes_whatever_ends_the_answer(kind, end, torn):
    server, management = RealServer(talk=TALKS[end], torn=torn), RealServer("management")
    with real_server(server) as url, real_server(management) as health_url:
        client = Client(Endpoint(url, health_url, "bailing_moe"), {}, LIMITS)
        report = smoke_test(client, SmokeOptions(kind))
    assert [finding.check for finding in report.findings] == list(RUNGS)
    assert report.verdict is Verdict.PASS, report.findings
    finish = next(f.message for f in report.findings if f.check == "finish")
    assert ("the token limit" if end == "length" else "the end token") in finish
    counted = len(SHORT_TALK.tokens) + 1 if end == "eos" else 100
    assert f"{counted} out" in next(f.message for f in report.findings if f.check == "tokens")
    # A wrong `stop` would end the real service.
    assert all("stop" not in body | body.get("parameters", {}) for _, _, body in server.requests if body)
    assert {path for _, path, body in server.requests if body} == {KINDS[kind].path}


@pytest.mark.parametrize("kind", KINDS)
def test_the_benchmark_counts_every_token(kind):
    server = RealServer(talk=LONG_TALK)
    options = BenchOptions(requests=6, pace=Pace(concurrency=3), kind=kind, output_tokens=12, input_tokens=8)
    with real_server(server) as url:
        report = bench_service(UrlService(Endpoint(url)), options, ignore)
    assert (report.metrics.completed, report.metrics.errors) == (6, {})
    assert report.metrics.counted
    assert report.metrics.output_tokens == 6 * 12
    # Every token has its moment, the last one too.
    assert report.metrics.itl.count == 6 * 11


def lingctl(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "NO_COLOR": "1"}
    return forked.run(*arguments, cwd=folder, env=environment, timeout=120)


@pytest.mark.parametrize("end", TALKS)
@pytest.mark.parametrize("kind", KINDS)
def test_smoke_test_as_it_is_typed(kind, end, tmp_path):
    with real_server(RealServer(talk=TALKS[end])) as url:
        done = lingctl("smoke-test", "--url", url, "--kind", kind, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = {f["check"]: f["verdict"] for f in json.loads(done.stdout)["findings"]}
    # Health is on the other listener, which --url does not name.
    assert verdicts == dict.fromkeys(RUNGS, "pass") | {"health": "note"}


@pytest.mark.parametrize("end", TALKS)
@pytest.mark.parametrize("kind", KINDS)
def test_bench_as_it_is_typed(kind, end, tmp_path):
    sizes = ("--requests", "5", "--concurrency", "2", "--input-len", "8", "--output-len", "20")
    with real_server(RealServer(talk=TALKS[end])) as url:
        done = lingctl("bench", "--url", url, "--kind", kind, *sizes, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = json.loads(done.stdout)["metrics"]
    # /infer has no ignore_eos, so its short answers end where the model ends.
    each = len(SHORT_TALK.tokens) + 1 if (kind, end) == ("base", "eos") else 20
    assert (metrics["completed"], metrics["counted"], metrics["output_tokens"]) == (5, True, 5 * each)
