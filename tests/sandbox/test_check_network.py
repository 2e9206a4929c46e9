"""Faults of an emulated cluster are found by name, on the right node and card; and a healthy one has none.

Most faults are set at the same time, each on a card or node of its own: one check has to tell them apart.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from lingctl.sandbox.lifecycle import break_node, heal
from tests.sandbox.live import Live

pytestmark = pytest.mark.sandbox
TROUBLE = ("warning", "unknown", "failure")
Found = tuple[str, str, int | None]


@dataclass(frozen=True)
class Broken:
    """A fault, and the finding that must name it."""

    node: str
    fault: str
    check: str
    card: int | None = None
    verdict: str = "failure"


# Faults that leave the others' findings alone.
TOGETHER = [
    Broken("node2", "link-down=0", "link", 0),
    Broken("node2", "conf-differs=1", "hccn-conf", 1),
    Broken("node2", "tls-on=2", "tls-same", 2),
    Broken("node2", "mtu=3", "mtu-same", 3),
    Broken("node2", "no-address=4", "ip", 4),
    Broken("node2", "netmask-differs=5", "netmask-same", 5),
    Broken("node2", "card-hang=6", "card", 6),
    Broken("node2", "card-missing=7", "card", 7),
    Broken("node1", "link-flaps=0", "link-flaps", 0, "warning"),
    Broken("node1", "no-gateway=1", "gateway", 1, "warning"),
    Broken("node1", "no-netdetect=2", "netdetect", 2, "warning"),
    Broken("node1", "duplicate-address=3", "ip-unique", 3),
    Broken("node1", "lldp-empty=4", "lldp", 4, "warning"),
    Broken("node1", "retransmissions=5", "error-counters", 5, "warning"),
    Broken("node1", "card-alarm=6", "npu-health", 6),
    Broken("node1", "ping-loss=7", "ping", 7),
    Broken("node1", "port-taken=1025", "port"),
    Broken("node2", "driver-differs", "driver-same"),
    Broken("node2", "root-info-stale", "root-info", verdict="warning"),
    Broken("node2", "clock-skew=300", "clock"),
    Broken("node2", "disk-full=state", "disk"),
]
# Findings that follow from the faults above, beside the one that names each.
FOLLOW = {
    ("ip-unique", "node1", 0),  # the other holder of the address
    ("ping", "node1", 0),
    ("ping", "node1", 3),
    ("gateway", "node2", 5),  # outside the narrower subnet now
    ("card-count", "node2", 7),
    ("card-count", "node2", None),
    ("driver", "node2", None),  # 23.0.7 is also too old
    ("optics", "node2", 0),  # no light on a link that is down
    ("netdetect", "node2", 4),
    ("netdetect", "node2", 5),
}


def _trouble(document: Any) -> dict[Found, str]:
    return {
        (finding["check"], finding["node"], finding["device"]): finding["verdict"]
        for finding in document["findings"]
        if finding["verdict"] in TROUBLE
    }


def test_a_healthy_cluster_has_no_trouble(plus_cluster: Live) -> None:
    done = plus_cluster.lingctl("check-network", "--json")
    assert (done.status, _trouble(done.document)) == (0, {})
    mesh = done.document["mesh"]
    assert len(mesh) == 2 * 2 * 8
    assert all(hit["answered"] and hit["received"] == 3 for hit in mesh)


@pytest.fixture(scope="module")
def everything_broken(plus_cluster: Live) -> Any:
    """What a check says while all of ``TOGETHER`` is broken; healed again before any test goes on."""
    with ExitStack() as stack:
        for broken in TOGETHER:
            name = broken.fault.partition("=")[0]
            stack.callback(heal, plus_cluster.directory, broken.node, name)
            break_node(plus_cluster.directory, broken.node, broken.fault)
        done = plus_cluster.lingctl("check-network", "--json")
    assert done.status == 3, done.said
    return done.document


@pytest.mark.parametrize("broken", TOGETHER, ids=lambda broken: broken.fault)
def test_each_of_many_faults_is_found_by_name(everything_broken: Any, broken: Broken) -> None:
    found = _trouble(everything_broken)
    assert found.get((broken.check, broken.node, broken.card)) == broken.verdict


def test_many_faults_are_all_that_is_found(everything_broken: Any) -> None:
    named = {(broken.check, broken.node, broken.card) for broken in TOGETHER}
    assert set(_trouble(everything_broken)) - named <= FOLLOW


def test_each_trouble_says_what_to_type(everything_broken: Any) -> None:
    bare = [
        f for f in everything_broken["findings"] if f["verdict"] in ("failure", "warning") and not f["remedy"]
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("faults", "found"),
    [
        (("tool-missing",), {("hccn-tool", "failure")}),
        (("conf-missing", "docker-down"), {("hccn-conf", "failure"), ("runtime", "warning")}),
        (("unreachable",), {("ssh", "unknown")}),
        (("wrong-host-key",), {("ssh", "unknown")}),
        (("silent",), {("ssh", "unknown")}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_a_node_in_trouble_is_named_and_the_other_is_still_judged(
    plus_cluster: Live, faults: tuple[str, ...], found: set[tuple[str, str]]
) -> None:
    with ExitStack() as stack:
        for fault in faults:
            stack.callback(heal, plus_cluster.directory, "node2", fault)
            break_node(plus_cluster.directory, "node2", fault)
        done = plus_cluster.lingctl("check-network", "--json", "--mesh", "off")
    assert done.status == 3, done.said
    trouble = _trouble(done.document)
    # What holds for the nodes that answered is not known of all, and is said of none.
    of_all = {place: verdict for place, verdict in trouble.items() if not place[1]}
    assert set(of_all.values()) == ({"unknown"} if ("ssh", "unknown") in found else set())
    assert trouble.items() - of_all.items() == {((check, "node2", None), verdict) for check, verdict in found}
    assert done.document["nodes"][0]["verdict"] in ("pass", "note")


def test_a_card_is_judged_by_its_own_row_where_npu_smi_counts_slots(plus_cluster: Live) -> None:
    with ExitStack() as stack:
        for node, fault in (
            ("node1", "map-fails"),
            ("node2", "slot-numbers"),
            ("node2", "card-alarm=1"),
            ("node2", "card-unavailable=2"),
        ):
            stack.enter_context(plus_cluster.broken(node, fault))
        done = plus_cluster.lingctl("check-network", "--json", "--mesh", "off")
    assert _trouble(done.document) == {
        ("card-count", "node1", None): "unknown",
        **{("npu-health", "node1", card): "unknown" for card in range(8)},
        ("npu-health", "node2", 1): "failure",
        ("npu-health", "node2", 2): "failure",
    }


def test_what_is_only_a_nuisance_is_no_finding(plus_cluster: Live) -> None:
    with ExitStack() as stack:
        for fault in ("busy=2", "login-noise", "slow-tools=0.01"):
            stack.enter_context(plus_cluster.broken("node2", fault))
        done = plus_cluster.lingctl("check-network", "--json", "--mesh", "off")
    assert (done.status, _trouble(done.document)) == (0, {})


def test_no_node_at_all_is_exit_4(lite_cluster: Live) -> None:
    with lite_cluster.broken("node1", "unreachable"):
        done = lite_cluster.lingctl("check-network")
    assert done.status == 4, done.said
    assert "node1" in done.stdout


def test_on_one_server_the_network_is_noted_and_cards_are_judged(lite_cluster: Live) -> None:
    with lite_cluster.broken("node1", "link-down=2"), lite_cluster.broken("node1", "card-alarm=5"):
        document = lite_cluster.lingctl("check-network", "--json").document
    assert _trouble(document) == {("npu-health", "node1", 5): "failure"}
    notes = {(f["check"], f["device"]) for f in document["findings"] if f["verdict"] == "note"}
    assert ("link", 2) in notes


def test_saved_answers_are_judged_alike_without_a_node(plus_cluster: Live, tmp_path: Any) -> None:
    with plus_cluster.broken("node2", "link-down=3"):
        asked = plus_cluster.lingctl("check-network", "--json", "--save", tmp_path / "answers")
    again = plus_cluster.lingctl(
        "check-network", "--json", "--from", tmp_path / "answers", environment={"LINGCTL_NODES": "/nowhere"}
    )
    assert (again.status, again.document) == (asked.status, asked.document)
    texts = "".join(path.read_text() for path in (tmp_path / "answers").iterdir())
    assert "PRIVATE KEY" not in texts
    assert json.loads((tmp_path / "answers" / "node2.json").read_text())["commands"]["card:3:link"] == (
        "hccn_tool -i 3 -link -g"
    )


def test_fix_tls_asks_sets_the_odd_cards_and_reads_them_back(plus_cluster: Live) -> None:
    with plus_cluster.broken("node2", "tls-on=1,6"):
        refused = plus_cluster.lingctl("check-network", "--fix-tls", "0")
        assert refused.status == 2
        assert "--yes" in refused.stderr
        assert "TLS switch 0" in refused.stderr
        still = plus_cluster.on(
            "node2", "hccn_tool -i 6 -tls -g || /usr/local/Ascend/driver/tools/hccn_tool -i 6 -tls -g"
        )
        assert "tls switch[1]" in still.stdout
        fixed = plus_cluster.lingctl("check-network", "--fix-tls", "0", "--yes", "--json")
        assert fixed.status == 0, fixed.said
        assert fixed.document["changed"]
        changed = [step["title"] for step in fixed.document["plan"]["steps"] if step["state"] == "change"]
        assert changed == ["card 1: TLS switch 0", "card 6: TLS switch 0"]
        assert {finding["verdict"] for finding in fixed.document["findings"]} == {"pass"}
        again = plus_cluster.lingctl("check-network", "--fix-tls", "0")
        assert again.status == 0
        assert "Nothing to change" in again.stderr
