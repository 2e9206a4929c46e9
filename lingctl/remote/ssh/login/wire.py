"""Public keys as they travel: their type, fingerprint, and strings with their lengths (RFC 4251)."""

from __future__ import annotations

import base64
import hashlib

CERTIFICATE = "-cert-v01@openssh.com"
# How many fields a public key has behind its type (RFC 4253, 5656, 8709, and OpenSSH's PROTOCOL.u2f).
_FIELDS = {"ssh-ed25519": 1, "ssh-rsa": 2, "ecdsa": 2, "sk-ssh-ed25519": 2, "sk-ecdsa": 3}


def string(content: bytes) -> bytes:
    """A string with its length before it."""
    return len(content).to_bytes(4, "big") + content


def split_string(data: bytes) -> tuple[bytes, bytes]:
    """The string that data begins with, and what follows it. Raises ValueError: data is cut short."""
    end = 4 + int.from_bytes(data[:4], "big")
    if len(data) < end or len(data) < 4:
        raise ValueError("cut short")
    return data[4:end], data[end:]


def kind_of(blob: bytes) -> str:
    """Type of a public key or certificate; nothing where it is none."""
    try:
        return split_string(blob)[0].decode("ascii")
    except ValueError:
        return ""


def is_certificate(blob: bytes) -> bool:
    """Whether it is a certificate."""
    return kind_of(blob).endswith(CERTIFICATE)


def is_whole(key: bytes) -> bool:
    """Whether a plain public key of a type that is known has all of its fields and nothing behind them."""
    try:
        kind, rest = split_string(key)
        for _ in range(_fields(kind.decode("ascii", "replace"))):
            _, rest = split_string(rest)
    except ValueError:
        return False
    return not rest


def certified_key(certificate: bytes) -> bytes:
    """The plain public key that a certificate is about; nothing where it cannot be read."""
    kind = kind_of(certificate).removesuffix(CERTIFICATE)
    # Security keys keep the ending of their type.
    key = string((f"{kind}@openssh.com" if kind.startswith("sk-") else kind).encode())
    try:
        _, rest = split_string(certificate)
        _, rest = split_string(rest)  # a random number
        for _ in range(_fields(kind)):
            part, rest = split_string(rest)
            key += string(part)
    except ValueError:
        return b""
    return key


def _fields(kind: str) -> int:
    try:
        return next(count for name, count in _FIELDS.items() if kind.startswith(name))
    except StopIteration:
        raise ValueError(f"keys of type {kind} are not known") from None


def fingerprint(blob: bytes) -> str:
    """Type and SHA-256 of a public key, as ssh-keygen -l writes them."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"{kind_of(blob)} SHA256:{digest}"
