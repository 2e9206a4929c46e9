"""The cipher that paramiko lacks; that it is OpenSSH's is seen against a real server."""

from __future__ import annotations

import paramiko
import pytest

from lingctl.remote.ssh.login.chacha import ChaChaPoly

KEY, LENGTH, BODY = bytes(range(64)), (24).to_bytes(4, "big"), b"twenty-four bytes of it."


def sent() -> tuple[bytes, bytes]:
    sender = ChaChaPoly(KEY)
    sealed = sender.encrypt(b"", BODY, LENGTH)
    return sender.sealed_length, sealed


def test_what_is_sent_is_read_and_hides_its_length():
    length, sealed = sent()
    reader = ChaChaPoly(KEY)
    assert length != LENGTH and BODY not in sealed
    assert reader.open_length(length) == LENGTH
    assert reader.decrypt(b"", sealed, LENGTH) == BODY


@pytest.mark.parametrize("at", [0, 10, 23, 24, 39])
def test_a_changed_byte_is_refused(at: int):
    length, sealed = sent()
    reader = ChaChaPoly(KEY)
    reader.open_length(length)
    changed = bytearray(sealed)
    changed[at] ^= 1
    with pytest.raises(paramiko.SSHException):
        reader.decrypt(b"", bytes(changed), LENGTH)


def test_a_packet_that_is_sent_again_is_refused():
    length, sealed = sent()
    reader = ChaChaPoly(KEY)
    reader.open_length(length)
    reader.decrypt(b"", sealed, LENGTH)
    with pytest.raises(paramiko.SSHException):
        reader.open_length(length)
        reader.decrypt(b"", sealed, LENGTH)
