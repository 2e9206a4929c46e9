"""Services as they are, and as they should not be: each row of the field's table gives its verdict.

What is printed of them is tried elsewhere; here the judgement is.
"""

import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from lingctl.errors import LingctlError
from lingctl.events import ignore
from lingctl.flows.serve.asked_service import UrlService
from lingctl.flows.serve.bench import BenchOptions, bench_service
from lingctl.flows.serve.smoke_test import smoke_test_service
from lingctl.serving.bench.load import Pace
from lingctl.serving.endpoint import endpoint_at
from lingctl.serving.smoke.report import SmokeOptions
from tests.engine_node import wait_until
from tests.field import FIELD, cases
from tests.forked import Forked

CASES = cases("http")
ROWS = [(name, case) for case in CASES for name in case.get("names", [case.get("name")])]
SMOKE = [pytest.param(name, case["smoke"], id=name) for name, case in ROWS if "smoke" in case]
BENCH = [pytest.param(name, case["bench"], id=name) for name, case in ROWS if "bench" in case]

pytestmark = pytest.mark.skipif(not CASES, reason="the field's inputs are not beside this checkout")


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def odd(variant):
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    command = [sys.executable, str(FIELD / "http" / "odd_server.py"), variant, str(port)]
    with Forked(command, stdin=subprocess.PIPE) as server:
        try:
            wait_until(lambda: listens(port))
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.kill()


def check(wanted, status, told):
    assert status in wanted.get("rc", [status]), told
    for pattern in wanted.get("wants", []):
        assert re.search(pattern, told), pattern
    for pattern in wanted.get("never", []):
        assert not re.search(pattern, told), pattern
    assert len(told) < 20_000


@pytest.mark.parametrize(("variant", "wanted"), SMOKE)
def test_smoke_test_judges_it_rightly(variant, wanted):
    with odd(variant) as url:
        started = time.monotonic()
        report = smoke_test_service(UrlService(endpoint_at(url)), SmokeOptions(patience=2), ignore)
        seconds = time.monotonic() - started
    lines = [f"{f.check} {f.verdict.word} {f.message}\n{f.evidence}\n{f.remedy}" for f in report.findings]
    told = "\n".join(lines)
    check(wanted, report.exit_status, told)
    # Patience is that of one answer, and a broken rung ends the climb: no input makes it wait for ever.
    assert seconds < wanted.get("seconds", 120)


@pytest.mark.parametrize(("variant", "wanted"), BENCH)
def test_bench_measures_it_rightly(variant, wanted):
    options = BenchOptions(requests=6, pace=Pace(concurrency=2), input_tokens=20, output_tokens=10, warmup=1)
    with odd(variant) as url:
        try:
            report = bench_service(UrlService(endpoint_at(url)), options, ignore)
        except LingctlError as error:
            check(wanted, error.exit_status, str(error))
            return
    check(wanted, report.exit_status, "\n".join(report.notes()))
    assert report.metrics.completed == wanted.get("answered", report.metrics.completed), report.notes()
    for name, times in (("tpot_ms", report.metrics.tpot), ("ttft_ms", report.metrics.ttft)):
        if name in wanted:
            low, high = wanted[name]
            assert low <= times.p50 <= high
