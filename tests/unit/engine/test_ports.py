"""The kernel's tables say whether a port can be had."""

from __future__ import annotations

import socket

from lingctl.sandbox.engine.http.ports import Connection, connections, in_the_way

OWN = {"127.77.1.2"}
LISTEN, ESTABLISHED, TIME_WAIT = 10, 1, 6


def way(*found, port=1025, scale=1.0):
    return in_the_way(port, OWN, found, scale)


def test_nothing_is_in_the_way_of_a_free_port():
    assert not way()
    assert not way(Connection("127.77.1.2", 1026, LISTEN, 0))


def test_listeners_and_connections_of_the_node_are():
    for address in ("127.77.1.2", "127.0.0.1", "0.0.0.0"):
        for state in (LISTEN, ESTABLISHED):
            assert way(Connection(address, 1025, state, 0))


def test_those_of_another_emulated_node_are_not():
    assert not way(Connection("127.77.2.2", 1025, LISTEN, 0))


def test_a_minute_of_time_wait_counts_and_scales():
    young, old = (Connection("127.77.1.2", 1025, TIME_WAIT, left) for left in (59.5, 20.0))
    assert way(young)
    assert way(old)
    assert way(young, scale=0.1)
    assert not way(old, scale=0.1)


def test_the_tables_are_read_as_the_kernel_writes_them(tmp_path):
    (tmp_path / "tcp").write_text(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   1: 02014D7F:9523 0100007F:D67A 06 00000000:00000000 03:0000175B 00000000     0        0 0 3 0\n"
    )
    (tmp_path / "tcp6").write_text(
        "  sl  local_address\n"
        "   0: 0000000000000000FFFF000002014D7F:0460 00000000000000000000000000000000:0000 0A"
        " 00000000:00000000 00:00000000 00000000     0        0 7 1 0\n"
        "   1: 00000000000000000000000000000000:0461 00000000000000000000000000000000:0000 0A"
        " 00000000:00000000 00:00000000 00000000     0        0 7 1 0\n"
    )
    first, second, third = connections((tmp_path / "tcp", tmp_path / "tcp6", tmp_path / "none"))
    assert first == Connection("127.77.1.2", 0x9523, TIME_WAIT, 59.79)
    assert second == Connection("127.77.1.2", 1120, LISTEN, 0.0)
    assert third.address == "0.0.0.0"


def test_this_machines_own_tables_show_a_listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert in_the_way(port, OWN, connections(), 1.0)
