"""What a report shows first, and what it leaves to the table."""

from __future__ import annotations

from lingctl.findings import Finding, Verdict
from lingctl.serving.smoke.nodes import daemon_finding, memory_findings
from lingctl.serving.smoke.report import SmokeReport

CAUSE = "the daemon ended (exit status 134): a worker process was killed by signal 9"
PORT = Finding("port", Verdict.FAILURE, "nothing listens", remedy="lingctl status")
ABOVE = tuple(
    Finding(name, Verdict.UNKNOWN, "not reached: port failed") for name in ("tls", "health", "models")
)


def report(*findings: Finding) -> SmokeReport:
    return SmokeReport(findings, "http://192.0.2.11:1025", "bailing_moe", "chat", "Who are you?", "", 1.0)


def dead_and_alive() -> list[Finding]:
    full = memory_findings("node2", dict.fromkeys(range(8), 80.0))
    return [daemon_finding("node1", False, CAUSE), daemon_finding("node2", True), *full]


def test_of_a_dead_daemon_there_is_one_failure_and_it_stands_first():
    told = report(PORT, *ABOVE, *dead_and_alive())
    [failure] = told.wrong
    assert (failure.check, failure.node, failure.evidence) == ("daemon", "node1", CAUSE)
    assert told.told[0] is failure
    assert told.exit_status == 4


def test_rungs_that_were_not_reached_are_one_line():
    lines = report(PORT, *ABOVE).told
    assert [(f.check, f.verdict) for f in lines] == [
        ("port", Verdict.FAILURE),
        ("tls, health, models", Verdict.UNKNOWN),
    ]
    assert report(PORT, *ABOVE).wrong == (PORT,)
    assert len(report(PORT, *ABOVE).as_json()["findings"]) == 4


def test_what_is_wrong_besides_a_dead_daemon_and_its_service_is_still_told():
    full = Finding("memory", Verdict.UNKNOWN, "memory in use could not be read", "node2")
    told = report(PORT, *ABOVE, *dead_and_alive()[:1], full)
    assert [f.check for f in told.wrong] == ["daemon", "memory"]
