"""The rank table: made from live addresses, judged by rule, proved against the cards."""

from __future__ import annotations

import copy
import json

import pytest

from lingctl.errors import ConfigurationError
from lingctl.findings import Verdict
from lingctl.mindie.files.rank_table import need_known_form, prove, rank_table
from lingctl.mindie.profile import profile_for
from lingctl.mindie.rules.rank_table import TABLE_RULES, check_rank_table
from tests.unit.mindie.samples import addresses_of, make_cluster, table_of

V3 = profile_for("3.0.0")
TWO = make_cluster("Ling-plus", nodes=2)


def _device(number, **values):
    def change(table):
        table["server_list"][1]["device"][number].update(values)

    return change


def _server(**values):
    return lambda table: table["server_list"][1].update(values)


def _drop_device(table):
    table["server_list"][1]["device"].pop()


def _drop_server(table):
    table["server_list"].pop()


def _swap_servers(table):
    table["server_list"].reverse()


def _list_with(*others):
    return lambda table: table["server_list"].extend(others)


def _devices_with(*others):
    return lambda table: table["server_list"][1]["device"].extend(others)


BREAKS = {
    "ranktable-objects": [
        _list_with(None),
        _list_with(None, 5),
        _devices_with(None),
        _devices_with("x", []),
        lambda table: table.update(server_list=[None, None]),
    ],
    "ranktable-version": [lambda t: t.update(version="1.1"), lambda t: t.pop("version")],
    "ranktable-status": [lambda t: t.pop("status")],
    "ranktable-strings": [
        lambda t: t.update(server_count=2),
        _device(0, device_id=0),
        _device(0, rank_id=8),
    ],
    "ranktable-server-count": [
        lambda t: t.update(server_count="3"),
        lambda t: t.update(server_count="two"),
        lambda t: t.update(server_count="1" * 5000),
        lambda t: t.pop("server_list"),
        _drop_server,
    ],
    "ranktable-address": [
        _server(container_ip=""),
        _server(server_id="node2"),
        _server(container_ip="10.0.0.1"),
    ],
    "ranktable-cards": [_drop_device, _server(device=None), _server(device={})],
    "ranktable-device-id": [
        _device(0, device_id="64"),
        _device(0, device_id="7"),
        _device(0, device_id="07"),
        _device(0, device_id="x"),
    ],
    "ranktable-device-ip": [
        _device(0, device_ip="0.0.0.0"),
        _device(0, device_ip="192.168.1"),
    ],
    "ranktable-device-ip-once": [_device(0, device_ip="192.168.10.100")],
    "ranktable-rank": [_device(0, rank_id="9"), _device(0, rank_id="512"), _device(0, rank_id="08")],
    "ranktable-master": [_swap_servers],
}
CASES = [(check, index) for check, changes in BREAKS.items() for index in range(len(changes))]


def test_every_rule_has_a_case():
    assert set(BREAKS) == {rule.check for rule in TABLE_RULES}


@pytest.mark.parametrize(("check", "index"), CASES)
def test_every_broken_rule_is_caught_by_name(check, index):
    table = copy.deepcopy(table_of(TWO))
    BREAKS[check][index](table)
    found = check_rank_table(table, V3)
    assert check in {f.check for f in found}
    assert all(f.evidence and f.remedy for f in found)
    wanted = {rule.check: rule.verdict for rule in TABLE_RULES}
    assert all(f.verdict is wanted[f.check] for f in found)


def test_a_version_that_mindie_does_not_look_at_is_a_note():
    table = {**copy.deepcopy(table_of(TWO)), "version": "1.2"}
    assert [f.verdict for f in check_rank_table(table, V3)] == [Verdict.PASS, Verdict.NOTE]


def _of_one_machine(**changes):
    table = copy.deepcopy(table_of(TWO))
    del table["server_list"][1]
    table["server_count"] = "1"
    for device in table["server_list"][0]["device"]:
        device.update(changes)
    return table


def test_a_table_of_one_machine_is_not_refused_but_needless():
    table = _of_one_machine()
    del table["server_list"][0]["container_ip"]
    for device in table["server_list"][0]["device"]:
        del device["device_ip"]
    found = check_rank_table(table, V3)
    assert [f.verdict for f in found] == [Verdict.PASS, Verdict.NOTE]
    assert "needs no rank table" in found[1].message


def test_what_is_wrong_in_a_table_of_one_machine_is_still_told():
    checks = {f.check for f in check_rank_table(_of_one_machine(rank_id="3"), V3)}
    assert {"ranktable-rank", "ranktable-master"} <= checks
    count = {**_of_one_machine(), "server_count": 1}
    assert "ranktable-strings" in {f.check for f in check_rank_table(count, V3)}
    empty = {**_of_one_machine(), "server_list": []}
    assert any(f.verdict is Verdict.FAILURE for f in check_rank_table(empty, V3))


@pytest.mark.parametrize("nodes", [2, 3, 4, 60])
def test_a_rendered_table_is_accepted_and_proved(nodes):
    cluster = make_cluster("Ling-plus", nodes=nodes, node_list=_nodes(nodes, 8))
    text = rank_table(cluster, addresses_of(cluster))
    assert [f.verdict for f in check_rank_table(json.loads(text), V3)] == [Verdict.PASS]
    assert [f.verdict for f in prove(text, cluster, addresses_of(cluster))] == [Verdict.PASS]


def test_a_subset_of_cards_keeps_its_physical_ids():
    nodes = [
        {"address": "10.0.0.1", "devices": [4, 5, 6, 7]},
        {"address": "10.0.0.2", "devices": [0, 1, 2, 3]},
    ]
    cluster = make_cluster("Ling-lite", node_list=nodes)
    servers = table_of(cluster)["server_list"]
    assert [[d["device_id"] for d in s["device"]] for s in servers] == [list("4567"), list("0123")]
    assert [d["rank_id"] for s in servers for d in s["device"]] == [str(n) for n in range(8)]


@pytest.mark.parametrize(("kind", "words"), [("A3", "1.2"), ("950", "2.0"), ("310", "no nodes")])
def test_cards_that_want_another_form_of_table_are_refused(kind, words):
    with pytest.raises(ConfigurationError) as caught:
        need_known_form({"node1": "A2", "node2": kind})
    assert caught.value.code == "rank-table-form"
    assert caught.value.where == "node2"
    assert words in caught.value.evidence
    assert caught.value.remedy


def test_cards_of_the_known_form_and_unknown_ones_pass():
    need_known_form({"node1": "A2", "node2": ""})


def test_a_card_without_an_address_makes_no_table():
    addresses = addresses_of(TWO)
    del addresses["node2"][5]
    with pytest.raises(ConfigurationError) as caught:
        rank_table(TWO, addresses)
    assert caught.value.where == "node2 card 5"
    # What can be pasted has no word that somebody has to replace.
    assert "address A" not in caught.value.remedy


@pytest.mark.parametrize(("check", "index"), CASES)
def test_a_table_that_breaks_a_rule_is_not_proved(check, index):
    table = copy.deepcopy(table_of(TWO))
    BREAKS[check][index](table)
    found = prove(json.dumps(table), TWO, addresses_of(TWO))
    assert check in {f.check for f in found if f.verdict is Verdict.FAILURE}


def test_a_valid_table_of_other_nodes_or_fewer_cards_is_not_proved():
    other = make_cluster("Ling-plus", nodes=3)
    fewer = make_cluster("Ling-plus", node_list=_nodes(2, 4))
    for cluster in (other, fewer):
        text = rank_table(cluster, addresses_of(cluster))
        assert any(f.verdict is Verdict.FAILURE for f in prove(text, TWO, addresses_of(TWO)))


def test_other_addresses_than_the_live_ones_are_named_by_card():
    addresses = addresses_of(TWO)
    text = rank_table(TWO, addresses)
    addresses["node1"][3] = "192.168.99.1"
    found = prove(text, TWO, addresses)
    assert [(f.where, f.verdict) for f in found] == [("node1 card 3", Verdict.FAILURE)]


def test_ranks_in_another_order_are_named_by_card():
    table = table_of(TWO)
    one, other = table["server_list"][1]["device"][:2]
    one["rank_id"], other["rank_id"] = other["rank_id"], one["rank_id"]
    found = prove(json.dumps(table), TWO, addresses_of(TWO))
    assert [f.where for f in found] == ["node2 card 0", "node2 card 1"]


def test_a_file_that_is_no_table_is_not_proved():
    for text in ("", "{}", "[]", '{"server_list": 5}'):
        assert prove(text, TWO, addresses_of(TWO))[0].verdict is Verdict.FAILURE


def _nodes(count, cards):
    return [
        {"address": f"10.0.{n // 200}.{n % 200 + 1}", "devices": list(range(cards))} for n in range(count)
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_device(0, rank_id="0"), "rank_id must run from 0 to 15: 8 is missing, 0 is there 2 times"),
        (_device(7, rank_id="99"), "rank_id must run from 0 to 15: 15 is missing, 99 is too many"),
        (lambda table: table.pop("status"), "status is missing"),
        (_device(0, device_ip=None), "device_ip is missing"),
        (_server(device="x"), "device of 10.0.0.2 is 'x', not a list"),
    ],
)
def test_what_breaks_a_rule_is_named(change, said):
    table = copy.deepcopy(table_of(TWO))
    change(table)
    assert said in [finding.message for finding in check_rank_table(table, V3)]
