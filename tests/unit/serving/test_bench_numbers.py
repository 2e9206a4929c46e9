"""The numbers of a load: definitions, percentiles, the sweep, prompts, charts."""

from __future__ import annotations

import json
import os
from array import array
from dataclasses import replace
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lingctl.errors import ConfigurationError, UsageError
from lingctl.flows.run.page_file import check_page, write_page
from lingctl.output.pages.bench import bench_page
from lingctl.serving.bench.chart import Chart, Limit, Line, svg
from lingctl.serving.bench.goal import Goal
from lingctl.serving.bench.load import LoadResult
from lingctl.serving.bench.metrics import distribution, measure, percentile
from lingctl.serving.bench.outcome import RequestOutcome
from lingctl.serving.bench.prompts import Prompt, made_up, read_dataset
from lingctl.serving.bench.report import BenchReport, amounts, time_rows
from lingctl.serving.bench.sweep import SweepLimits, Trial, best, sweep
from lingctl.serving.http.wire import ResponseReader, WireError


def outcome(index, sent, text_at, tokens, prompt=10, error=""):
    return RequestOutcome(
        index,
        due_at=sent - 0.001,
        sent_at=sent,
        token_at=array("d", text_at),
        answer_at=text_at[0] if text_at else 0.0,
        ended_at=text_at[-1] + 0.01 if text_at else sent + 1,
        prompt_tokens=prompt,
        output_tokens=tokens,
        counted=True,
        error=error,
    )


LOAD = LoadResult(
    (
        outcome(0, 100.0, [100.2, 100.3, 100.5], 3),
        outcome(1, 100.1, [100.5, 100.9], 5),
        outcome(2, 100.2, [], 0, error="http-500"),
        outcome(3, 101.0, [101.9], 1),
    ),
    cpu_seconds=0.5,
    wall_seconds=2.0,
)


def test_every_metric_by_hand():
    found = measure(LOAD)
    assert (found.requests, found.completed, found.failed, found.errors) == (4, 3, 1, {"http-500": 1})
    assert found.seconds == pytest.approx(101.91 - 100.0)
    assert (found.input_tokens, found.output_tokens) == (30, 9)
    assert found.ttft.mean == pytest.approx((200 + 400 + 900) / 3)
    # (end to end - TTFT) / (tokens - 1); an answer of one token has none.
    assert found.tpot.count == 2
    assert found.tpot.mean == pytest.approx((150 + 100) / 2)
    # Gaps between events with text, whatever their tokens.
    assert found.itl.count == 3
    assert found.itl.mean == pytest.approx((100 + 200 + 400) / 3)
    assert found.end_to_end.most == pytest.approx(900)
    assert found.request_rate == pytest.approx(3 / 1.91)
    assert found.output_rate == pytest.approx(9 / 1.91)
    assert found.total_rate == pytest.approx(39 / 1.91)
    assert found.concurrency == pytest.approx((0.5 + 0.8 + 0.9) / 1.91)
    assert found.lag.p50 == pytest.approx(1)
    assert found.client_busy == 0.25
    assert not found.measures_itself
    assert json.loads(json.dumps(found.as_json()))["failed"] == 1


def test_the_event_that_ends_an_answer_stands_for_the_end_of_text_token():
    """Four tokens with text and the counted one without: four gaps, the last of them to the end's event."""
    ended = outcome(0, 100.0, [100.2, 100.3, 100.4, 100.5], 5)
    ended.finished_at = 100.6
    found = measure(LoadResult((ended,), 0.1, 1.0))
    assert found.tpot.mean == pytest.approx(100)
    assert found.end_to_end.mean == pytest.approx(600)
    assert found.itl.count == 3


@settings(deadline=None)  # a busy machine is no finding
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60), st.sampled_from([50, 90, 99]))
def test_percentiles_are_numpys(values, share):
    assert percentile(sorted(values), share) == pytest.approx(
        np.percentile(values, share), rel=1e-9, abs=1e-9
    )


def test_nothing_measured():
    found = measure(LoadResult((outcome(0, 1.0, [], 0, error="refused"),), 0.0, 0.0))
    assert (found.completed, found.ttft.count, found.output_rate) == (0, 0, 0.0)
    assert distribution([]).p99 == 0.0


def report(load=LOAD, trials=()):
    return BenchReport("http://x", "ling", "closed loop", False, measure(load), load.outcomes, trials)


def test_exit_statuses_and_notes():
    assert report().exit_status == 3
    assert report(replace(LOAD, outcomes=LOAD.outcomes[:2])).exit_status == 0
    assert report(replace(LOAD, outcomes=LOAD.outcomes[2:3])).exit_status == 1
    assert report().notes() == ["http-500: "]
    notes = replace(report(replace(LOAD, cpu_seconds=1.95)), tunnelled=True).notes()
    assert "SSH tunnel" in notes[0]
    assert "measured itself" in notes[1]
    assert ("requests", "3 of 4 answered (1 http-500)") in amounts(measure(LOAD))
    assert [row[0] for row in time_rows(measure(LOAD))] == ["TTFT", "TPOT", "ITL", "end to end"]


def metrics_with(ttft, failed=0):
    found = measure(replace(LOAD, outcomes=LOAD.outcomes[:2]))
    return replace(found, ttft=replace(found.ttft, p90=ttft), requests=found.completed + failed)


@pytest.mark.parametrize("limit", [1, 2, 3, 17, 100, 511, 512])
def test_the_sweep_finds_the_limit(limit):
    tried = []

    def run(concurrency):
        tried.append(concurrency)
        return metrics_with(50 if concurrency <= limit else 5000)

    trials = sweep(run, SweepLimits(ttft=1000), 512)
    found = best(trials).concurrency
    assert found <= limit
    assert limit - found <= max(1, found // 16)
    assert len(tried) == len(set(tried)) <= 16


def test_a_sweep_that_breaks_at_once_or_never():
    assert best(sweep(lambda c: metrics_with(5000), SweepLimits(ttft=1000), 512)) is None
    assert best(sweep(lambda c: metrics_with(1), SweepLimits(ttft=1000), 100)).concurrency == 100
    assert "requests failed" in SweepLimits(ttft=1e9).broken_by(
        replace(metrics_with(1, failed=2), errors={"x": 2})
    )


def test_made_up_prompts_have_their_length_and_never_repeat():
    prompts = [prompt.text for prompt in islice(made_up(32, 5), 200)]
    assert {len(text.split()) for text in prompts} == {32}
    assert len({text.split()[0] for text in prompts}) == 200
    assert prompts == [prompt.text for prompt in islice(made_up(32, 5), 200)]


DATASETS = [
    ("a.txt", "Who are you?\n\nAnd I?\n", ["Who are you?", "And I?"]),
    ("a.jsonl", '{"prompt": "a", "max_tokens": 5}\n"b"\n', ["a", "b"]),
    (
        "a.json",
        '[{"conversations": [{"from": "human", "value": "q"}]}]',
        ["q"],
    ),
    (
        "b.jsonl",
        '{"messages": [{"role": "tool", "content": "s"}, {"role": "user", "content": "u"}]}',
        ["u"],
    ),
    ("c.jsonl", '{"instruction": "do it", "output_len": 7}', ["do it"]),
]


@pytest.mark.parametrize(("name", "text", "wanted"), DATASETS)
def test_datasets(tmp_path, name, text, wanted):
    path = tmp_path / name
    path.write_text(text)
    assert [prompt.text for prompt in read_dataset(path)] == wanted
    if "max_tokens" in text:
        assert read_dataset(path)[0] == Prompt("a", 5)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.jsonl", '{"prompt": "a"}\n{', "line 2 is not JSON"),
        ("a.jsonl", '{"x": 1}', "row 1 has no prompt"),
        ("a.json", "[", "is not JSON"),
        ("a.txt", "\n", "holds no prompts"),
    ],
)
def test_unusable_datasets_say_where(tmp_path, name, text, words):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=words) as caught:
        read_dataset(path)
    assert str(path) in str(caught.value.where)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_dataset(tmp_path / "missing.txt")


def test_a_dataset_may_come_through_a_pipe_and_never_ends_in_a_device():
    reader, writer = os.pipe()
    os.write(writer, b"Who are you?\nWhat is HCCL?\n")
    os.close(writer)
    try:
        assert [prompt.text for prompt in read_dataset(Path(f"/dev/fd/{reader}"))] == [
            "Who are you?",
            "What is HCCL?",
        ]
    finally:
        os.close(reader)
    with pytest.raises(ConfigurationError, match="no ordinary file"):
        read_dataset(Path("/dev/zero"))


def test_charts_are_whole_svg():
    chart = Chart("A <b>", "s", "per s", [Line("one", [(0, 0), (3, 7)]), Line("two", [(1, 2)])])
    root = ElementTree.fromstring(svg(chart))
    assert len([element for element in root.iter() if element.tag == "polyline"]) == 2
    text = bench_page(replace(report(), model="T & T", load="<"))
    assert "T &amp; T: &lt;" in text
    assert "http://" not in text and "3 of 4 answered (1 http-500)" in text
    assert svg(Chart("empty", "s", "per s", []))


def test_limits_are_drawn_and_one_far_above_is_told():
    line = Line("TTFT", [(1, 10), (2, 40)])
    near = svg(Chart("x", "s", "ms", [line], [Limit("TTFT 60 ms", 60)]))
    assert near.count("stroke-dasharray") == 1 and ">limit TTFT 60 ms<" in near and ">60<" in near
    far = svg(Chart("x", "s", "ms", [line], [Limit("TTFT 9000 ms", 9000)]))
    assert "stroke-dasharray" not in far and "ms; limit TTFT 9000 ms: far above" in far
    swept = report(trials=(Trial(1, metrics_with(500.0), ""),))
    text = bench_page(replace(swept, limits=SweepLimits(ttft=600.0, tpot=140.0)))
    assert "limit TTFT p90 600 ms" in text and "limit TPOT p90 140 ms" in text
    text = bench_page(replace(report(), goal=Goal(ttft=300.0, e2el=700.0)))
    assert "limit TTFT 300 ms" in text and "limit end to end 700 ms" in text


def test_plots_are_written(tmp_path):
    path = tmp_path / "plot.html"
    check_page(path, "--plot")
    write_page(path, "--plot", bench_page(report()))
    data = path.read_bytes()
    assert data.startswith(b"<!doctype html>")
    assert len(data) > 1000


def test_plots_that_cannot_be_written_are_refused_before(tmp_path):
    for name in ("plot.png", "nowhere/plot.html"):
        with pytest.raises(UsageError):
            check_page(tmp_path / name, "--plot")


# ---- the reader of HTTP answers

EVENTS = [b"data: {}\n\n", b"data: [DONE]\n\n"]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(
    b"%x\r\n%s\r\n" % (len(part), part) for part in EVENTS
)


@given(st.lists(st.integers(1, 12), max_size=40))
def test_chunked_bodies_however_they_arrive(cuts):
    data, reader, body = CHUNKED + b"0\r\n\r\n", ResponseReader(), b""
    for cut in cuts:
        body += reader.feed(data[:cut])
        data = data[cut:]
    body += reader.feed(data)
    assert (body, reader.status, reader.complete, reader.may_reuse) == (b"".join(EVENTS), 200, True, True)


def test_other_ends_of_a_body():
    reader = ResponseReader()
    assert reader.feed(b"HTTP/1.1 422 X\r\nContent-Length: 3\r\nConnection: close\r\n\r\nab") == b"ab"
    assert not reader.complete
    reader.feed(b"c")
    assert reader.complete
    assert not reader.may_reuse
    reader = ResponseReader()
    reader.feed(b"HTTP/1.0 200 OK\r\n\r\nall")
    assert not reader.complete
    assert reader.end()
    reader = ResponseReader()
    reader.feed(CHUNKED)
    assert not reader.end()
    assert ResponseReader().feed(b"HTTP/1.1 100 Continue\r\n\r\n" * 3000 + CHUNKED) == b"".join(EVENTS)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 \xb2\xb9\xb9 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 70000,
        b"x" * 70000,
    ],
    ids=lambda data: str(data[:30]),
)
def test_what_is_not_http(data):
    with pytest.raises(WireError):
        ResponseReader().feed(data)
