"""What to type can be typed: no word that has to be replaced, and every command is one for a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache

import pytest

from lingctl.ascend.cards.ping import Ping
from lingctl.ascend.unread import Unread
from lingctl.checks.causes import root_first
from lingctl.checks.reach.mesh import Hit, mesh_findings
from lingctl.checks.reach.reachability import reach_findings
from lingctl.findings import Finding, Verdict, folded
from tests.unit.checks.test_agreement import DRAWS
from tests.unit.checks.test_mesh import _hits, _shots
from tests.unit.checks.test_network import CASES
from tests.unit.checks.test_super_pod import _pod as super_pod
from tests.unit.checks.world import CARDS, World, complained, listed, said

TOOLS = (
    *("hccn_tool", "npu-smi", "docker", "podman", "ssh", "scp", "ss", "df", "du", "ls", "ps", "mv", "dmesg"),
    *(
        "lspci",
        "firewall-cmd",
        "hostnamectl",
        "chronyc",
        "timedatectl",
        "systemctl",
        "ip",
        "lingctl",
        "export",
    ),
    *("for", "timeout", "journalctl"),
)
PLACEHOLDERS = (
    "ADDRESS",
    "MASK",
    "GATEWAY",
    "CARD",
    "PORT",
    "NAME",
    "FILE",
    "ANOTHER",
    "N",
    "IMAGE",
    "PATH",
    "X",
)
NO_ADDRESS = complained("Get ipconf failed, because no ip was preset there!\n", 13)


def commands_of(remedy: str) -> Iterator[str]:
    """The commands in a remedy; see checks/remedies.py for what one looks like."""
    for part in _joined_loops(remedy).split("; "):
        clause = part.replace("\x00", "; ").strip()
        command = clause if clause.split(" ")[0] in TOOLS else clause.rpartition(": ")[2]
        if command.split(" ")[0] in TOOLS:
            yield command


def _joined_loops(remedy: str) -> str:
    return re.sub(
        r"for \w+ in [^;]*; do .*?; done", lambda found: found.group().replace("; ", "\x00"), remedy
    )


def _worlds() -> Iterator[World]:
    for case in CASES:
        for nodes in (1, 2, 3):
            yield World.healthy(nodes).set(f"node{min(nodes, 2)}", case.question, case.answer)
    for check in DRAWS:
        (question, text), _ = DRAWS[check]
        world = World.healthy(2)
        for card in range(CARDS):
            name = question.replace("*", str(card))
            world.set(
                "node1",
                name,
                said(text) if question.startswith("card:") or question == "image" else listed(text),
            )
        yield world
    for netdetect in ("0.0.0.0", "172.16.0.1"):
        world = World.healthy(2)
        for node in world.nodes:
            for card in range(CARDS):
                world.set(node, f"card:{card}:netdetect", said(f"netdetect addr: {netdetect}\n"))
                world.set(node, f"card:{card}:net_health", said("net health status: Fault\n"))
                world.set(
                    node,
                    f"card:{card}:gateway",
                    complained("Get gateway failed, because no gateway was preset there!\n", 2),
                )
        yield world
    for answer in (NO_ADDRESS, said("ipaddr:10.9.0.1\nnetmask:255.255.0.0\n")):
        for conf in ("address_1=10.1.2.2\nnetmask_1=255.255.0.0\n", "mtu_1=9000\n", "tls_enable_0=1\n"):
            yield World.healthy(2).set("node2", "card:1:address", answer).set("node2", "conf", listed(conf))
    for key, value in {
        "gateway": "10.1.0.9",
        "netdetect": "10.1.0.9",
        "mtu": "9000",
        "tls_enable": "1",
        "netmask": "255.0.0.0",
    }.items():
        world = World.healthy(2)
        yield world.change(
            "node2",
            "conf",
            lambda text, key=key, value=value: (
                f"{key}_1={value}\n{text}"
                if f"{key}_1=" not in text
                else re.sub(rf"{key}_1=\S+", f"{key}_1={value}", text)
            ),
        )
    yield super_pod(2)


def _findings() -> Iterator[Finding]:
    for world in _worlds():
        judged = world.judged()
        yield from judged
        yield from folded(judged)
    world = World.healthy(3)
    for received in (0, 1, 2):
        hits = _hits(world, {("node2", 1)}, received=received)
        yield from mesh_findings(world.scope, world.facts, hits, 2)
        small = [Hit(hit.shot, hit.ping, None if hit.ok else Ping(3, 3)) for hit in hits]
        yield from mesh_findings(world.scope, world.facts, small, 0)
    for how in ("silent", "no-route"):
        answer = {("192.0.2.1", 1025): how, ("192.0.2.1", 1120): how}
        yield from reach_findings(world.scope, "node2", answer)  # type: ignore[arg-type]


@cache
def every_finding() -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(_findings()))


def test_the_matrix_is_large_enough_to_mean_something() -> None:
    assert len({finding.check for finding in every_finding() if finding.remedy}) >= 30
    assert sum(len(list(commands_of(finding.remedy))) for finding in every_finding()) > 200


def test_no_remedy_has_a_word_to_be_replaced() -> None:
    bad = {
        finding.remedy
        for finding in every_finding()
        if set(re.findall(r"\b[A-Z]+\b", finding.remedy)) & set(PLACEHOLDERS)
        # npu-smi's own titles of columns.
        and "NPU ID" not in finding.remedy
    }
    assert bad == set()


def test_every_command_of_a_remedy_is_one_for_a_shell() -> None:
    for remedy in {finding.remedy for finding in every_finding()}:
        for command in commands_of(remedy):
            words = shlex.split(command)
            assert words[0] in TOOLS
            assert not [word for word in words if re.fullmatch(r"[A-Z]{2,}|<.*>|\.\.\.", word)], command
            if words[0] == "hccn_tool":
                assert re.fullmatch(
                    r"hccn_tool -i \d+ -[a-z_]+ (?:-g|-s [a-z]+ .+|recovery|-s up)", command
                ), command


def test_a_tool_is_never_named_with_options_outside_of_a_command() -> None:
    for remedy in {finding.remedy for finding in every_finding()}:
        rest = remedy
        for command in commands_of(remedy):
            rest = rest.replace(command, "", 1)
        assert not re.search(r"(?:hccn_tool|npu-smi|docker|podman) -?[a-z]+ ?-?-", rest), remedy


@pytest.mark.parametrize(
    ("key", "written", "command"),
    [
        ("gateway", "10.1.0.9", "hccn_tool -i 1 -gateway -s gateway 10.1.255.254"),
        ("netdetect", "10.1.0.9", "hccn_tool -i 1 -netdetect -s address 10.1.255.254"),
        ("address", "10.1.2.99", "hccn_tool -i 1 -ip -s address 10.1.2.2 netmask 255.255.0.0"),
        ("netmask", "255.0.0.0", "hccn_tool -i 1 -ip -s address 10.1.2.2 netmask 255.255.0.0"),
        ("mtu", "9000", "hccn_tool -i 1 -mtu -s size 4200"),
        ("tls_enable", "1", "hccn_tool -i 1 -tls -s enable 0"),
    ],
)
def test_hccn_conf_is_mended_by_setting_what_differs(key: str, written: str, command: str) -> None:
    world = World.healthy(2)
    conf = re.sub(rf"{key}_1=\S+\n", "", world.nodes["node2"]["conf"].stdout)
    world.nodes["node2"]["conf"] = said(f"{key}_1={written}\n{conf}")
    (finding,) = [f for f in world.judged() if f.check == "hccn-conf" and f.verdict > Verdict.NOTE]
    assert list(commands_of(finding.remedy)) == [command, "hccn_tool -i 1 -cfg recovery"]


def test_a_card_that_lost_its_gateway_is_given_that_of_its_subnet() -> None:
    world = World.healthy(2).set("node2", "conf", listed("address_1=10.1.2.2\nnetmask_1=255.255.0.0\n"))
    world.set(
        "node2", "card:1:gateway", complained("Get gateway failed, because no gateway was preset there!\n", 2)
    )
    (finding,) = [f for f in world.judged() if f.check == "gateway" and f.verdict > Verdict.NOTE]
    assert finding.remedy == "hccn_tool -i 1 -gateway -s gateway 10.1.255.254"


@pytest.mark.parametrize("received", [0, 1, 2])
def test_the_words_of_a_ping_agree_with_its_evidence(received: int) -> None:
    world = World.healthy(3)
    hits = _hits(world, {("node2", 1)}, received=received)
    (finding,) = [f for f in mesh_findings(world.scope, world.facts, hits, 0) if f.verdict is Verdict.FAILURE]
    assert f"{received} of 3 packets came back" in finding.evidence
    assert ("reaches no other card" in finding.message) is (received == 0)


def test_pings_without_a_result_are_not_said_to_be_lost() -> None:
    world = World.healthy(2)
    odd = Unread("not-understood", "odd", "?!")
    hits = [Hit(shot, odd if shot.source == ("node1", 0) else Ping(3, 3)) for shot in _shots(world)]
    (finding,) = [f for f in mesh_findings(world.scope, world.facts, hits, 0) if f.verdict > Verdict.NOTE]
    assert "no answer" not in finding.message and "no result that can be read" in finding.message


def test_of_a_card_of_which_not_all_is_known_it_is_not_said_that_nothing_reaches_it() -> None:
    world = World.healthy(3)
    odd = Unread("not-understood", "odd", "?!")
    hits = [
        Hit(hit.shot, odd if not hit.ok and hit.shot.source == ("node1", 1) else hit.ping)
        for hit in _hits(world, {("node2", 1)})
    ]
    (finding,) = [f for f in mesh_findings(world.scope, world.facts, hits, 0) if f.verdict > Verdict.NOTE]
    assert finding.message.endswith("is known to be answered in full")


def test_an_image_is_brought_to_the_address_of_the_node_that_lacks_it() -> None:
    world = World.healthy(2).set("node2", "image", complained("Error: No such image: mindie:1.0.0\n", 1))
    (finding,) = [f for f in world.judged() if f.check == "image" and f.verdict is Verdict.NOTE]
    assert finding.remedy.endswith("docker save mindie:1.0.0 | ssh 192.0.2.2 docker load")


def test_an_address_that_is_not_known_is_not_called_absent() -> None:
    world = World.healthy(2).set("node2", "card:1:address", said("?\n"))
    hits = [Hit(shot, Ping(3, 3)) for shot in _shots(world)]
    (finding,) = [
        f for f in mesh_findings(world.scope, world.facts, hits, 0) if f.device == 1 and f.node == "node2"
    ]
    assert "not known" in finding.message


def test_equal_findings_of_many_cards_are_one_line_with_one_loop() -> None:
    world = World.healthy(2)
    for card in (0, 1, 3):
        world.set("node2", f"card:{card}:link", said("link status: DOWN\n"))
    (line,) = [f for f in folded(world.judged()) if f.check == "link" and f.verdict is Verdict.FAILURE]
    assert (line.node, line.device) == ("node2 cards 0-1, 3", None)
    assert "for card in 0 1 3; do hccn_tool -i $card -link -s up; done" in line.remedy
    assert "if it stays down: for card in 0 1 3; do hccn_tool -i $card -cfg recovery; done" in line.remedy


def test_equal_findings_of_several_nodes_are_one_line_with_what_was_seen_on_each() -> None:
    def on(node: str, device: int | None = None, evidence: str = "", remedy: str = "") -> Finding:
        return Finding("daemon", Verdict.FAILURE, "dead", node, device, evidence, remedy)

    def logs(node: str) -> Finding:
        return on(node, None, f"status {node[-1]}\nmore", f"lingctl logs --node {node}")

    (line,) = folded([logs(node) for node in ("node1", "node2")])
    assert (line.node, line.evidence) == ("node1, node2", "node1: status 1\nnode2: status 2")
    (line,) = folded([on(f"n{number}", card) for number in range(64) for card in (2, 3)])
    assert line.node == "n0, n1 ... (64 nodes) cards 2-3"
    (line,) = folded([on("node1", 5), on("node2", 5)])
    assert (line.node, line.device) == ("node1, node2 card 5", None)
    assert len(folded([on("node1", 5), on("node2", 6)])) == 2
    assert len(folded([on("node1", remedy="set 192.0.2.1"), on("node2", remedy="set 192.0.2.2")])) == 2
    alone = on("node1", 5)
    assert folded([alone]) == [alone]


def test_the_root_stands_before_what_follows_from_it() -> None:
    found = [
        Finding("ping", Verdict.FAILURE, "none", "node1", 1),
        Finding("gateway", Verdict.FAILURE, "other", "node1", 2),
        Finding("disk", Verdict.FAILURE, "full", "node1"),
        Finding("link", Verdict.FAILURE, "down", "node2", 5),
        Finding("link", Verdict.WARNING, "flaps", "node1", 0),
    ]
    assert [(one.check, one.verdict) for one in root_first(found)] == [
        ("link", Verdict.FAILURE),
        ("disk", Verdict.FAILURE),
        ("gateway", Verdict.FAILURE),
        ("ping", Verdict.FAILURE),
        ("link", Verdict.WARNING),
    ]


@pytest.mark.parametrize(
    ("bad", "packets", "words"),
    [
        (5, None, ": 5; it matters if they grow"),
        (500, 1000, ": 500 of 1,000 (50 %)"),
        (3, 2000, ": 3 of 2,000 (0.15 %)"),
        (1, 10_000_000, ": 1 of 10,000,000 (less than 0.001 %); it matters if they grow"),
        (50, 10, ": 50, more than the 10 that were sent and received"),
    ],
)
def test_a_share_of_packets_is_told_as_one(bad: int, packets: int | None, words: str) -> None:
    counts = {"roce_new_pkt_rty_num": bad}
    if packets is not None:
        counts |= {"mac_tx_total_pkt_num": packets // 2, "mac_rx_total_pkt_num": packets - packets // 2}
    text = "packet statistics:\n" + "".join(f"{name}:{value}\n" for name, value in counts.items())
    world = World.healthy(2).set("node1", "card:1:counters", said(text))
    of_card = [f for f in world.judged() if (f.node, f.device) == ("node1", 1)]
    (found,) = [f for f in of_card if f.check == "error-counters"]
    assert found.message.endswith(words)
