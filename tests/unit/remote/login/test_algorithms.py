"""What is offered to a server."""

from __future__ import annotations

import pytest

from lingctl.inventory.ssh.target import Algorithms, SshTarget
from lingctl.remote.ssh.login.algorithms import CIPHERS, KnownKinds, changed, offer_to
from lingctl.remote.ssh.login.key_exchanges import MORE_EXCHANGES, modp_prime
from lingctl.remote.ssh.login.transport import Transport


def test_sha1_and_md5_are_not_offered_unless_asked_for():
    offer = offer_to(SshTarget("host"), KnownKinds(frozenset({"ssh-rsa", RSA}), authority=True))
    every = [*offer.kex, *offer.ciphers, *offer.macs, *offer.host_keys, *offer.login_keys]
    assert not [
        name for name in every if "sha1" in name or "md5" in name or name == "ssh-rsa" or "cbc" in name
    ]
    asked = Algorithms(kex="+diffie-hellman-group14-sha1", macs="+hmac-sha1", login_keys="+ssh-rsa")
    offer = offer_to(SshTarget("host", algorithms=asked), KnownKinds())
    assert (offer.kex[-1], offer.macs[-1], offer.login_keys[-1]) == (
        "diffie-hellman-group14-sha1",
        "hmac-sha1",
        "ssh-rsa",
    )


def test_finite_fields_stand_last_and_the_modern_first():
    kex = offer_to(SshTarget("host"), KnownKinds()).kex
    fields = [name.startswith("diffie-hellman") for name in kex]
    assert fields == sorted(fields) and any(fields)
    assert kex[0] == "mlkem768x25519-sha256"


def test_every_name_that_is_offered_can_be_done():
    wanted = Algorithms(kex="+*sha1", ciphers="+*", macs="+hmac-sha1")
    offer = offer_to(SshTarget("host", algorithms=wanted), KnownKinds())
    assert set(offer.kex) <= {*Transport._kex_info, "mlkem768x25519-sha256"}
    assert set(offer.ciphers) <= set(Transport._cipher_info)
    assert set(offer.macs) <= set(Transport._mac_info)


ED25519, ECDSA, RSA, RSA_CERTIFICATE = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "rsa-sha2-512",
    "rsa-sha2-512-cert-v01@openssh.com",
)


@pytest.mark.parametrize(
    ("asked", "known", "begins"),
    [
        ("", [RSA, ECDSA], [ECDSA, RSA, ED25519]),
        ("", [RSA, ED25519], [ED25519, ECDSA]),
        ("-ssh-ed25519*", [RSA, "ecdsa-sha2-nistp384"], ["ecdsa-sha2-nistp384", RSA, ECDSA]),
        ("+ssh-rsa", ["ssh-rsa", RSA], [RSA, "ssh-rsa", ED25519]),
        (f"^{RSA}", [ECDSA], [RSA, ED25519, ECDSA]),
        (f"{RSA},{ECDSA}", [ECDSA], [RSA, ECDSA]),
        ("unheard-of", [ECDSA], []),
    ],
)
def test_host_keys_are_asked_for_in_the_order_of_openssh(asked: str, known: list[str], begins: list[str]):
    """What is known comes first, unless the first of all is known or the list is one's own."""
    target = SshTarget("host", algorithms=Algorithms(host_keys=asked))
    assert list(offer_to(target, KnownKinds(frozenset(known))).host_keys[: len(begins)]) == begins


def test_certificates_are_asked_for_where_an_authority_is_known():
    def asked(*first: str, authority: bool) -> list[str]:
        offer = offer_to(SshTarget("host"), KnownKinds(frozenset(first), authority))
        return [name for name in offer.host_keys if name in (ED25519, RSA, RSA_CERTIFICATE)]

    assert asked(RSA, authority=False) == [RSA, ED25519]
    assert asked(RSA, authority=True) == [RSA, RSA_CERTIFICATE, ED25519]
    assert asked(RSA, RSA_CERTIFICATE, authority=True) == [RSA_CERTIFICATE, RSA, ED25519]


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
