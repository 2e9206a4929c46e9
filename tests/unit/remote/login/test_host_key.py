"""Host keys are judged as OpenSSH judges them; `ssh` itself was asked about each of these lines."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest

from lingctl.errors import ConnectError
from lingctl.inventory.ssh.target import SshTarget
from lingctl.remote.ssh.login.algorithms import KnownKinds
from lingctl.remote.ssh.login.host_keys.host_key import check_host_key, known_kinds
from lingctl.remote.ssh.login.host_keys.known_hosts import read_known_hosts
from lingctl.remote.ssh.login.wire import string


def key(number: int, kind: str = "ssh-ed25519") -> bytes:
    return string(kind.encode()) + string(bytes([number]) * 32) * (2 if kind == "ssh-rsa" else 1)


def written(blob: bytes) -> str:
    kind = blob[4 : 4 + blob[3]].decode()
    return f"{kind} {base64.b64encode(blob).decode()}"


def hashed(name: str) -> str:
    salt = b"salt of twenty bytes"
    digest = hmac.digest(salt, name.encode(), hashlib.sha1)
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


RIGHT, OLD, RSA = written(key(1)), written(key(2)), written(key(3, "ssh-rsa"))


def judged(tmp_path: Path, lines: list[str], target: SshTarget) -> str:
    """The code of the refusal, or nothing when the right key is accepted."""
    file = tmp_path / "known_hosts"
    file.write_text("\n".join(lines) + "\n")
    try:
        check_host_key(read_known_hosts([str(file)]), target, key(1), "node1")
    except ConnectError as error:
        assert error.where == "node1" and error.remedy
        return error.code
    return ""


def known_of(tmp_path: Path, lines: list[str], target: SshTarget) -> KnownKinds:
    file = tmp_path / "known_hosts"
    file.write_text("\n".join(lines) + "\n")
    return known_kinds(read_known_hosts([str(file)]), target)


AT_22, AT_2222 = SshTarget("Host.Example"), SshTarget("10.0.0.7", port=2222)


@pytest.mark.parametrize(
    ("line", "target"),
    [
        (f"host.example {RIGHT}", AT_22),
        (f"HOST.EXAMPLE {RIGHT}", AT_22),
        (f"other,host.example,third {RIGHT} a comment", AT_22),
        (f"\t host.example\t{RIGHT}", AT_22),
        (f"* {RIGHT}", AT_22),
        (f"host.* {RIGHT}", AT_22),
        (f"host.exampl? {RIGHT}", AT_22),
        (f"*.example,!bad.example {RIGHT}", AT_22),
        (f"{hashed('host.example')} {RIGHT}", AT_22),
        (f"[10.0.0.7]:2222 {RIGHT}", AT_2222),
        (f"[10.0.0.*]:2222 {RIGHT}", AT_2222),
        (f"[10.0.0.?]:* {RIGHT}", AT_2222),
        (f"{hashed('[10.0.0.7]:2222')} {RIGHT}", AT_2222),
        (f"10.0.0.7 {RIGHT}", AT_2222),
        (f"alias {RIGHT}", SshTarget("10.0.0.7", port=2222, host_key_alias="alias")),
    ],
)
def test_a_line_of_the_host_lets_its_key_pass(tmp_path: Path, line: str, target: SshTarget):
    assert judged(tmp_path, [line], target) == ""


def test_any_line_of_a_name_may_match(tmp_path: Path):
    lines = [f"host.example {OLD}", f"host.example {RSA}", f"* {RIGHT}"]
    assert judged(tmp_path, lines, AT_22) == ""
    assert judged(tmp_path, lines[::-1], AT_22) == ""


@pytest.mark.parametrize(
    ("lines", "target", "code"),
    [
        ([], AT_22, "host-key-unknown"),
        ([f"# host.example {RIGHT}"], AT_22, "host-key-unknown"),
        ([f"host.example {RIGHT[:-8]}"], AT_22, "host-key-unknown"),
        ([f"*,!host.example {RIGHT}"], AT_22, "host-key-unknown"),
        ([f"host.example.org {RIGHT}"], AT_22, "host-key-unknown"),
        ([f"@cert-authority * {RIGHT}"], AT_22, "host-key-unknown"),
        ([f"@another-mark * {RIGHT}"], AT_22, "host-key-unknown"),
        ([f"host.example {OLD}"], AT_22, "host-key-changed"),
        ([f"[10.0.0.7]:2222 {OLD}", f"10.0.0.7 {RIGHT}"], AT_2222, "host-key-changed"),
        ([f"[10.0.0.7]:22 {RIGHT}"], AT_2222, "host-key-unknown"),
        ([f"host.example {RIGHT}", f"@revoked * {RIGHT}"], AT_22, "host-key-revoked"),
        ([f"[10.0.0.7]:2222 {RIGHT}", f"@revoked 10.0.0.7 {RIGHT}"], AT_2222, "host-key-revoked"),
        ([f"host.example {RIGHT}"], SshTarget("host.example", host_key_alias="alias"), "host-key-unknown"),
    ],
)
def test_other_lines_do_not(tmp_path: Path, lines: list[str], target: SshTarget, code: str):
    assert judged(tmp_path, lines, target) == code


def test_what_could_be_another_machine_is_never_said_of_a_name_that_is_merely_unknown(tmp_path: Path):
    """A line without port, or of another type of key, accuses nobody."""
    assert judged(tmp_path, [f"10.0.0.7 {OLD}"], AT_2222) == "host-key-unknown"
    assert judged(tmp_path, [f"host.example {RSA}"], AT_22) == "host-key-unknown"


def test_a_revoked_key_of_another_host_is_no_trouble(tmp_path: Path):
    assert judged(tmp_path, [f"host.example {RIGHT}", f"@revoked other {RIGHT}"], AT_22) == ""


def test_the_file_that_is_read_again_after_a_change(tmp_path: Path):
    assert judged(tmp_path, [], AT_22) == "host-key-unknown"
    assert judged(tmp_path, [f"host.example {RIGHT}"], AT_22) == ""


def test_keys_that_are_known_are_asked_for_first_and_certificates_where_an_authority_is(tmp_path: Path):
    rsa = frozenset({"rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"})
    assert known_of(tmp_path, [f"host.example {RSA}"], AT_22) == KnownKinds(rsa)
    known = known_of(tmp_path, [f"@cert-authority *.example {RIGHT}", f"host.example {RSA}"], AT_22)
    certificates = {"ssh-ed25519-cert-v01@openssh.com", "rsa-sha2-512-cert-v01@openssh.com"}
    assert known.first >= rsa | certificates and known.authority


def test_a_name_without_its_port_brings_nothing_forward(tmp_path: Path):
    lines = [f"10.0.0.7 {RSA}", f"@cert-authority 10.0.0.7 {RIGHT}"]
    assert known_of(tmp_path, lines, AT_2222) == KnownKinds(authority=True)


def test_several_files_are_one(tmp_path: Path):
    (tmp_path / "one").write_text(f"host.example {OLD}\n")
    (tmp_path / "two").write_text(f"host.example {RIGHT}\n")
    known = read_known_hosts([str(tmp_path / name) for name in ("one", "missing", "two")])
    check_host_key(known, AT_22, key(1), "node1")


def test_an_unknown_key_is_told_where_no_file_is_read_at_all():
    with pytest.raises(ConnectError) as caught:
        check_host_key(read_known_hosts([]), SshTarget("host", known_hosts=()), key(1), "node1")
    assert caught.value.code == "host-key-unknown" and "known_hosts" in caught.value.remedy
