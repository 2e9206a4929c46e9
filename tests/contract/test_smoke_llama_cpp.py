"""smoke-test, bench, ask and chat against the real server of llama.cpp."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from lingctl.errors import EngineError
from lingctl.events import ignore
from lingctl.findings import Verdict
from lingctl.flows.serve.asked_service import UrlService
from lingctl.flows.serve.bench import BenchOptions, bench_service
from lingctl.flows.serve.chat import ask, conversation_with
from lingctl.flows.serve.smoke_test import smoke_test_service
from lingctl.output.verbs.chat import Silent
from lingctl.serving.bench.load import Pace
from lingctl.serving.chat import ChatOptions
from lingctl.serving.endpoint import API_KEY_VARIABLE, endpoint_at
from lingctl.serving.smoke.report import SmokeOptions
from tests import forked
from tests.llama_cpp import llama_cpp

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("xllamacpp", "gguf")),
    reason="xllamacpp and gguf are not installed (requirements-test.txt)",
)
SAID = "I am a very small model that was made for tests, and it can only say this one sentence."
TOKENS = 22  # its nineteen words, two signs and the end
THINKS = r"<think> Somebody asked </think> \n\n I am here to help you and that is all ."


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with llama_cpp(tmp_path_factory.mktemp("llama")) as address:
        yield address


@pytest.mark.parametrize("kind", ["auto", "base"])
def test_every_rung_of_the_smoke_test_passes(url, kind):
    report = smoke_test_service(UrlService(endpoint_at(url)), SmokeOptions(kind=kind), ignore)
    assert report.verdict is Verdict.PASS, report.findings
    assert (report.model, report.kind) == ("tiny", "base" if kind == "base" else "chat")
    assert report.answer.strip() in (SAID, SAID.removeprefix("I "))


@pytest.mark.parametrize("kind", ["chat", "base"])
def test_bench_counts_what_the_server_counts(url, kind):
    options = BenchOptions(40, Pace(concurrency=4), kind, input_tokens=40, output_tokens=12)
    found = bench_service(UrlService(endpoint_at(url)), options, ignore).metrics
    assert (found.completed, found.errors, found.counted) == (40, {}, True)
    assert found.output_tokens == 40 * 12
    assert found.input_tokens / 40 == pytest.approx(40, rel=0.1)


def test_a_person_and_a_script_are_answered(url, tmp_path: Path):
    done = forked.run("ask", "--json", "--url", f"{url}/v1", "Who are you?", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert (told["answer"].strip(), told["output_tokens"], told["finish_reason"]) == (SAID, TOKENS, "stop")
    done = forked.run("chat", "--url", url, stdin="Who?\nAnd you?\n", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f" {SAID}\n" * 2)


def test_a_question_that_does_not_fit_is_told_as_that(url):
    with (
        conversation_with(UrlService(endpoint_at(url)), ChatOptions(), kind="auto", patience=20) as talk,
        pytest.raises(EngineError, match="did not answer") as caught,
    ):
        ask(talk, "word " * 3000, Silent())
    assert "exceeds the available context size" in caught.value.evidence
    assert "does not fit" in caught.value.remedy


def test_thoughts_that_it_leaves_in_the_text_are_no_answer(tmp_path: Path):
    with llama_cpp(tmp_path, THINKS, reasoning="COMMON_REASONING_FORMAT_NONE") as url:
        report = smoke_test_service(UrlService(endpoint_at(url)), SmokeOptions(), ignore)
        bench = bench_service(UrlService(endpoint_at(url)), BenchOptions(4, output_tokens=40), ignore)
    assert report.verdict is Verdict.NOTE, report.findings
    assert report.answer == "I am here to help you and that is all."
    assert bench.metrics.completed == 4
    # Tokens that come in one packet have one time.
    assert all(
        outcome.inline_thoughts and outcome.answer_at >= outcome.token_at[0] for outcome in bench.outcomes
    )
    assert any("thoughts stand in the text" in note for note in bench.notes())


def test_its_key_is_asked_for_and_taken(tmp_path: Path, monkeypatch):
    with llama_cpp(tmp_path, api_key="s3cret") as url:
        report = smoke_test_service(UrlService(endpoint_at(url)), SmokeOptions(), ignore)
        assert any(API_KEY_VARIABLE in finding.remedy for finding in report.wrong)
        monkeypatch.setenv(API_KEY_VARIABLE, "s3cret")
        assert smoke_test_service(UrlService(endpoint_at(url)), SmokeOptions(), ignore).exit_status == 0
