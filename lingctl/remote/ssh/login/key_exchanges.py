"""Key exchanges that paramiko does not have, or not under all of their names."""

from __future__ import annotations

import functools
import hashlib

from paramiko.kex_curve25519 import KexCurve25519
from paramiko.kex_gex import KexGexSHA256
from paramiko.kex_group14 import KexGroup14SHA256
from paramiko.kex_group16 import KexGroup16SHA512


@functools.cache
def modp_prime(bits: int, summand: int) -> int:
    """A prime of RFC 3526 by its formula: 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) * pi) + summand)."""
    guard = 64
    one = 1 << (bits - 130 + guard)

    def inverse_tangent(of: int) -> int:
        power, total, odd = one // of, 0, 1
        while power:
            total += power // odd if odd % 4 == 1 else -(power // odd)
            power, odd = power // (of * of), odd + 2
        return total

    pi: int = 4 * (4 * inverse_tangent(5) - inverse_tangent(239)) >> guard
    return (1 << bits) - (1 << (bits - 64)) - 1 + (pi + summand << 64)


class _Group18(KexGroup16SHA512):
    name = "diffie-hellman-group18-sha512"

    @property
    def P(self) -> int:  # type: ignore[override]  # computed when it is asked for, not a constant
        return modp_prime(8192, 4743158)


class _Group14Sha1(KexGroup14SHA256):
    name = "diffie-hellman-group14-sha1"
    hash_algo = hashlib.sha1


class _GroupExchangeSha1(KexGexSHA256):
    name = "diffie-hellman-group-exchange-sha1"
    hash_algo = hashlib.sha1


MORE_EXCHANGES = {
    "curve25519-sha256": KexCurve25519,
    **{kind.name: kind for kind in (_Group18, _Group14Sha1, _GroupExchangeSha1)},
}
"""By the name that is negotiated; those with SHA-1 are offered only on request."""
