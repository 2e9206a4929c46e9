"""What ``make fuzz`` found: a case of each kind, so that it stays mended."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from lingctl.ascend import host, versions
from lingctl.ascend.cards import hccn, npu_smi, ping, signal
from lingctl.ascend.unread import Unread, close
from lingctl.errors import NodeError
from lingctl.events import Event
from lingctl.flows.network.npu_check import CardAnswer, NpuAnswer, NpuOptions, _report
from lingctl.inventory.sections import Ssh
from lingctl.inventory.ssh.machine import Machine
from lingctl.inventory.ssh.resolve import resolve
from lingctl.node.fetch.hubs.causes import _retry_after
from lingctl.node.fetch.request import parse
from lingctl.node.trouble import Trouble
from lingctl.node.weights.manifest import MANIFEST, read_manifest
from lingctl.program.answers import Answers
from lingctl.program.translate import telling
from lingctl.release.record import read_record
from lingctl.remote.probe import Answer
from lingctl.remote.ssh.login.host_keys.known_hosts import read_known_hosts
from lingctl.serving.bench.results import BenchComparison, last_two
from lingctl.serving.http.sse import MalformedStream, SseParser
from lingctl.serving.http.wire import ResponseReader, WireError

LONG = "9" * 5_000
# Python reads no number of so many digits, and what is larger than a float ends arithmetic.
NUMBERS = {
    "counters": (signal.read_counters, "packet statistics:\nmac_tx_total_pkt_num:{}\n"),
    "mtu": (hccn.read_mtu, "mtu:{}\n"),
    "speed": (hccn.read_speed, "Speed: {} Mb/s\n"),
    "memory": (host.read_memory, "MemTotal:  {} kB\nMemAvailable:  5 kB\n"),
    "disks": (host.read_disks, "/root/models /dev/sda1 {} 1000 {} 1% /\n"),
    "clock": (host.read_clock, "{}\n"),
    "ping": (ping.read_ping, "{} packets transmitted, 1 received, 0.00% packet loss\n"),
    "place": (npu_smi.read_pod, "SDID : {}\nSuper Pod Size : 1\nSuper Pod ID : 1\nServer Index : 1\n"),
    "version": (versions.read_version, "Version={}\n"),
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("number", [LONG, "1" + "0" * 320], ids=["no number", "no float"])
def test_a_number_that_is_none_is_not_understood(name: str, number: str) -> None:
    read, text = NUMBERS[name]
    said = text.format(*[number] * 2)
    for answer in (Answer(said, "", 0), Answer(close(said), "", 0)):
        assert isinstance(read(answer), Unread)


ODD = (10**400, -5, float("nan"), float("inf"), 1e300, "5", None, True, [])


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: str(odd)[:6])
@pytest.mark.parametrize("name", ["done", "total", "rate", "left"])
def test_progress_of_odd_numbers_is_progress(name: str, odd: object) -> None:
    told: list[Event] = []
    event = {"event": "progress", "task": "t", "done": 5, "total": 10, "rate": 2, "left": 3.5, name: odd}
    Answers(telling(told.append))(json.dumps(event).encode() + b"\n")
    assert [one.task for one in told] == ["t"]


def test_a_card_that_does_not_say_how_well_it_computed_is_told_all_the_same() -> None:
    card = CardAnswer(0, product="good", reduced="good")
    report = _report({"node1": NpuAnswer("npu", {}, 1, 1, (card,))}, NpuOptions())
    assert ["bf16 product" in one.message or "all-reduce" in one.message for one in report.findings].count(
        True
    )


def test_a_line_that_comes_byte_by_byte_costs_what_its_length_says() -> None:
    seconds = {}
    for length in (20_000, 320_000):
        parser, begun = SseParser(), time.process_time()
        for _ in range(length):
            parser.feed(b"x")
        seconds[length] = time.process_time() - begun
    # Sixteen times as long; it was some two hundred times the cost.
    assert seconds[320_000] < 50 * seconds[20_000] + 0.2


def test_a_line_before_a_chunk_may_be_as_long_in_one_piece_as_in_many() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    wire = head + b"1;x=" + b"9" * 4_200 + b"\r\na\r\n"
    for size in (len(wire), 100):
        reader = ResponseReader()
        with pytest.raises(WireError, match="does not end"):
            for at in range(0, len(wire), size):
                reader.feed(wire[at : at + size])


def test_infinite_numbers_in_what_was_noted_are_none(tmp_path: Path) -> None:
    file = {"sha256": "a" * 64, "size": float("inf"), "state": ""}
    (tmp_path / MANIFEST).write_text(json.dumps({"version": 1, "files": {"a": file}}))
    assert read_manifest(str(tmp_path)) is None
    with pytest.raises(Trouble, match="garbles"):
        parse({"source": "hub", "repository": "a/b", "port": float("inf")}, "request")
    body = {"files": [{"path": "/a", "text": "", "mode": float("inf")}], "overlay": [], "container": {}}
    with pytest.raises(NodeError, match="cannot be read"):
        read_record("node1", f'{{"id": "a"}}\n{json.dumps(body)}\n')


def test_results_with_numbers_that_nothing_measures_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    for rate in (10**400, float("nan"), 2.5):
        line = json.dumps({"document": "bench", "metrics": {"requests_per_second": rate}})
        path.write_text(f"{line}\n{line}\n")
        rows = BenchComparison(*last_two([path])).rows()
        assert [row[0] for row in rows] == (["requests/s"] if rate == 2.5 else [])


def test_a_hub_that_asks_to_wait_until_no_date_is_asked_again_at_once() -> None:
    headers = {"Retry-After": "Mon, 01 Jan 99999 00:00:00 GMT"}
    assert (
        _retry_after([cast(BaseException, SimpleNamespace(response=SimpleNamespace(headers=headers)))]) == 0
    )


def test_empty_lines_of_an_event_without_an_end_are_not_kept_for_ever() -> None:
    parser = SseParser()
    with pytest.raises(MalformedStream, match="more than"):
        for _ in range(100):
            parser.feed(b"data:\n" * 2_000)


def test_a_key_that_is_not_even_ascii_is_no_line_of_known_hosts(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text("node1 ssh-ed25519 schlüssel\n", encoding="utf-8")
    assert read_known_hosts([str(path)]).lines == ()


def test_a_configuration_of_ssh_in_another_encoding_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"Host node1\n  HostName n\x87de\n  User \xfc\n")
    path.chmod(0o600)
    around = Machine("ops", tmp_path, "here", {}, tmp_path / "none")
    assert resolve("node1", Ssh(config=str(path)), around).user == "\udcfc"
