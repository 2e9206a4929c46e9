"""The server's reading of the rank table, sentence by sentence."""

from __future__ import annotations

import json

import pytest

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.settings.rank_table import VARIABLE, check_values, read_rank_table
from lingctl.sandbox.engine.settings.sections import Refused

OWN = "127.0.1.2"
DEVICE_OF_THE_SECOND = ("server_list", 1, "device", 0)


def good():
    def server(address, first):
        ids = [
            {"device_id": str(i), "device_ip": f"10.0.{first}.{i}", "rank_id": str(first + i)} for i in (0, 1)
        ]
        return {"server_id": address, "container_ip": address, "device": ids}

    servers = [server(OWN, 0), server("127.0.2.2", 2)]
    return {"version": "1.0", "server_count": "2", "server_list": servers, "status": "completed"}


@pytest.fixture
def read(tmp_path, monkeypatch, capsys):
    """Gives (table or None, whether its values pass, everything said)."""
    for name in ("RANKTABLEFILE", "RANK_TABLE_FILE", "HOST_IP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MIES_CONTAINER_IP", OWN)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "rank_table.json"

    def read(table, version="3.0.0", variable="", mode=0o640):
        path.write_text(table if isinstance(table, str) else json.dumps(table))
        path.chmod(mode)
        monkeypatch.setenv(variable or VARIABLE[version], str(path))
        console = Console(version, tmp_path)
        try:
            found = read_rank_table(version, console)
        except Refused:
            return None, False, capsys.readouterr().out
        return found, check_values(found, console), capsys.readouterr().out

    return read


@pytest.mark.parametrize("version", ["1.0.0", "3.0.0"])
def test_a_good_table(read, version):
    table, passes, said = read(good(), version)
    assert passes
    assert table.local is table.master
    assert table.ranks == [0, 1, 2, 3]
    assert "Finished parsing ranktable file." in said


def test_the_master_is_who_has_rank_0_and_not_who_stands_first(read):
    table = good()
    table["server_list"].reverse()
    found, passes, _ = read(table)
    assert passes
    assert found.master.container_ip == OWN


def test_each_version_reads_its_own_variable(read):
    refused, _, said = read(good(), "3.0.0", "RANKTABLEFILE")
    assert refused is None
    assert "please set a valid ranktable file path with RANK_TABLE_FILE environment." in said
    assert said.splitlines()[-1] == "ConfigManager init exception: init rank table config error."


def test_a_table_that_others_may_read(read):
    refused, _, said = read(good(), mode=0o644)
    assert refused is None
    assert "Check path: rank_table.json failed, by: Check Other group permission failed" in said
    assert "Required permisssion is 640, but got permission is 644" in said


def test_nobody_here(read, monkeypatch):
    monkeypatch.setenv("MIES_CONTAINER_IP", "127.0.9.9")
    table, _, said = read(good())
    # The line of success appears all the same; the empty set of cards is noticed later.
    assert "Update worldSize and npuDeviceIds of backend config successfully" in said
    assert table.local is None


def test_host_ip_matches_too(read, monkeypatch):
    monkeypatch.setenv("MIES_CONTAINER_IP", "127.0.9.9")
    monkeypatch.setenv("HOST_IP", "127.0.2.2")
    table, _, _ = read(good())
    assert table.local.container_ip == "127.0.2.2"


def spoil(path, value):
    """The good table with one value replaced, by its path."""
    table = good()
    *way, last = path
    place = table
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return table


@pytest.mark.parametrize("place", [("server_list", 1), DEVICE_OF_THE_SECOND])
def test_a_null_in_a_list_is_an_exception_that_ends_the_start(read, place):
    table = good()
    *way, last = place
    holder = table
    for step in way:
        holder = holder[step]
    holder[last] = None
    found, _, said = read(table)
    assert found is None
    assert said.splitlines()[-1].startswith("ConfigManager init exception: Config parameter ")


@pytest.mark.parametrize("text", ["1e400", "1" * 400, r'"\ud800"'])
def test_numbers_and_characters_that_the_server_s_json_does_not_take(read, text):
    found, _, said = read(json.dumps(good()).replace('"completed"', text))
    assert found is None
    assert FORM in said


DEVICE = DEVICE_OF_THE_SECOND
FORM = "Ranktable file is invalid. Please check json format! "
SPOILT = [
    (("server_count",), 2, FORM),
    (("status",), float("nan"), FORM),
    ((*DEVICE, "rank_id"), 2, "init exception: Config parameter 'rank_id' is not a string"),
    ((*DEVICE, "device_id"), None, "init exception: Config parameter 'device_id' not found"),
    ((*DEVICE, "device_ip"), "1" * 257, "'device_ip' exceeds the maximum limit: 256"),
    (("server_list", 0, "server_id"), None, "init exception: Config parameter 'server_id' not found"),
    (("server_list", 1), [], "init exception: Config parameter 'server_id' not found"),
    (DEVICE, "x", "init exception: Config parameter 'device_id' not found"),
    (("server_count",), "two", "Invalid server_count in ranktable file"),
    (("server_list",), None, "Parameter server_list is invalid in ranktable file"),
    (("server_count",), "3", "which is not equal to server_list length in ranktable file, which is 2"),
    ((*DEVICE, "device_id"), "a", "Parameter device_id is invalid in ranktable file."),
    ((*DEVICE, "device_id"), "64", "Parameter device_id is 64, which is out of allow range [0, 63]."),
    ((*DEVICE, "rank_id"), "x", "Parameter rankId is invalid in ranktable file."),
    ((*DEVICE, "rank_id"), "512", "Parameter rankId in ranktable is 512, which is out of allow range"),
    ((*DEVICE, "device_ip"), "", "Parameter device_ip is invalid in ranktable file."),
    ((*DEVICE, "device_ip"), "0.0.0.0", "Parameter device_ip is invalid in ranktable file."),
    (("server_list", 1, "container_ip"), "", "The containerIp in the server node is empty in ranktable"),
    (("server_list", 0, "device"), [], "The number of devices on single node must be in [1, 32], but got 0"),
    (("server_list", 1, "device"), [], "The number of devices in every server node is 0 which not equal"),
]


@pytest.mark.parametrize(("path", "value", "words"), SPOILT, ids=lambda value: str(value)[:50])
def test_what_is_wrong_is_said(read, path, value, words):
    _, passes, said = read(spoil(path, value))
    assert not passes
    assert words in said


def test_a_card_of_this_node_that_is_no_number_takes_the_line_of_success_away(read):
    _, passes, said = read(spoil(("server_list", 0, "device", 0, "device_id"), "a"))
    assert not passes
    assert "Invalid device_id a in ranktable file" in said
    assert "Update worldSize" not in said


def test_another_count_than_servers_is_noticed_with_the_values(read):
    table, passes, said = read({**good(), "server_count": "3"})
    assert table is not None
    assert not passes
    assert "Update worldSize and npuDeviceIds of backend config successfully" in said


def test_one_node_is_not_several(read):
    table = good()
    del table["server_list"][1]
    _, passes, said = read({**table, "server_count": "1"})
    assert not passes
    assert "Parameter server_count must be in range [2, 60], but got 1" in said


def test_uneven_nodes(read):
    table = good()
    del table["server_list"][1]["device"][1]
    _, passes, said = read(table)
    assert not passes
    assert "The number of devices in every server node is 1 which not equal in ranktable file" in said


def test_broken_json(read):
    refused, _, said = read("{")
    assert refused is None
    assert FORM in said
