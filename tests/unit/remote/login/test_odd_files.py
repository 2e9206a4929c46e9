"""Files of a login that are no ordinary files: told at once, never waited for, never read without an end."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from lingctl.errors import ConnectError
from lingctl.inventory.ssh.target import SshTarget
from lingctl.remote.ssh.login.host_keys.host_key import check_host_key
from lingctl.remote.ssh.login.host_keys.known_hosts import KnownHosts, read_known_hosts
from lingctl.remote.ssh.login.keys import login_keys
from lingctl.remote.ssh.login.keys.agent import Agent, AgentError
from lingctl.remote.ssh.login.keys.key_files import KeyFileError, load_private, public_part
from lingctl.remote.ssh.login.keys.login_keys import find_login_keys


@pytest.fixture(params=["pipe", "zero"])
def odd(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "odd"
    if request.param == "pipe":
        os.mkfifo(path, 0o600)
    else:
        path.symlink_to("/dev/zero")
    return path


def test_known_hosts(odd: Path):
    with pytest.raises(ConnectError) as caught:
        read_known_hosts([str(odd)])
    assert caught.value.code == "known-hosts-unreadable" and "no ordinary file" in caught.value.what


def test_known_hosts_that_are_the_null_device_are_empty():
    assert read_known_hosts([os.devnull]) == KnownHosts(())


def test_a_list_of_revoked_keys(odd: Path):
    with pytest.raises(ConnectError) as caught:
        check_host_key(KnownHosts(()), SshTarget("host", revoked_keys=str(odd)), b"", "node1")
    assert caught.value.code == "revoked-keys-unreadable"


@pytest.mark.parametrize(
    "content", [b"one-word\n", b"SSHKRL\n\0\0\0\0\1", b"ssh-ed25519 not-base64\n", b"\xff"]
)
def test_a_list_of_revoked_keys_of_another_form_lets_nobody_pass(tmp_path: Path, content: bytes):
    (tmp_path / "revoked").write_bytes(content)
    with pytest.raises(ConnectError) as caught:
        check_host_key(
            KnownHosts(()), SshTarget("host", revoked_keys=str(tmp_path / "revoked")), b"", "node1"
        )
    assert caught.value.code == "revoked-keys-unreadable"


def test_a_key(odd: Path):
    assert public_part(odd) == b""
    with pytest.raises(KeyFileError):
        load_private(odd)


def test_a_usual_key_that_cannot_be_looked_at_keeps_no_other_from_being_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    loop, sound = tmp_path / "loop", tmp_path / "sound"
    loop.symlink_to(loop)
    subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", str(sound)], check=True)
    monkeypatch.setattr(login_keys, "USUAL_KEYS", (str(loop), str(sound), str(tmp_path / "none")))
    keys = find_login_keys(SshTarget("host"), "node1")
    assert [key.source for key in keys.found] == [str(sound)]
    assert [str(loop) in line for line in keys.unusable] == [True]
    with pytest.raises(ConnectError) as caught:
        find_login_keys(SshTarget("host", keys=(str(loop),), keys_named=True), "node1")
    assert (caught.value.code, caught.value.where) == ("login-key-unreadable", "node1")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "ends the connection"),
        (b"\0\0", "ends the connection"),
        (b"\0\0\0\5\16", "ends the connection"),
        (b"\0\0\0\0", "makes no sense"),
        (b"\xff" * 4, "makes no sense"),
        (b"\0\0\0\1\5", "refuses"),
        (b"\0\0\0\3\16\0\0", "cut short"),
    ],
)
def test_an_agent_that_gives_no_signature_is_told_as_what_it_does(tmp_path: Path, answer: bytes, said: str):
    def serve(server: socket.socket) -> None:
        client, _ = server.accept()
        with client:
            client.recv(1 << 16)
            client.sendall(answer)

    path = str(tmp_path / "agent")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        served = threading.Thread(target=serve, args=(server,))
        served.start()
        with pytest.raises(AgentError, match=said):
            Agent(path).sign(b"blob", b"data", "ssh-ed25519")
        served.join(20)
