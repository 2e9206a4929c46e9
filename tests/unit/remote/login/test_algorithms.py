"""What is offered to a server."""

from __future__ import annotations

import pytest

from lingctl.inventory.ssh.target import Algorithms, SshTarget
from lingctl.remote.ssh.login.algorithms import CIPHERS, changed, offer_to
from lingctl.remote.ssh.login.key_exchanges import MORE_EXCHANGES, modp_prime
from lingctl.remote.ssh.login.transport import Transport


def test_sha1_and_md5_are_not_offered_unless_asked_for():
    offer = offer_to(SshTarget("host"), ["ssh-rsa", "rsa-sha2-512"])
    every = [*offer.kex, *offer.ciphers, *offer.macs, *offer.host_keys, *offer.login_keys]
    assert not [
        name for name in every if "sha1" in name or "md5" in name or name == "ssh-rsa" or "cbc" in name
    ]
    asked = Algorithms(kex="+diffie-hellman-group14-sha1", macs="+hmac-sha1", login_keys="+ssh-rsa")
    offer = offer_to(SshTarget("host", algorithms=asked), [])
    assert (offer.kex[-1], offer.macs[-1], offer.login_keys[-1]) == (
        "diffie-hellman-group14-sha1",
        "hmac-sha1",
        "ssh-rsa",
    )


def test_finite_fields_stand_last_and_the_modern_first():
    kex = offer_to(SshTarget("host"), []).kex
    fields = [name.startswith("diffie-hellman") for name in kex]
    assert fields == sorted(fields) and any(fields)
    assert kex[0] == "mlkem768x25519-sha256"


def test_every_name_that_is_offered_can_be_done():
    wanted = Algorithms(kex="+*sha1", ciphers="+*", macs="+hmac-sha1")
    offer = offer_to(SshTarget("host", algorithms=wanted), [])
    assert set(offer.kex) <= {*Transport._kex_info, "mlkem768x25519-sha256"}
    assert set(offer.ciphers) <= set(Transport._cipher_info)
    assert set(offer.macs) <= set(Transport._mac_info)


@pytest.mark.parametrize(
    ("asked", "comes"),
    [
        ("", CIPHERS),
        ("aes256-ctr,aes128-ctr", ("aes256-ctr", "aes128-ctr")),
        ("aes256-ctr,unheard-of", ("aes256-ctr",)),
        ("-*gcm*,chacha*", ("aes128-ctr", "aes192-ctr", "aes256-ctr")),
        ("^aes256-ctr", ("aes256-ctr", *(name for name in CIPHERS if name != "aes256-ctr"))),
        ("+aes256-cbc", (*CIPHERS, "aes256-cbc")),
        ("unheard-of", ()),
    ],
)
def test_a_list_is_changed_as_ssh_config_says(asked: str, comes: tuple[str, ...]):
    assert changed(CIPHERS, asked, ("aes256-cbc",)) == comes


def test_the_large_group_is_that_of_the_standard():
    """The formula gives paramiko's own constants for the smaller groups."""
    assert modp_prime(2048, 124476) == Transport._kex_info["diffie-hellman-group14-sha256"].P
    assert modp_prime(4096, 240904) == Transport._kex_info["diffie-hellman-group16-sha512"].P
    assert modp_prime(8192, 4743158).bit_length() == 8192
    assert set(MORE_EXCHANGES) >= {"curve25519-sha256", "diffie-hellman-group18-sha512"}
