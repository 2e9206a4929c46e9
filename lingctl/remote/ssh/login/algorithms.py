"""What is offered to a server: all that paramiko has and what little can be added, the modern first.

SHA-1 (also as a MAC) and MD5 are offered only where ~/.ssh/config asks for them by name. Diffie-Hellman over
finite fields costs 85 ms of this machine's time for each connection, so it stands last.
"""

from __future__ import annotations

from dataclasses import dataclass

from lingctl.inventory.ssh.patterns import like
from lingctl.inventory.ssh.target import SshTarget
from lingctl.remote.ssh.login.wire import CERTIFICATE

KEX = (
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group14-sha256",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
)
# AES-GCM needs no separate MAC, which paramiko computes in Python.
CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
    "chacha20-poly1305@openssh.com",
)
MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
SIGNATURES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
SECURITY_KEYS = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
# Only for who asks for them by name.
KEX_ON_REQUEST = ("diffie-hellman-group14-sha1", "diffie-hellman-group-exchange-sha1")
CIPHERS_ON_REQUEST = ("aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc")
MACS_ON_REQUEST = ("hmac-sha1",)
SIGNATURES_ON_REQUEST = ("ssh-rsa",)


@dataclass(frozen=True, slots=True)
class KnownKinds:
    """Which host keys of a server are known."""

    first: frozenset[str] = frozenset()  # names of algorithms that it is asked for first
    authority: bool = False  # whether an authority is known; only then a certificate is asked for


@dataclass(frozen=True, slots=True)
class Offer:
    """Names in the order of preference."""

    kex: tuple[str, ...]  # key exchanges
    ciphers: tuple[str, ...]  # for both directions
    macs: tuple[str, ...]  # likewise
    host_keys: tuple[str, ...]  # how the server may prove who it is
    login_keys: tuple[str, ...]  # how we may


def offer_to(target: SshTarget, known: KnownKinds) -> Offer:
    """What is offered to a server of which these host keys are known."""
    wanted = target.algorithms
    every_login_key = (*SIGNATURES, *SECURITY_KEYS)
    certified = (*(name + CERTIFICATE for name in every_login_key), *every_login_key)
    return Offer(
        changed(KEX, wanted.kex, KEX_ON_REQUEST),
        changed(CIPHERS, wanted.ciphers, CIPHERS_ON_REQUEST),
        changed(MACS, wanted.macs, MACS_ON_REQUEST),
        _host_keys(wanted.host_keys, known),
        changed(certified, wanted.login_keys, SIGNATURES_ON_REQUEST),
    )


def _host_keys(asked: str, known: KnownKinds) -> tuple[str, ...]:
    """In OpenSSH's order (``order_hostkeyalgs``), so that a server shows us the key that it shows to ssh."""
    certificates = [name + CERTIFICATE for name in SIGNATURES]
    every = changed((*certificates, *SIGNATURES), asked, SIGNATURES_ON_REQUEST)
    ours = [name for name in every if known.authority or not name.endswith(CERTIFICATE)]
    as_it_stands = asked and asked[0] not in "+-"  # a list of one's own
    if not as_it_stands and every[:1] and every[0].removesuffix(CERTIFICATE) not in known.first:
        ours.sort(key=lambda name: name not in known.first)
    return tuple(ours)


def changed(ours: tuple[str, ...], asked: str, on_request: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Our names, changed as a list in ssh_config says: ``+`` adds behind, ``^`` before, ``-`` takes away.

    Names that we do not have are passed over, as long as one is left.
    """
    if not asked:
        return ours
    how, names = (asked[0], asked[1:]) if asked[0] in "+-^" else ("", asked)
    patterns = [name.strip() for name in names.split(",")]
    if how == "-":
        return tuple(name for name in ours if not any(like(name, pattern) for pattern in patterns))
    every = (*ours, *on_request)
    named = tuple(dict.fromkeys(name for pattern in patterns for name in every if like(name, pattern)))
    if how == "+":
        return (*ours, *(name for name in named if name not in ours))
    if how == "^":
        return (*named, *(name for name in ours if name not in named))
    return named
