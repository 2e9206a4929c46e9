"""bench against real servers: every request accounted for, loops as they should be, errors by kind."""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from lingctl.errors import ConnectError, EngineError, UsageError
from lingctl.events import ignore
from lingctl.flows.serve.asked_service import UrlService
from lingctl.flows.serve.bench import BenchOptions, bench_service
from lingctl.serving.bench.connection import StreamConnection, Target
from lingctl.serving.bench.load import Pace, resolve, run_load
from lingctl.serving.bench.metrics import measure
from lingctl.serving.bench.sweep import SweepLimits
from lingctl.serving.endpoint import Endpoint, TlsFiles, address_of, endpoint_at
from lingctl.serving.http.api import CHAT, INFER, Ask
from lingctl.serving.http.exchange import Limits, tls_context
from tests import forked
from tests.engine_node import EngineNode, address, tiny
from tests.serving_server import GOOD_BASE, GOOD_CHAT, Serving, make_certificate, serve

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FAST_SERVER, PACED_SERVER = BENCHMARKS / "fast_server.py", BENCHMARKS / "clients" / "paced_server.py"


@contextmanager
def fast_server(tokens=8, step_ms=0.0):
    """The benchmark's own server, in a process of its own; yields its URL."""
    command = [sys.executable, FAST_SERVER, "--tokens", str(tokens), "--step-ms", str(step_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.terminate()


def target_of(url, dialect=CHAT, tls=None):
    place = address_of(url)
    return Target(place, resolve(place.place), dialect, tls=tls)


def bodies(count, dialect=CHAT, name="bailing_moe", details=False):
    return [
        dialect.body(name, Ask(f"#{n}# say something", max_tokens=8, details=details), True)
        for n in range(count)
    ]


def send(url, count=20, pace=None, dialect=CHAT, limits=None, tls=None):
    load = run_load(
        target_of(url, dialect, tls), bodies(count, dialect), pace or Pace(concurrency=4), limits=limits
    )
    assert [outcome.index for outcome in load.outcomes] == list(range(count))
    return load


def test_a_closed_loop_keeps_so_many_open():
    with fast_server(tokens=5, step_ms=40) as url:
        load = send(url, 30, Pace(concurrency=6))
    assert all(outcome.ok and len(outcome.token_at) == 5 for outcome in load.outcomes)
    edges = [(o.sent_at, 1) for o in load.outcomes] + [(o.ended_at, -1) for o in load.outcomes]
    open_at_once = itertools.accumulate(change for _, change in sorted(edges))
    assert max(open_at_once) == 6
    found = measure(load)
    assert found.counted
    assert found.output_tokens == 150
    # A step of the server is 40 ms, and so is the gap between tokens, but for what a busy machine adds.
    assert found.itl.p50 == pytest.approx(40, abs=12)
    assert found.tpot.p50 == pytest.approx(found.itl.mean, abs=12)


def test_connections_are_there_before_the_first_request_is_sent(monkeypatch):
    """Else the first hundreds would wait for each other's, and that would be told as the service's time."""
    order, begun = [], itertools.count()
    made, sent = StreamConnection.connection_made, StreamConnection.send
    connect = asyncio.BaseEventLoop.create_connection

    async def one_after_the_other(loop, *words, **more):
        await asyncio.sleep(0.02 * next(begun))
        return await connect(loop, *words, **more)

    def opened(connection, transport):
        order.append("open")
        made(connection, transport)

    def asked(connection, request, outcome):
        order.append("asked")
        return sent(connection, request, outcome)

    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", one_after_the_other)
    monkeypatch.setattr(StreamConnection, "connection_made", opened)
    monkeypatch.setattr(StreamConnection, "send", asked)
    with fast_server(tokens=2, step_ms=5) as url:
        load = send(url, 8, Pace(concurrency=8))
    assert measure(load).completed == 8
    assert order == ["open"] * 8 + ["asked"] * 8


def test_an_open_loop_sends_at_its_own_moments_whatever_the_service_does():
    with fast_server(tokens=3, step_ms=100) as url:
        load = send(url, 150, Pace(rate=300))
    found = measure(load)
    assert found.completed == 150
    # Sent never before its moment; how late it was is the machine's, and told as lag.
    assert all(outcome.sent_at >= outcome.due_at for outcome in load.outcomes)
    gaps = [b - a for a, b in itertools.pairwise(outcome.due_at for outcome in load.outcomes)]
    # Poisson: mean 1/rate, and as widely spread as its mean.
    assert statistics.fmean(gaps) == pytest.approx(1 / 300, rel=0.35)
    assert statistics.stdev(gaps) == pytest.approx(statistics.fmean(gaps), rel=0.5)
    # Many were open together: nothing waited for an answer.
    assert found.concurrency > 30


def test_the_clock_shows_what_the_server_did():
    """Arrival minus departure, on one clock for both processes, is the client's own delay."""
    with fast_server(tokens=10, step_ms=2) as url:
        load = send(url, 40, Pace(concurrency=1))
        place = address_of(url)
        with subprocess.Popen(["curl", "-s", f"{url}/stamps"], stdout=subprocess.PIPE) as curl:
            stamps = json.loads(curl.stdout.read())
    assert place.host == "127.0.0.1"
    delays = [
        arrived - left
        for outcome in load.outcomes
        for arrived, left in zip(outcome.token_at, stamps[str(outcome.index)], strict=True)
    ]
    assert min(delays) > 0
    assert statistics.median(delays) < 0.002


@pytest.mark.parametrize("shape", ["plain", "mixed"])
def test_its_figures_are_those_of_a_server_that_notes_what_it_sent(shape):
    """The server of benchmarks/compare_clients.py; mixed: a role at once, two tokens in some events,
    an end without text.
    """
    words = ("--tokens", "12", "--first-ms", "120", "--step-ms", "20", "--shape", shape)
    with subprocess.Popen(
        [sys.executable, PACED_SERVER, *words], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            found = measure(send(url, 8))
            with urllib.request.urlopen(f"{url}/stamps") as told:
                noted = json.load(told).values()
        finally:
            server.terminate()
    assert (found.completed, found.counted, found.output_tokens) == (8, True, 8 * 12)
    first = [1000 * (sent[0] - came) for came, *sent in noted]
    each = [1000 * (sent[-1] - sent[0]) / 11 for _, *sent in noted]
    assert found.ttft.mean == pytest.approx(statistics.fmean(first), rel=0.15)
    assert found.tpot.mean == pytest.approx(statistics.fmean(each), rel=0.15)
    assert found.itl.count == 8 * (11 if shape == "plain" else 8)


ERRORS = {
    "422": "http-422",
    "424": "http-424",
    "500": "http-500",
    "closes": "closed",
    "truncated-stream": "truncated",
    "half-event": "truncated",
    "error-in-stream": "error-in-stream",
    "timeout-in-stream": "timeout",
    "no-response-in-stream": "error-in-stream",
    "no-tokenizer": "tokenizers",
    "engine-timeout": "timeout",
    "stopping": "stopping",
    "garbage-in-stream": "malformed",
    "empty": "no-text",
    "stuck-stream": "timeout",
    "silent": "timeout",
}


@pytest.mark.parametrize(("fault", "kind"), ERRORS.items())
def test_errors_by_kind(fault, kind):
    with serve(Serving(fault)) as url:
        load = send(url, 6, limits=Limits(connect=2, idle=0.5, total=3))
    found = measure(load)
    assert found.errors == {kind: 6}, [outcome.error_text for outcome in load.outcomes]
    assert all(outcome.error_text for outcome in load.outcomes)


def test_nobody_listens():
    load = send("http://127.0.0.1:1", 3)
    assert measure(load).errors == {"refused": 3}


def test_some_fail_and_the_rest_counts():
    serving = Serving()
    with serve(serving) as url, ThreadPoolExecutor(1) as pool:
        running = pool.submit(send, url, 300, Pace(concurrency=2))
        while len(serving.requests) < 100:
            pass
        serving.fault = "500"
        load = running.result()
    found = measure(load)
    assert found.completed + found.errors["http-500"] == 300
    assert found.ttft.count == found.completed >= 98


@pytest.mark.parametrize("fault", ["", "early-length"])
@pytest.mark.parametrize("details", [True, False])
def test_infer_streams_are_measured_too(details, fault):
    pieces, words = len(GOOD_BASE.split(" ")), len(GOOD_BASE.split())
    with serve(Serving(fault)) as url:
        load = run_load(target_of(url, INFER), bodies(5, INFER, details=details), Pace(concurrency=2))
    for outcome in load.outcomes:
        # The service counts its end-of-text token and tokens without text. Without its count, events stand
        # for tokens: at the limit the last one, too, brings text, which has no other event.
        assert (outcome.ok, outcome.counted) == (True, details)
        counted = pieces if fault else pieces + 1
        assert outcome.output_tokens == (counted if details else words)
        assert len(outcome.token_at) == words
        assert outcome.token_at[-1] <= outcome.last_token_at == outcome.finished_at


def test_thoughts_in_the_text_of_an_answer_come_before_its_first_token():
    with serve(Serving("thinks-inline")) as url:
        report = bench_service(UrlService(endpoint_at(url)), BenchOptions(requests=4, warmup=1), ignore)
    found, words = report.metrics, len(GOOD_CHAT.split())
    assert (found.completed, found.errors, found.only_thought) == (4, {}, 0)
    assert all(len(outcome.token_at) == words + 5 for outcome in report.outcomes)
    # Five pieces of thought, ten milliseconds each.
    assert found.answer.p50 >= found.ttft.p50 + 40
    assert any("thoughts stand in the text" in note for note in report.notes())


def test_https(tmp_path):
    certificate = make_certificate(tmp_path / "server.pem")
    other = make_certificate(tmp_path / "other.pem")
    with serve(Serving(), certificate) as url:
        assert measure(send(url, 5, tls=tls_context(TlsFiles(certificate)))).completed == 5
        assert measure(send(url, 2, tls=tls_context(TlsFiles(other)))).errors == {"tls": 2}


def test_a_connection_is_used_again_and_a_closed_one_replaced():
    with fast_server() as url:
        connections = set()
        target = target_of(url)
        load = run_load(target, bodies(50), Pace(concurrency=2))
        connections |= {outcome.ok for outcome in load.outcomes}
    assert connections == {True}


def test_two_thousand_requests_are_all_accounted_for():
    """The smaller brother of benchmarks/load.py."""
    with fast_server(tokens=16, step_ms=1) as url:
        load = send(url, 2000, Pace(concurrency=128))
    found = measure(load)
    assert (found.requests, found.completed, found.errors) == (2000, 2000, {})
    assert found.output_tokens == 32000
    assert found.ttft.count == found.end_to_end.count == 2000
    assert found.itl.count == 30000


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """The emulated MindIE with Ling-lite."""
    node = EngineNode(tmp_path_factory.mktemp("engine"), "3.0.0", tiny("lite"), address(75))
    node.add_overlay()
    node.start()
    try:
        node.wait_success()
        yield Endpoint(f"http://{node.address}:{node.port}", f"http://{node.address}:{node.port + 1}")
    finally:
        node.close()


@pytest.mark.parametrize("kind", ["chat", "base"])
def test_mindie_counts_the_lengths_that_were_asked_for(engine, kind):
    options = BenchOptions(
        requests=30, pace=Pace(concurrency=6), kind=kind, input_tokens=64, output_tokens=12
    )
    report = bench_service(UrlService(engine), options, ignore)
    found = report.metrics
    assert (found.completed, found.errors, report.exit_status) == (30, {}, 0)
    assert found.output_tokens == 30 * 12
    # /infer does not count what went in.
    if kind == "chat":
        assert found.input_tokens / 30 == pytest.approx(64, rel=0.1)
    assert report.model == "bailing_moe"


def test_a_sweep_of_mindie(engine):
    limits = SweepLimits(ttft=10_000.0, tpot=10_000.0)
    options = BenchOptions(
        requests=8, input_tokens=16, output_tokens=4, limits=limits, most_concurrency=4, warmup=1
    )
    report = bench_service(UrlService(engine), options, ignore)
    assert [trial.concurrency for trial in report.trials] == [1, 2, 4]
    assert "the most tried" in report.conclusion
    assert report.exit_status == 0
    strict = bench_service(
        UrlService(engine), BenchOptions(requests=4, limits=SweepLimits(tpot=0.0001)), ignore
    )
    assert strict.exit_status == 3
    assert "even one request at a time breaks the limit: TPOT" in strict.conclusion


def test_a_dataset_is_asked_over_and_over(engine, tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "Who are you?", "max_tokens": 3}\n{"prompt": "Hello", "max_tokens": 5}\n')
    report = bench_service(UrlService(engine), BenchOptions(requests=10, dataset=path), ignore)
    assert report.metrics.output_tokens == 5 * 3 + 5 * 5


def test_who_does_not_answer_is_told_before_the_load(tmp_path):
    with pytest.raises(ConnectError, match="does not answer a single request"):
        bench_service(UrlService(Endpoint("http://127.0.0.1:1")), BenchOptions(), ignore)
    with serve(Serving("500")) as url, pytest.raises(EngineError, match="does not answer a single request"):
        bench_service(UrlService(Endpoint(url)), BenchOptions(), ignore)


def test_more_connections_than_files():
    with pytest.raises(UsageError, match="more than this machine allows"):
        run_load(target_of("http://127.0.0.1:1"), [], Pace(concurrency=10**8))


def test_the_command_line_writes_its_charts(engine, tmp_path):
    words = ("bench", "--url", engine.service_url, "--requests", "6", "--plot", "plot.html")
    sizes = ("--concurrency", "2", "--output-len", "4", "--input-len", "16")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = forked.run(*words, *sizes, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert "TTFT" in done.stdout
    assert "6 of 6 answered" in done.stdout
    assert (tmp_path / "plot.html").stat().st_size > 2000


def test_what_was_measured_is_shown_also_where_it_cannot_be_kept(engine, tmp_path):
    (tmp_path / "all.jsonl").symlink_to("/dev/full")
    words = ("bench", "--url", engine.service_url, "--requests", "2", "--results", "all.jsonl")
    sizes = ("--concurrency", "2", "--output-len", "4", "--input-len", "16", "--warmup", "0")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = forked.run(*words, *sizes, cwd=tmp_path, env=environment)
    assert "2 of 2 answered" in done.stdout
    assert done.returncode == 1 and "disk-full" in done.stderr, done.stderr
    done = forked.run(*words, *sizes, "--json", cwd=tmp_path, env=environment)
    assert json.loads(done.stdout)["document"] == "bench"  # one document, and none of the error behind it
    assert done.returncode == 1 and "disk-full" in done.stderr, done.stderr
