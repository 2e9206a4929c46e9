"""Servers with limits, new keys, and jump hosts: more than one command, tunnels, many nodes."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partialmethod
from pathlib import Path

import paramiko
import pytest

from lingctl.errors import ConnectError, NodeError
from lingctl.remote.command import script
from lingctl.remote.ssh.login import login
from lingctl.remote.ssh.node import SshConnection
from lingctl.remote.upload import WriteFile
from tests.cluster.login.cases import bastioned
from tests.cluster.login.test_login import pytestmark as pytestmark
from tests.cluster.login.world import World


def logins(world: World, server: str = "node") -> int:
    return world.servers[server].log.read_text().count("Accepted publickey")


def limited(world: World, *settings: str) -> None:
    world.server("node", *settings)
    world.hosts()


def test_one_session_at_a_time_means_one_connection_for_each_command(world: World):
    limited(world, "MaxSessions 1", "LogLevel VERBOSE")
    with world.connected() as node, ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda number: node.run(script("sleep 0.3; echo $1", number)).stdout, range(12)))
        assert done == [f"{number}\n" for number in range(12)]
        assert node.run(script("echo after")).stdout == "after\n"
    assert 2 <= logins(world) <= 4


def test_a_command_runs_beside_a_long_one_where_only_one_session_is_allowed(world: World):
    limited(world, "MaxSessions 1")
    with world.connected() as node, ThreadPoolExecutor(1) as pool:
        long = pool.submit(node.run, script("echo begun; sleep 3; echo long"))
        assert node.run(script("echo short")).stdout == "short\n"
        assert not long.done()
        assert long.result().stdout == "begun\nlong\n"


def test_a_connection_that_the_server_ended_meanwhile_is_made_anew(world: World):
    limited(world, "UnusedConnectionTimeout 1s")
    with world.connected() as node:
        assert node.run(script("echo one")).stdout == "one\n"
        deadline = time.monotonic() + 30
        while node._sessions._lines[0].transport.is_active():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert node.run(script("echo two")).stdout == "two\n"
        node.close()
        with pytest.raises(ConnectError):
            node.run(script("echo closed"))


def test_a_silent_command_outlives_a_server_that_asks_often(world: World):
    limited(world, "ClientAliveInterval 1", "ClientAliveCountMax 1")
    with world.connected() as node:
        assert node.run(script("sleep 4; echo done")).stdout == "done\n"


def test_many_logins_at_once_get_through_a_server_that_takes_few(world: World):
    limited(world, "MaxStartups 2:50:3")
    target = world.target()

    def log_in(number: int) -> str:
        connection = SshConnection(f"n{number}", target)
        try:
            return connection.run(script("echo in")).stdout
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(log_in, range(16))) == ["in\n"] * 16


def test_a_tunnel_that_is_forbidden_is_told_and_one_without_a_service_is_not(world: World):
    limited(world, "AllowTcpForwarding no")
    with world.connected() as node, pytest.raises(ConnectError) as caught, node.forward("127.0.0.1", 1025):
        pass
    assert caught.value.code == "forward-forbidden"
    assert "AllowTcpForwarding" in caught.value.remedy


def test_files_only_is_told_as_such(world: World):
    limited(world, "ForceCommand internal-sftp", "Subsystem sftp internal-sftp")
    with world.connected() as node, pytest.raises(NodeError) as caught:
        node.run(script("echo in"))
    assert "transfer files only" in caught.value.what


# -- through a jump host


def through_bastion(world: World, count: int) -> list[SshConnection]:
    with ThreadPoolExecutor(8) as pool:
        target = world.target()
        return list(pool.map(lambda number: SshConnection(f"n{number}", target), range(count)))


def test_all_nodes_share_one_connection_to_the_jump_host_which_ends_with_the_last(world: World):
    bastioned(world, "MaxStartups 1:100:1", "LogLevel VERBOSE")
    nodes = through_bastion(world, 12)
    (held,) = login._jump_hosts._held.values()
    assert held.users == 12 and held.transport is not None
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda node: node.run(script("echo in")).stdout, nodes))
    assert answers == ["in\n"] * 12
    for node in nodes:
        node.close()
    assert logins(world, "bastion") == 1
    assert not login._jump_hosts._held and not held.transport.is_active()


def test_files_and_tunnels_go_through_a_jump_host(world: World):
    bastioned(world)
    content = bytes(range(256)) * 8192
    with world.connected() as node:
        node.put(WriteFile(str(world.folder / "a" / "file"), content, 0o600))
        assert node.get(str(world.folder / "a" / "file")) == content
        with socket.create_server(("127.0.0.1", 0)) as service:
            threading.Thread(target=lambda: service.accept()[0].sendall(b"hello"), daemon=True).start()
            with (
                node.forward(*service.getsockname()) as address,
                socket.create_connection(address) as client,
            ):
                client.settimeout(10)
                assert client.recv(5) == b"hello"


def test_a_jump_host_that_refuses_is_asked_once_for_all_nodes(world: World):
    bastioned(world, "LogLevel VERBOSE")
    (world.folder / "bastion.authorized").write_text("")
    target = world.target()

    def code(number: int) -> str:
        with pytest.raises(ConnectError) as caught:
            SshConnection(f"n{number}", target)
        assert "jump host 127.0.0.1" in caught.value.what and caught.value.where == f"n{number}"
        return caught.value.code

    begun = threading.Barrier(4)

    def together(number: int) -> str:
        begun.wait()
        return code(number)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(together, range(4))) == {"login-refused"}
    assert not login._jump_hosts._held


def test_a_proxy_commands_process_ends_with_the_connection(world: World):
    world.server()
    world.hosts(f"ProxyCommand python3 {world.folder}/pipe %h %p")
    (world.folder / "pipe").write_text(
        "import os, select, socket, sys\n"
        "open(sys.argv[0] + '.process', 'w').write(str(os.getpid()))\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "while True:\n"
        "    for r in select.select([0, s], [], [])[0]:\n"
        "        data = os.read(r if r == 0 else s.fileno(), 65536)\n"
        "        if not data: sys.exit()\n"
        "        s.sendall(data) if r == 0 else os.write(1, data)\n"
    )
    with world.connected() as node:
        assert node.run(script("echo in")).stdout == "in\n"
        number = int((world.folder / "pipe.process").read_text())
        assert _runs(number)
    assert not _runs(number)


def _runs(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


# -- the cipher that is added to paramiko


@pytest.mark.parametrize("strict", [True, False], ids=["numbers begin anew", "numbers go on"])
def test_chacha_goes_on_after_new_keys(world: World, monkeypatch: pytest.MonkeyPatch, strict: bool):
    """By strict key exchange the packets are counted anew with each key, without it never."""
    made = partialmethod(paramiko.Transport.__init__, strict_kex=strict)
    monkeypatch.setattr(paramiko.Transport, "__init__", made)
    limited(world, "Ciphers chacha20-poly1305@openssh.com", "RekeyLimit 512K", "LogLevel DEBUG1")
    content = bytes(range(256)) * 8192
    with world.connected() as node:
        assert node._sessions.transport().agreed_on_strict_kex is strict
        node.put(WriteFile(str(world.folder / "file"), content, 0o600))
        assert node.get(str(world.folder / "file")) == content
        assert node.run(script("echo in")).stdout == "in\n"
    assert world.servers["node"].log.read_text().count("set_newkeys: rekeying") >= 6
