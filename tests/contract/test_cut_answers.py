"""An answer that breaks off is never taken for a whole one.

Every sample, and every answer of a healthy node, is cut at every line and twice inside of every line, and
then judged as part of a cluster that is healthy otherwise. What comes of it may be unknown, or the same as
of the whole answer; no pass and no accusation may come of it that the whole answer does not give.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lingctl.ascend.cards import npu_smi, ping
from lingctl.ascend.unread import Unread, close
from lingctl.findings import Finding, Verdict, worst
from lingctl.remote.probe import Answer
from tests.contract.test_samples_hccn import LARGE, ROWS, SAMPLES, Refused
from tests.unit.checks.world import World, healthy_card, healthy_node

# The question that a sample of each reader answers; pings are no part of the first probe.
QUESTIONS = {
    "ip": "card:1:address",
    "link": "card:1:link",
    "net_health": "card:1:net_health",
    "netdetect": "card:1:netdetect",
    "gateway": "card:1:gateway",
    "tls": "card:1:tls",
    "lldp": "card:1:lldp",
    "mtu": "card:1:mtu",
    "speed": "card:1:speed",
    "link_stat": "card:1:history",
    "optical": "card:1:optics",
    "stat": "card:1:counters",
    "vnic": "pod:1:vnic",
    "spod-info": "pod:1:place",
    "conf": "conf",
    "version.info": "driver",
    "npu-smi": "npus",
    "npu-smi -m": "chips",
    "/dev": "dev",
    "lspci": "pci",
}
CLOSED = ("conf", "version.info", "/dev", "lspci")
READABLE = {row.file: row.reader for row in ROWS if not isinstance(row.expected, Refused)} | LARGE
# What has a second witness among the other answers, which are of a healthy node here.
WITNESSED = {"npu-smi": "card-count", "npu-smi -m": "card-count", "version.info": "driver-same"}
Key = tuple[str, str, int | None]


def _cuts(text: str) -> Iterator[str]:
    at = 0
    for number, line in enumerate(text.splitlines(keepends=True)):
        yield text[:at]
        # Inside of each line of a short answer, and of every fourth of a long one.
        if number < 12 or number % 4 == 0:
            yield text[: at + len(line) // 2]
            yield text[: at + len(line) - 1]
        at += len(line)


def _judged(question: str, answer: Answer) -> list[Finding]:
    return list(World.healthy(2).set("node2", question, answer).judged())


def _by_key(findings: list[Finding]) -> dict[Key, Verdict]:
    found: dict[Key, Verdict] = {}
    for finding in findings:
        key = (finding.check, finding.node, finding.device)
        found[key] = max(found.get(key, Verdict.PASS), finding.verdict)
    return found


def _holds(question: str, answer: Answer, witnessed: str = "") -> None:
    whole = _by_key(_judged(question, answer))
    for text in dict.fromkeys(_cuts(answer.stdout)):
        findings = _judged(question, Answer(text, answer.stderr, answer.exit_status))
        cut = _by_key(findings)
        better = {
            key: (whole[key], verdict)
            for key, verdict in cut.items()
            if key in whole and verdict is Verdict.PASS and whole[key] > Verdict.NOTE and key[0] != witnessed
        }
        assert not better, f"{better} of {text[-120:]!r}"
        accused = {
            key: verdict
            for key, verdict in cut.items()
            if verdict in (Verdict.WARNING, Verdict.FAILURE) and whole.get(key, Verdict.PASS) < verdict
        }
        # An LLDP answer of nothing is one: nothing was heard.
        assert not accused or (question.endswith(":lldp") and not text), f"{accused} of {text[-120:]!r}"
        lost = {key for key, verdict in whole.items() if verdict > Verdict.NOTE and key not in cut}
        assert not lost or worst(findings) >= Verdict.UNKNOWN, f"{lost} of {text[-120:]!r}"
        if not witnessed and not whole_or_note(cut, whole):
            assert any(verdict is not Verdict.PASS for verdict in cut.values()), text[-120:]


def whole_or_note(cut: dict[Key, Verdict], whole: dict[Key, Verdict]) -> bool:
    """Whether everything that the whole answer shows is still said."""
    return all(cut.get(key) == verdict for key, verdict in whole.items())


@pytest.mark.skipif(
    not SAMPLES.is_dir(), reason=f"the captured answers are not beside this checkout: {SAMPLES}"
)
@pytest.mark.parametrize("file", sorted(file for file, reader in READABLE.items() if reader in QUESTIONS))
def test_a_sample_that_breaks_off_gives_nothing_that_the_whole_does_not(file: str) -> None:
    reader = READABLE[file]
    row = next((row for row in ROWS if row.file == file), None)
    text = (SAMPLES / file).read_text()
    if row is not None and row.stderr:
        _holds(QUESTIONS[reader], Answer("", text, row.status))
        return
    text = close(text) if reader in CLOSED else text
    _holds(QUESTIONS[reader], Answer(text, "", row.status if row else 0), WITNESSED.get(reader, ""))


HEALTHY = {
    **{name: answer for name, answer in healthy_node(2).items() if not name.startswith("card:")},
    **healthy_card(2, 1),
}


@pytest.mark.parametrize("question", HEALTHY)
def test_a_healthy_answer_that_breaks_off_accuses_nobody_and_loses_no_card_silently(question: str) -> None:
    _holds(question, HEALTHY[question])


@pytest.mark.skipif(
    not SAMPLES.is_dir(), reason=f"the captured answers are not beside this checkout: {SAMPLES}"
)
@pytest.mark.parametrize("file", sorted(file for file, reader in READABLE.items() if "ping" in reader))
def test_a_ping_that_breaks_off_has_no_result(file: str) -> None:
    read = ping.read_hccs_ping if READABLE[file] == "hccs_ping" else ping.read_ping
    row = next(row for row in ROWS if row.file == file)
    text = (SAMPLES / file).read_text()
    whole = read(Answer(text, "", row.status))
    assert isinstance(whole, ping.Ping)
    for cut in _cuts(text):
        seen = read(Answer(cut, "", row.status))
        assert isinstance(seen, Unread) or seen == whole or (not seen.ok and seen.trouble), cut[-80:]


@pytest.mark.skipif(
    not SAMPLES.is_dir(), reason=f"the captured answers are not beside this checkout: {SAMPLES}"
)
@pytest.mark.parametrize("file", sorted(file for file, reader in READABLE.items() if reader == "npu-smi"))
def test_a_table_that_breaks_off_says_so_or_is_refused(file: str) -> None:
    text = (SAMPLES / file).read_text()
    whole = npu_smi.read_table(Answer(text, "", 0))
    assert isinstance(whole, npu_smi.NpuTable)
    for cut in _cuts(text):
        seen = npu_smi.read_table(Answer(cut, "", 0))
        if isinstance(seen, npu_smi.NpuTable):
            assert seen.chips == whole.chips[: len(seen.chips)]
            assert not seen.whole or seen == whole, cut[-120:]
