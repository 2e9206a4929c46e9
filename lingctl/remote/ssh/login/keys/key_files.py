"""Key files: their public part, also where the private one is locked, and signatures by them."""

from __future__ import annotations

import base64
import functools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from lingctl.inventory.given_file import read_bounded
from lingctl.remote.ssh.login.wire import is_certificate, kind_of, split_string, string

PASSPHRASE_VARIABLE = "LINGCTL_SSH_KEY_PASSPHRASE"  # noqa: S105  (the variable's name, not a secret)
_OPENSSH = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END", re.DOTALL)
_MAGIC = b"openssh-key-v1\0"
_MOST_BYTES = 1 << 20
_RSA_HASHES: dict[str, hashes.HashAlgorithm] = {
    "rsa-sha2-256": hashes.SHA256(),
    "rsa-sha2-512": hashes.SHA512(),
    "ssh-rsa": hashes.SHA1(),  # noqa: S303  (on request only)
}
_CURVE_HASHES: dict[int, hashes.HashAlgorithm] = {
    256: hashes.SHA256(),
    384: hashes.SHA384(),
    521: hashes.SHA512(),
}

Sign = Callable[[bytes, str], bytes]
"""Data and the algorithm's name, to a signature as it is sent."""


class KeyFileError(Exception):
    """A key file cannot be used; the text says why."""


class KeyLockedError(KeyFileError):
    """It has a passphrase that we do not know."""


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key that was read."""

    blob: bytes  # its public key
    sign: Sign  # signs with it


def public_key(path: Path) -> bytes:
    """The public key or certificate in a file of one line, or nothing."""
    try:
        words = _content(path).split(maxsplit=2)
        blob = base64.b64decode(words[1], validate=True)
        return blob if kind_of(blob) and kind_of(blob).encode() == words[0] else b""
    except (OSError, ValueError, IndexError):
        return b""


def certificate_beside(path: Path) -> bytes:
    """The certificate that lies beside a key, or nothing."""
    for name in (f"{path}-cert.pub", f"{str(path).removesuffix('.pub')}-cert.pub"):
        blob = public_key(Path(name))
        if is_certificate(blob):
            return blob
    return b""


def public_part(path: Path) -> bytes:
    """The public key of a private key's file: beside it, or in it where it has no other; or nothing."""
    return public_key(path) or public_key(Path(f"{path}.pub")) or _public_inside(path)


def load_private(path: Path) -> PrivateKey:
    """Read a private key.

    Raises:
        FileNotFoundError: there is no such file.
        KeyLockedError: it needs a passphrase.
        KeyFileError: it cannot be used.
    """
    try:
        seen = path.stat()
        if seen.st_uid == os.getuid() and seen.st_mode & 0o077:
            raise KeyFileError("others may read it, and ssh does not take it either: chmod 600")
        return _loaded(path, seen.st_mtime_ns, seen.st_size, os.environ.get(PASSPHRASE_VARIABLE, ""))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise KeyFileError(error.strerror or str(error)) from error


@functools.lru_cache(maxsize=64)
def _loaded(path: Path, _changed: int, _size: int, passphrase: str) -> PrivateKey:
    content = _content(path)
    if public_key(path):
        raise KeyFileError("it is a public key")
    # A passphrase for a key that needs none is refused by the readers.
    try:
        try:
            key = _read(content, None)
        except TypeError:
            if not passphrase:
                raise KeyLockedError("it needs a passphrase") from None
            key = _read(content, passphrase.encode())
    except KeyFileError:
        raise
    except Exception as error:  # the readers raise many kinds for a broken file
        raise KeyFileError(str(error) or type(error).__name__) from error
    if not isinstance(key, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise KeyFileError("it is of a type that is no longer used")
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return PrivateKey(base64.b64decode(line.split()[1]), functools.partial(_sign, key))


def _read(content: bytes, passphrase: bytes | None) -> object:
    """TypeError where a passphrase is lacking: both readers say it so."""
    if _OPENSSH.search(content):
        try:
            return load_ssh_private_key(content, passphrase)
        except ValueError as error:
            # An encrypted file without a passphrase is no TypeError in every version.
            if passphrase is None and "assword" in str(error):
                raise TypeError(str(error)) from error
            raise
    return load_pem_private_key(content, passphrase)


def _sign(
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    data: bytes,
    algorithm: str,
) -> bytes:
    name = algorithm.partition("-cert-")[0]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        signature = key.sign(data)
    elif isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(data, padding.PKCS1v15(), _RSA_HASHES[name])
    else:
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(_CURVE_HASHES[key.curve.key_size])))
        signature = _integer(r) + _integer(s)
    return string(name.encode()) + string(signature)


def _integer(number: int) -> bytes:
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _public_inside(path: Path) -> bytes:
    """OpenSSH's own format has the public key before the private one, which alone is encrypted."""
    try:
        found = _OPENSSH.search(_content(path))
        rest = base64.b64decode(found[1]) if found else b""
        if not rest.startswith(_MAGIC):
            return b""
        rest = rest.removeprefix(_MAGIC)
        for _ in ("cipher", "derivation", "its options"):
            _, rest = split_string(rest)
        return split_string(rest[4:])[0]
    except (OSError, ValueError):
        return b""


def _content(path: Path) -> bytes:
    return read_bounded(path, _MOST_BYTES)
