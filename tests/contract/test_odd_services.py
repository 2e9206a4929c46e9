"""smoke-test and bench on services and gateways as they answer: each row has its verdict."""

from __future__ import annotations

import re

import pytest

from lingctl.errors import LingctlError
from lingctl.events import ignore
from lingctl.findings import Verdict
from lingctl.flows.serve.asked_service import UrlService
from lingctl.flows.serve.bench import BenchOptions, bench_service
from lingctl.flows.serve.smoke_test import smoke_test_service
from lingctl.serving.bench.load import Pace
from lingctl.serving.endpoint import endpoint_at
from lingctl.serving.smoke.report import SmokeOptions
from tests.odd_services import ROWS, odd_service

OPTIONS = BenchOptions(requests=4, pace=Pace(concurrency=2), input_tokens=8, output_tokens=16, warmup=1)


def judged(finding):
    """Whether a finding is one at all: a verdict that is no pass, and not merely not reached."""
    return finding.verdict > Verdict.NOTE and not finding.message.startswith("not reached")


@pytest.mark.parametrize("name", ROWS)
def test_smoke_test_judges_it_rightly(name):
    with odd_service(ROWS[name]) as url:
        report = smoke_test_service(UrlService(endpoint_at(url)), SmokeOptions(patience=10), ignore)
    found = {finding.check: finding for finding in report.findings if judged(finding)}
    told = "\n".join(
        f"{f.check} {f.verdict.word} {f.message}\n{f.evidence}\n{f.remedy}" for f in found.values()
    )
    assert {check: finding.verdict.word for check, finding in found.items()} == {
        check: verdict for check, (verdict, _) in ROWS[name].smoke.items()
    }, told
    for _, words in ROWS[name].smoke.values():
        assert re.search(re.escape(words), told), told


@pytest.mark.parametrize("name", ROWS)
def test_bench_measures_it_or_says_why_not(name):
    row = ROWS[name]
    with odd_service(row) as url:
        try:
            report = bench_service(UrlService(endpoint_at(url)), OPTIONS, ignore)
        except LingctlError as error:
            assert row.bench
            assert row.bench in f"{error.evidence}\n{error.remedy}", error
            return
    told = "\n".join(report.notes())
    assert row.bench in told, told
    assert report.metrics.completed == (0 if row.bench else 4), told
    if not row.bench:
        assert report.metrics.end_to_end.count == 4


def test_a_model_that_is_not_listed_can_be_named():
    with odd_service(ROWS["LM Studio: nothing is loaded"]) as url:
        report = smoke_test_service(
            UrlService(endpoint_at(url, served_name="odd")), SmokeOptions(patience=10), ignore
        )
    assert report.verdict is Verdict.NOTE, report.findings
