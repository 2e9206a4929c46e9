"""SshConnection against a real OpenSSH server."""

from __future__ import annotations

import contextlib
import os
import pwd
import resource
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from lingctl.errors import ConnectError, NodeError
from lingctl.program.job import run_job
from lingctl.remote import lock
from lingctl.remote.command import command, script
from lingctl.remote.ssh import exchange, forward
from lingctl.remote.ssh.login.keys import agent as ssh_agent
from lingctl.remote.ssh.node import SshConnection
from lingctl.remote.upload import WriteFile
from tests.cluster.conftest import Server, free_port, keyless, serving


@pytest.fixture
def node(sshd: Server):
    connection = SshConnection("node1", sshd.target)
    yield connection
    connection.close()


def test_keeps_streams_and_exit_status_apart(node: SshConnection):
    done = node.run(script("echo out; echo err >&2; exit 7"))
    assert (done.stdout, done.stderr, done.exit_status) == ("out\n", "err\n", 7)


def test_quotes_hostile_words(node: SshConnection):
    hostile = "a b; touch /tmp/pwned $(id) `id` 'x' \"y\" \n*"
    assert node.run(command("printf", "%s", hostile)).stdout == hostile


def test_both_streams_may_be_large(node: SshConnection):
    done = node.run(
        script("head -c 5000000 /dev/zero | tr '\\0' e >&2; head -c 5000000 /dev/zero | tr '\\0' o")
    )
    assert (len(done.stdout), len(done.stderr)) == (5_000_000, 5_000_000)


def test_listener_hears_output_as_it_comes(node: SshConnection):
    heard: list[tuple[float, bytes]] = []
    node.run(
        script("echo one; sleep 0.5; echo two"), on_output=lambda part: heard.append((time.monotonic(), part))
    )
    assert b"".join(part for _, part in heard) == b"one\ntwo\n"
    assert heard[-1][0] - heard[0][0] > 0.3


def test_time_limit_is_an_error_with_the_nodes_name(node: SshConnection):
    started = time.monotonic()
    with pytest.raises(NodeError) as caught:
        node.run(command("sleep", 30, title="long sleep"), timeout=1)
    assert (caught.value.code, caught.value.where) == ("command-timeout", "node1")
    assert time.monotonic() - started < 5
    assert node.run(command("echo", "still there")).ok


def test_a_background_process_does_not_hold_the_command(node: SshConnection):
    started = time.monotonic()
    assert node.run(script("setsid sleep 20 >/dev/null 2>&1 </dev/null & echo started")).stdout == "started\n"
    assert time.monotonic() - started < 5


def test_many_commands_at_once_on_one_connection(node: SshConnection):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: node.run(command("echo", n)).stdout.strip(), range(200)))
    assert answers == [str(n) for n in range(200)]


def test_a_command_is_not_late_for_the_time_it_waited_for_its_turn(node: SshConnection, tmp_path: Path):
    with ThreadPoolExecutor(5) as pool:
        begun = script('touch "$1/$$"; sleep 4', str(tmp_path))
        long = [pool.submit(node.run, begun, timeout=60) for _ in range(4)]
        deadline = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert node.run(script("echo done"), timeout=2).stdout == "done\n"
        assert all(one.result().ok for one in long)


def test_lost_connection_is_not_a_normal_end(sshd: Server):
    connection = SshConnection("node1", sshd.target)
    pid = connection.run(script("cat /proc/$PPID/stat | cut -d' ' -f4; echo $PPID")).stdout.split()[-1]
    threading.Timer(0.5, lambda: os.kill(int(pid), signal.SIGKILL)).start()
    with pytest.raises(ConnectError) as caught:
        connection.run(command("sleep", 20))
    assert caught.value.code == "connection-lost"


def test_frozen_node_does_not_hang_the_caller(sshd: Server):
    connection = SshConnection("node1", sshd.target)
    pid = int(connection.run(script("echo $PPID")).stdout)
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises((NodeError, ConnectError)):
            connection.run(command("true"), timeout=1)
        assert time.monotonic() - started < 20
    finally:
        os.kill(pid, signal.SIGCONT)
        connection.close()


def test_a_node_that_goes_silent_in_a_long_command_is_noticed(sshd: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exchange, "_PULSE_SECONDS", 0.3)
    monkeypatch.setattr(exchange, "_SILENCE_SECONDS", 1.5)
    connection = SshConnection("node1", sshd.target)
    pid = int(connection.run(script("echo $PPID")).stdout)
    threading.Timer(0.5, lambda: os.kill(pid, signal.SIGSTOP)).start()
    try:
        started = time.monotonic()
        with pytest.raises(ConnectError) as caught:
            connection.run(command("sleep", 30), timeout=60)
        assert time.monotonic() - started < 6
    finally:
        os.kill(pid, signal.SIGCONT)
        connection.close()
    assert caught.value.code == "connection-lost"
    assert "said nothing" in caught.value.evidence


def test_a_silent_command_on_a_node_that_lives_is_left_alone(sshd: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exchange, "_PULSE_SECONDS", 0.2)
    monkeypatch.setattr(exchange, "_SILENCE_SECONDS", 1.0)
    connection = SshConnection("node1", sshd.target)
    assert connection.run(script("sleep 3; echo done"), timeout=60).stdout == "done\n"
    connection.close()


def test_put_is_whole_with_its_mode(node: SshConnection, tmp_path: Path):
    target = tmp_path / "a" / "b" / "config.json"
    node.put(WriteFile(str(target), b"{}", 0o640))
    node.put(WriteFile(str(target), b'{"a": 1}', 0o600))
    assert target.read_bytes() == b'{"a": 1}'
    assert target.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in target.parent.iterdir()] == ["config.json"]
    assert node.get(str(target)) == b'{"a": 1}'


def test_put_says_why_it_cannot(node: SshConnection):
    with pytest.raises(NodeError) as caught:
        node.put(WriteFile("/proc/nothing/here", b"x", 0o600))
    assert caught.value.code == "write-failed"


@contextmanager
def connected(sshd: Server, tmp_path: Path, *config: str) -> Iterator[SshConnection]:
    """A connection to another server, with these lines in its configuration."""
    port = free_port()
    known = tmp_path / "known_hosts"
    known.write_text((sshd.directory / "known_hosts").read_text().replace(f":{sshd.port} ", f":{port} "))
    with serving(sshd.directory, port, "\n".join(config)) as server:
        settings = replace(server.target, known_hosts=(str(known),))
        connection = SshConnection("node1", settings)
        yield connection
        connection.close()


@pytest.mark.parametrize("subsystem", ["", "Subsystem sftp /nonexistent"])
def test_files_need_no_sftp(sshd: Server, tmp_path: Path, subsystem: str):
    with connected(sshd, tmp_path, subsystem) as connection:
        connection.put(WriteFile(str(tmp_path / "file"), b"text", 0o600))
        assert connection.get(str(tmp_path / "file")) == b"text"


NOISE = "echo 'taken by: Welcome'; echo; echo 'held 1 x'; echo Warning >&2; "


@pytest.fixture(params=["bashrc", "ForceCommand", "one stream"])
def noisy(request: pytest.FixtureRequest, sshd: Server, tmp_path: Path) -> list[str]:
    """Server configuration under which text comes before every command's own."""
    if request.param == "bashrc":
        # The account that runs the tests is the one that logs in, and its shell is not ours to change.
        if "bash" not in pwd.getpwuid(os.getuid()).pw_shell:
            pytest.skip("only bash reads ~/.bashrc under sshd, and the login shell here is another")
        (tmp_path / ".bashrc").write_text(f"{NOISE}\nset -x\n")
        return [f"SetEnv HOME={tmp_path}"]
    wrapper = tmp_path / "wrapper"
    merged = " 2>&1" if request.param == "one stream" else ""
    wrapper.write_text(f'#!/bin/sh\n{NOISE}\nexec sh -c "$SSH_ORIGINAL_COMMAND"{merged}\n')
    wrapper.chmod(0o755)
    return [f"ForceCommand {wrapper}"]


def test_what_the_login_shell_prints_is_no_part_of_an_answer(sshd: Server, tmp_path: Path, noisy: list[str]):
    state, heard = str(tmp_path / "ling"), bytearray()
    with connected(sshd, tmp_path, *noisy) as connection:
        options = ["-F", "none", "-i", sshd.directory / "id", "-p", str(connection._target.port)]
        options += ["-o", f"UserKnownHostsFile={tmp_path}/known_hosts"]
        bare = subprocess.run(
            ["ssh", *options, "127.0.0.1", "echo own"], capture_output=True, text=True, check=True
        )
        assert "Welcome" in bare.stdout  # the server does print before a command
        done = connection.run(script("echo own; exit 7"), on_output=heard.extend)
        assert (done.stdout, bytes(heard), done.exit_status) == ("own\n", b"own\n", 7)
        assert connection.run(script("head -c 3000000 /dev/zero | tr '\\0' o")).stdout == "o" * 3_000_000
        assert lock.show(connection, state) is None
        first = lock.me("lingctl deploy")
        assert lock.take(connection, state, first) is None
        held = lock.take(connection, state, lock.me("lingctl stop"))
        assert held is not None and held.token == first.token
        job = run_job(connection, str(tmp_path / "jobs"), script("echo job"), timeout=30)
        assert (job.stdout, job.exit_status) == ("job\n", 0)


def test_a_login_shells_warnings_do_not_stand_in_for_a_commands_last_words(sshd: Server, tmp_path: Path):
    (tmp_path / "wrapper").write_text(f'{NOISE}\nexec sh -c "$SSH_ORIGINAL_COMMAND"\n')
    with connected(sshd, tmp_path, f"ForceCommand sh {tmp_path}/wrapper") as connection:
        assert connection.run(script("echo cause; exit 1")).last_words() == "cause"


@pytest.mark.parametrize("status", [0, 1])
def test_a_server_that_runs_something_else_is_never_a_success(sshd: Server, tmp_path: Path, status: int):
    instead = f"ForceCommand echo 'This account is not available.'; exit {status}"
    with connected(sshd, tmp_path, instead) as connection, pytest.raises(NodeError) as caught:
        connection.run(command("true", title="look"))
    assert (caught.value.code, caught.value.where) == ("not-run", "node1")
    assert "This account is not available." in caught.value.evidence
    assert "ForceCommand" in caught.value.remedy


def test_what_the_login_shell_prints_is_no_part_of_a_file(sshd: Server, tmp_path: Path, noisy: list[str]):
    content, target = os.urandom(3_000_000), str(tmp_path / "new" / "file")
    with connected(sshd, tmp_path, *noisy) as connection:
        connection.put(WriteFile(target, content, 0o600))
        assert connection.get(target) == content
        with pytest.raises(NodeError) as caught:
            connection.put(WriteFile("/proc/nothing/here", content, 0o600))
        assert "cannot create directory" in caught.value.evidence


def test_a_file_is_not_sent_to_something_else_than_its_command(sshd: Server, tmp_path: Path):
    instead = "ForceCommand echo 'This account is not available.'; sleep 1; exit 0"
    with connected(sshd, tmp_path, instead) as connection:
        for _ in range(2):  # the connection outlives it
            with pytest.raises(NodeError) as caught:
                connection.put(WriteFile(str(tmp_path / "file"), b"x" * 5_000_000, 0o600))
            assert (caught.value.code, caught.value.where) == ("not-run", "node1")


def test_unknown_host_key_is_refused(sshd: Server, tmp_path: Path):
    settings = replace(sshd.target, known_hosts=(str(tmp_path / "none"),))
    with pytest.raises(ConnectError) as caught:
        SshConnection("node1", settings)
    assert caught.value.code == "host-key-unknown"
    assert "ssh-keyscan" in caught.value.remedy


def test_changed_host_key_is_refused(sshd: Server, tmp_path: Path):
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sshd.port} " + (sshd.directory / "other.pub").read_text())
    with pytest.raises(ConnectError) as caught:
        SshConnection("node1", replace(sshd.target, known_hosts=(str(known),)))
    assert caught.value.code == "host-key-changed"
    assert f"ssh-keygen -R '[127.0.0.1]:{sshd.port}' -f {known}" in caught.value.remedy


def test_a_file_of_host_keys_that_cannot_be_read_is_told_with_a_remedy(sshd: Server, tmp_path: Path):
    with pytest.raises(ConnectError) as caught:
        SshConnection("node1", replace(sshd.target, known_hosts=(str(tmp_path),)))
    assert (caught.value.code, "ssh.known_hosts" in caught.value.remedy) == ("known-hosts-unreadable", True)


def test_hashed_and_odd_known_hosts_lines(sshd: Server, tmp_path: Path):
    known = tmp_path / "known_hosts"
    known.write_text((sshd.directory / "known_hosts").read_text())
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=True, capture_output=True)
    hashed = known.read_text()
    assert hashed.startswith("|1|")
    plain = (sshd.directory / "known_hosts").read_text()
    for lines in (hashed, plain.replace(" ", "\t")):
        known.write_text(f"@cert-authority *.x ssh-ed25519 AAAA\nnonsense\n@revoked\n{lines}")
        settings = replace(sshd.target, known_hosts=(str(known),))
        SshConnection("node1", settings).close()


def test_a_revoked_host_key_is_refused(sshd: Server, tmp_path: Path):
    known, plain = tmp_path / "known_hosts", (sshd.directory / "known_hosts").read_text()
    known.write_text(f"{plain}@revoked {plain}")
    with pytest.raises(ConnectError) as caught:
        SshConnection("node1", replace(sshd.target, known_hosts=(str(known),)))
    assert caught.value.code == "host-key-revoked"


def test_wrong_key_is_told_with_its_fingerprint(sshd: Server):
    with pytest.raises(ConnectError) as caught:
        SshConnection("node1", replace(sshd.target, keys=(str(sshd.directory / "other"),)))
    assert caught.value.code == "login-refused"
    assert "SHA256" in caught.value.evidence


def test_locked_key_asks_for_the_agent_or_the_environment(sshd: Server, monkeypatch: pytest.MonkeyPatch):
    settings = replace(sshd.target, keys=(str(sshd.directory / "locked"),))
    with pytest.raises(ConnectError) as caught:
        SshConnection("node1", settings)
    assert caught.value.code == "login-key-encrypted"
    monkeypatch.setenv("LINGCTL_SSH_KEY_PASSPHRASE", "secret")
    SshConnection("node1", settings).close()


def test_an_agent_that_hangs_is_told(sshd: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ssh_agent, "_LIST_SECONDS", 0.5)
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))
        agent.listen()
        with pytest.raises(ConnectError) as caught:
            SshConnection("node1", replace(keyless(sshd), agent=str(tmp_path / "agent")))
    assert (caught.value.code, caught.value.where) == ("agent-silent", "node1")
    assert "ssh-add -l" in caught.value.remedy


def test_a_usual_key_that_cannot_be_used_is_told_when_there_is_no_other(
    sshd: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_bytes((sshd.directory / "locked").read_bytes())
    (tmp_path / ".ssh" / "id_ed25519").chmod(0o600)
    with pytest.raises(ConnectError) as caught:
        SshConnection("node1", keyless(sshd))
    assert caught.value.code == "no-login-key"
    assert "needs a passphrase" in caught.value.evidence


def test_nobody_listens(sshd: Server):
    with pytest.raises(ConnectError) as caught:
        SshConnection("node1", replace(sshd.target, port=1))
    assert caught.value.code == "unreachable"


def test_forward_reaches_a_port_of_the_node(node: SshConnection):
    class Hello(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with node.forward("127.0.0.1", server.server_port) as (host, port):
        assert urllib.request.urlopen(f"http://{host}:{port}/", timeout=5).read() == b"hello"
    server.shutdown()


@contextlib.contextmanager
def answering(*answers: bytes | None):
    """What says ``answers`` to its connections, in turn, and ends those for which it is None; yields its
    address and its connections."""
    taken: list[socket.socket] = []

    def serve() -> None:
        for answer in answers:
            connection = listener.accept()[0]
            if answer is None:
                connection.close()
            else:
                taken.append(connection)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname(), taken


def hears(address: tuple[str, int]) -> bytes:
    with socket.create_connection(address) as client:
        client.settimeout(20)
        return client.recv(9)


def test_the_first_client_of_a_tunnel_has_the_connection_that_was_opened_with_it(node: SshConnection):
    with answering(b"first", b"second") as (place, taken), node.forward(*place) as address:
        assert (hears(address), len(taken)) == (b"first", 1)
        assert hears(address) == b"second"


def test_a_connection_that_the_service_ended_before_a_client_came_is_not_used(node: SshConnection):
    with answering(None, b"again") as (place, _):
        tunnel = node.forward(*place)
        with tunnel as address:
            while not tunnel._first.result().eof_received:
                time.sleep(0.01)
            assert hears(address) == b"again"


def test_a_connection_that_no_client_takes_is_soon_given_back(
    node: SshConnection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(forward, "_FRESH_SECONDS", 0.0)
    with answering(b"first", b"second") as (place, taken), node.forward(*place) as address:
        tunnelled = hears(address)
        assert tunnelled == b"second"
        taken[0].settimeout(20)
        assert taken[0].recv(1) == b""


def test_a_tunnel_to_where_nobody_listens_is_there_and_closes_its_clients(node: SshConnection):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = listener.getsockname()
    with node.forward(*place) as address:
        assert hears(address) == b""


def test_forward_works_where_many_files_are_open(node: SshConnection):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        pytest.skip("only so few files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    with contextlib.ExitStack() as held:
        while held.enter_context(Path(os.devnull).open()).fileno() < 1100:
            pass
        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=lambda: server.accept()[0].sendall(b"hello"), daemon=True).start()
            with node.forward(*server.getsockname()) as address, socket.create_connection(address) as client:
                client.settimeout(5)
                assert client.recv(5) == b"hello"
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
