"""Files of a login that are no ordinary files: told at once, never waited for, never read without an end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lingctl.errors import ConnectError
from lingctl.inventory.ssh.target import SshTarget
from lingctl.remote.ssh.login.host_keys.host_key import check_host_key
from lingctl.remote.ssh.login.host_keys.known_hosts import KnownHosts, read_known_hosts
from lingctl.remote.ssh.login.keys.key_files import KeyFileError, load_private, public_part


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
