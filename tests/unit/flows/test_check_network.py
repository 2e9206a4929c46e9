"""check-network from end to end with real shells and an emulated hccn_tool, but no SSH: losses, limits."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from lingctl.ascend.cards.hccn import Tls
from lingctl.ascend.scope import NodeScope, Scope
from lingctl.ascend.unread import Unread
from lingctl.errors import ConfigurationError, ConnectError, NotAskedError, UsageError
from lingctl.events import Event, ignore
from lingctl.findings import Verdict
from lingctl.flows.network import probe
from lingctl.flows.network.check import CheckOptions, NetworkReport, check_scope, judged
from lingctl.flows.network.fix_tls import judge_switches, plan_tls
from lingctl.flows.network.probe import NodeAnswers
from lingctl.flows.network.saved import judge_saved, save_answers
from lingctl.remote.command import Command
from lingctl.remote.completed import Completed, OutputListener
from lingctl.remote.group import Group
from lingctl.remote.local import LocalConnection
from lingctl.remote.probe import Answer

TOOL = """#!/bin/sh
# 4096-byte packets do not reach 10.9.2.2, small ones do.
case $3 in
  -link) echo 'link status: UP';;
  -ip) printf 'ipaddr:10.9.%s.%s\\nnetmask:255.255.0.0\\n' "$NODE" "$(($2 + 1))";;
  -tls) echo "dev_id:$2, tls switch[0](0:disable, 1:enable), tls alarm time threshold[60]days";;
  -net_health)
    n=$(cat "$STATE/$NODE.$2" 2>/dev/null || echo 0)
    echo $((n + 1)) >"$STATE/$NODE.$2"
    if [ "$n" = 0 ] && [ "$2" = 1 ]; then echo 'net health status: Detect ip set'
    else echo 'net health status: Success'; fi;;
  -netdetect) echo 'netdetect addr: 10.9.255.254';;
  -gateway) echo "default gateway:10.9.255.254, Iface:eth$2";;
  -ping)
    if [ "$6" = 10.9.2.2 ] && [ -z "$8" ]; then
      echo "device $2 PING $6"; echo '3 packets transmitted, 0 received, 100.00% packet loss'
      echo 'Command execute failed!' >&2; exit 1
    fi
    echo "device $2 PING $6"; echo '3 packets transmitted, 3 received, 0.00% packet loss';;
  *) echo 'Get unknown option!' >&2; exit 3;;
esac
"""


class _Node(LocalConnection):
    """This machine under a name, with the emulated tool first on its path."""

    def __init__(self, number: int, folder: Path, fail_after: int = 1000) -> None:
        super().__init__(f"node{number}")
        words = {"NODE": str(number), "STATE": str(folder), "PATH": f"{folder}:/usr/bin:/bin"}
        self._head = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in words.items())
        self._left = fail_after

    def run(
        self, command: Command, *, timeout: float = 60.0, on_output: OutputListener | None = None
    ) -> Completed:
        self._left -= 1
        if self._left < 0:
            raise ConnectError("the connection was lost", where=self.node)
        return super().run(Command(self._head + command.text), timeout=timeout, on_output=on_output)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # What the emulated tool says another time depends on how often it was asked, and not on when.
    monkeypatch.setattr(probe, "_SETTLE_SECONDS", 0)
    tool = tmp_path / "hccn_tool"
    tool.write_text(TOOL)
    tool.chmod(0o755)
    return tmp_path


SCOPE = Scope(
    (NodeScope("node1", (0, 1, 2), "127.0.0.1"), NodeScope("node2", (0, 1, 2), "127.0.0.2")),
    shared_ports={"inter-node": 1},
)


def _check(
    folder: Path,
    options: CheckOptions | None = None,
    lost_after: int = 1000,
    listener: Callable[[Event], None] = ignore,
) -> NetworkReport:
    group = Group({"node1": _Node(1, folder), "node2": _Node(2, folder, lost_after)})
    return check_scope(group, SCOPE, options or CheckOptions(), listener)


def _of(report: NetworkReport, check: str) -> dict[tuple[str, int | None], Verdict]:
    return {(f.node, f.device): f.verdict for f in report.findings if f.check == check}


def test_a_path_that_is_too_narrow_is_found_and_told_from_a_broken_one(folder: Path) -> None:
    report = _check(folder)
    bad = [f for f in report.findings if f.check == "ping" and f.verdict is Verdict.FAILURE]
    assert [(f.node, f.device) for f in bad] == [("node2", 1)]
    assert "MTU" in bad[0].remedy
    assert _of(report, "ping")["node1", 0] is Verdict.PASS


def test_a_state_that_passes_by_is_looked_at_again(folder: Path) -> None:
    assert set(_of(_check(folder, CheckOptions("off")), "net-health").values()) == {Verdict.PASS}


def test_nodes_reach_each_other_where_a_connection_is_refused(folder: Path) -> None:
    reach = _of(_check(folder, CheckOptions("off")), "reach")
    assert reach == {("node1", None): Verdict.PASS, ("node2", None): Verdict.PASS}


def test_a_time_limit_cuts_the_mesh_and_says_so(folder: Path) -> None:
    report = _check(folder, CheckOptions("full", mesh_seconds=0))
    assert report.hits == ()
    pings = [f for f in report.findings if f.check == "ping"]
    assert {f.verdict for f in pings} == {Verdict.NOTE}
    assert any("18 pings" in f.message for f in pings)


@pytest.mark.parametrize("lost_after", [1, 2])
def test_a_node_that_is_lost_later_keeps_what_it_said_and_is_unknown(folder: Path, lost_after: int) -> None:
    report = _check(folder, lost_after=lost_after)
    assert _of(report, "ssh")["node2", None] is Verdict.UNKNOWN
    assert _of(report, "link")["node2", 2] is Verdict.PASS
    assert any("cut" in f.message for f in report.findings if f.check == "ping")
    assert report.unreachable == ()


def test_a_node_that_is_lost_at_once_is_unreachable_and_the_other_is_judged(folder: Path) -> None:
    report = _check(folder, lost_after=0)
    assert report.unreachable == ("node2",)
    assert _of(report, "ssh") == {("node1", None): Verdict.PASS, ("node2", None): Verdict.UNKNOWN}
    assert _of(report, "link")["node1", 0] is Verdict.PASS


def test_what_a_part_of_the_nodes_has_in_common_is_no_pass_for_all(folder: Path) -> None:
    left_out = {"node2": NotAskedError("not asked")}
    report = check_scope(Group({"node1": _Node(1, folder)}, left_out), SCOPE, CheckOptions(), ignore)
    assert report.asked == ("node1",) and report.unreachable == ()
    assert _of(report, "link")["node1", 0] is Verdict.PASS
    assert _of(report, "ssh") == {("node1", None): Verdict.PASS, ("", None): Verdict.UNKNOWN}
    # Nothing that is said of the whole cluster passes, whether a node was left out or lost.
    for one in (report, _check(folder, lost_after=0)):
        of_all = [finding for finding in one.findings if not finding.node]
        assert {finding.verdict for finding in of_all} == {Verdict.UNKNOWN}
        assert all("node2" in finding.message for finding in of_all)
    assert judged(report.scope, report.records, report.lost).asked == ("node1",)


def test_each_node_tells_its_progress(folder: Path) -> None:
    heard: list[Event] = []
    _check(folder, listener=heard.append)
    said = {(event.task, event.state) for event in heard if event.node == "node1"}
    assert said >= {("ask the node", "started"), ("ask the node", "done"), ("ping the other cards", "done")}


def test_saved_answers_are_judged_alike(folder: Path) -> None:
    report = _check(folder)
    save_answers(report, folder / "saved")
    assert judge_saved(folder / "saved").findings == report.findings


def test_a_node_may_be_called_as_the_index_is(tmp_path: Path) -> None:
    scope = Scope((NodeScope("scope", (0,)),))
    report = judged(scope, {"scope": NodeAnswers({"hostname": Answer("here", "", 0)})})
    save_answers(report, tmp_path / "saved")
    assert judge_saved(tmp_path / "saved").findings == report.findings


def test_a_folder_with_other_files_is_left_alone(folder: Path) -> None:
    report = _check(folder, CheckOptions("off"))
    with pytest.raises(ConfigurationError, match="other files"):
        save_answers(report, folder)


def test_a_folder_whose_files_cannot_be_listed_is_told_with_another_to_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="Not a directory") as caught:
        save_answers(judged(Scope(()), {}), tmp_path / "file")
    assert caught.value.remedy == "name another folder: --save DIR"


def test_spoilt_files_are_refused_with_their_place(folder: Path) -> None:
    save_answers(_check(folder, CheckOptions("off")), folder / "saved")
    node = folder / "saved" / "node1.json"
    for text in ("[]", "{", json.dumps({"answers": 3})):
        node.write_text(text)
        with pytest.raises(ConfigurationError) as caught:
            judge_saved(folder / "saved")
        assert str(folder / "saved") in caught.value.where


def test_only_switches_that_differ_are_set_and_silent_cards_are_left_alone() -> None:
    silent = Unread("timed-out", "no answer within the time limit")
    switches = {"node1": {0: Tls(0), 1: Tls(1), 2: Tls(None)}, "node2": {0: silent}}
    off, on = plan_tls(switches, 0), plan_tls(switches, 1)
    assert [(step.node, step.title) for step in off.changes] == [("node1", "card 1: TLS switch 0")]
    assert [step.title for step in on.changes] == ["card 0: TLS switch 1", "card 2: TLS switch 1"]
    verdicts = {(f.node, f.device): f.verdict for f in judge_switches(switches, 0)}
    assert verdicts == {
        ("node1", 0): Verdict.PASS,
        ("node1", 1): Verdict.FAILURE,
        ("node1", 2): Verdict.PASS,
        ("node2", 0): Verdict.UNKNOWN,
    }
