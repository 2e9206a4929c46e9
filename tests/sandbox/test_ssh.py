"""The nodes' SSH servers: what OpenSSH's own client, SFTP and forwarding see."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import paramiko
import pytest

from tests.sandbox.live import Live, Result

pytestmark = pytest.mark.sandbox


def openssh(live: Live, node: str, *words: str, program: str = "ssh", keys: Sequence[Path] = ()) -> Result:
    if shutil.which(program) is None:
        pytest.skip(f"no {program} here")
    options = [
        "-F/dev/null",
        *(f"-i{key}" for key in (*keys, live.directory / "key")),
        f"-oUserKnownHostsFile={live.directory / 'known_hosts'}",
        "-oStrictHostKeyChecking=yes",
        "-oIdentitiesOnly=yes",
        "-oBatchMode=yes",
        "-oLogLevel=ERROR",
        "-oPort=2222",
    ]
    target = [f"root@{live.address(node)}"] if program == "ssh" else []
    done = subprocess.run([program, *options, *target, *words], capture_output=True, text=True, timeout=300)
    return Result(done.returncode, done.stdout, done.stderr)


def test_openssh_logs_in_and_gets_status_and_both_streams(plus_cluster: Live) -> None:
    done = openssh(plus_cluster, "node2", "hostname; echo trouble >&2; exit 41")
    assert (done.status, done.stdout, done.stderr) == (41, "node2\n", "trouble\n")


def test_standard_input_reaches_the_command(plus_cluster: Live) -> None:
    assert plus_cluster.on("node1", "wc -c", stdin="x" * 100_000).stdout.strip() == "100000"


def test_much_output_on_both_streams_arrives_whole(plus_cluster: Live) -> None:
    done = plus_cluster.on("node1", "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2")
    assert (len(done.stdout), len(done.stderr)) == (300_000, 300_000)


def test_a_command_killed_by_a_signal_has_no_exit_status(plus_cluster: Live) -> None:
    # As sshd: an exit-signal, which paramiko reports as -1 and OpenSSH as 255.
    assert plus_cluster.on("node1", "kill -9 $$").status == -1
    assert openssh(plus_cluster, "node1", "kill -9 $$").status == 255


def test_a_command_outlives_its_connection(plus_cluster: Live) -> None:
    with plus_cluster.login("node1") as client:
        client.exec_command(
            "touch /tmp/begun; until [ -e /tmp/go ]; do sleep 0.1; done; echo done >/tmp/late"
        )
        plus_cluster.until("node1", "test -e /tmp/begun")
    assert plus_cluster.on("node1", "test -e /tmp/late").status == 1
    plus_cluster.until("node1", "touch /tmp/go; test -s /tmp/late")
    assert plus_cluster.on("node1", "cat /tmp/late; rm /tmp/begun /tmp/go /tmp/late").stdout == "done\n"


def test_a_terminal_is_one(plus_cluster: Live) -> None:
    done = openssh(plus_cluster, "node1", "-tt", "tty; stty size; exit 5")
    assert done.status == 5
    assert "/dev/pts/" in done.stdout


def test_another_user_and_another_key_are_refused(plus_cluster: Live, tmp_path: Path) -> None:
    address = plus_cluster.address("node1")
    stranger = paramiko.RSAKey.generate(2048)
    for user, key in (
        ("root", stranger),
        ("admin", paramiko.Ed25519Key(filename=str(plus_cluster.directory / "key"))),
    ):
        transport = paramiko.Transport((address, 2222))
        try:
            transport.start_client(timeout=60)
            with pytest.raises(paramiko.AuthenticationException):
                transport.auth_publickey(user, key)
        finally:
            transport.close()


def test_six_keys_in_vain_end_the_connection_as_sshd_does(plus_cluster: Live, tmp_path: Path) -> None:
    keys = [tmp_path / f"key{number}" for number in range(6)]
    for key in keys:
        subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", str(key)], check=True)
    # Before its own key: the right one is the seventh.
    done = openssh(plus_cluster, "node1", "true", keys=keys)
    assert done.status == 255
    assert ":2: Too many authentication failures" in done.stderr
    done = openssh(plus_cluster, "node1", "true", keys=keys[:5])
    assert done.status == 0, done.said


def test_of_many_logins_begun_at_once_some_are_dropped_as_sshd_does(plus_cluster: Live) -> None:
    with ExitStack() as opened:
        begun = [
            opened.enter_context(socket.create_connection((plus_cluster.address("node1"), 2222), timeout=60))
            for _ in range(60)
        ]
        first = [connection.recv(7) for connection in begun]
    assert set(first) == {b"", b"SSH-2.0"}
    # Those that have left no longer count, as soon as the server has noticed.
    deadline = time.monotonic() + 60
    while openssh(plus_cluster, "node1", "true").status:
        assert time.monotonic() < deadline


def test_files_of_both_transfers_are_the_nodes_own(plus_cluster: Live, tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    with plus_cluster.login("node1") as client, client.open_sftp() as files:
        with files.open("/root/sent", "wb") as file:
            file.set_pipelined(True)
            file.write(data)
        files.chmod("/root/sent", 0o600)
        files.posix_rename("/root/sent", "/root/there")
        assert files.stat("/root/there").st_size == len(data)
        assert files.stat("/root/there").st_mode & 0o777 == 0o600
        with files.open("/root/there", "rb") as file:
            assert file.read() == data
        assert "there" in files.listdir("/root")
        with pytest.raises(FileNotFoundError):
            files.stat("/root/nowhere")
    fetched = tmp_path / "fetched"
    done = openssh(
        plus_cluster,
        "node1",
        f"root@{plus_cluster.address('node1')}:/root/there",
        str(fetched),
        program="scp",
    )
    assert done.status == 0, done.said
    assert fetched.read_bytes() == data
    assert plus_cluster.on("node2", "ls /root/there").status != 0
    plus_cluster.on("node1", "rm /root/there")


def test_a_full_disk_reaches_the_client_of_sftp(plus_cluster: Live) -> None:
    with (
        plus_cluster.broken("node1", "disk-full"),
        plus_cluster.login("node1") as client,
        client.open_sftp() as files,
        pytest.raises(OSError),
        files.open("/root/models/big", "wb") as file,
    ):
        file.write(b"x" * 100_000)
    plus_cluster.on("node1", "rm -f /root/models/big")
    assert plus_cluster.on("node1", "echo x >/root/models/y && rm /root/models/y").status == 0


def test_forwarded_connections(plus_cluster: Live) -> None:
    address = plus_cluster.address("node1")
    server = socket.create_server((address, 0))
    port = server.getsockname()[1]

    def answer() -> None:
        peer, _ = server.accept()
        with peer:
            peer.sendall(peer.recv(100)[::-1])

    threading.Thread(target=answer, daemon=True).start()
    with server, plus_cluster.login("node1") as client:
        channel = client.get_transport().open_channel("direct-tcpip", (address, port), ("127.0.0.1", 0))
        channel.sendall(b"drawer")
        channel.settimeout(60)
        assert channel.recv(100) == b"reward"
        with pytest.raises(paramiko.ChannelException):
            client.get_transport().open_channel("direct-tcpip", (address, 9), ("127.0.0.1", 0))


def test_sessions_beyond_ten_are_refused_as_sshd_does(plus_cluster: Live) -> None:
    with plus_cluster.login("node1") as client:
        transport = client.get_transport()
        held = [transport.open_session() for _ in range(10)]
        with pytest.raises(paramiko.ChannelException):
            transport.open_session()
        held[0].close()


def test_unreachable_cuts_open_connections_and_refuses_new_ones(plus_cluster: Live) -> None:
    with plus_cluster.login("node2") as client:
        with plus_cluster.broken("node2", "unreachable"):
            with pytest.raises(OSError):
                socket.create_connection((plus_cluster.address("node2"), 2222), timeout=5)
            deadline = time.monotonic() + 60
            while client.get_transport().is_active() and time.monotonic() < deadline:
                time.sleep(0.05)
            assert not client.get_transport().is_active()
            assert plus_cluster.on("node1", "true").status == 0
        assert plus_cluster.on("node2", "true").status == 0


def test_silent_takes_connections_and_says_nothing(plus_cluster: Live) -> None:
    with (
        plus_cluster.broken("node2", "silent"),
        socket.create_connection((plus_cluster.address("node2"), 2222), timeout=5) as connection,
    ):
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert plus_cluster.on("node2", "true").status == 0


def test_a_wrong_host_key_is_noticed(plus_cluster: Live) -> None:
    with plus_cluster.broken("node1", "wrong-host-key"), pytest.raises(paramiko.BadHostKeyException):
        plus_cluster.on("node1", "true")
    assert plus_cluster.on("node1", "true").status == 0


def test_login_noise_comes_before_the_answer(plus_cluster: Live) -> None:
    with plus_cluster.broken("node1", "login-noise"):
        first, second = plus_cluster.on("node1", "echo answer").stdout.splitlines()
    assert "monitored" in first and second == "answer"
