"""Host certificates: which key they are about, who signed them, and whether they hold for a host now.

OpenSSH takes a certificate that does not hold for its plain key, and so do we: the reason is only told.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_identity
from cryptography.hazmat.primitives.serialization.ssh import (
    SSHCertificate,
    SSHCertificateType,
    SSHCertPublicKeyTypes,
)

from lingctl.remote.ssh.login.wire import certified_key, kind_of, split_string, string


@dataclass(frozen=True, slots=True)
class HostCertificate:
    """A host's certificate."""

    key: bytes  # the plain public key that it is about
    authority: bytes  # the public key that signed it
    _signed_with: str
    _parsed: SSHCertificate

    def why_not(self, names: Iterable[str], now: float) -> str:
        """Why it does not hold now (seconds since 1970) for a host of one of these names, or nothing."""
        one = self._parsed
        if one.type is not SSHCertificateType.HOST:
            return "it is a user's and no host's"
        principals = [name.decode("utf-8", "replace") for name in one.valid_principals]
        if principals and not set(principals) & set(names):
            return f"it is for {', '.join(principals)}"
        if now < one.valid_after:
            return "it is not valid yet; see whether the clocks agree: date"
        if now >= one.valid_before:
            return "it has expired"
        if one.critical_options:
            return "it has critical options, which a host's must not have"
        if self._signed_with == "ssh-rsa":
            return "it is signed with SHA-1"
        try:
            one.verify_cert_signature()
        except InvalidSignature:
            return "its signature is wrong"
        return ""


def host_certificate(blob: bytes) -> HostCertificate:
    """Read a host's certificate. Raises ValueError: it is damaged, or of a kind that cannot be read."""
    line = kind_of(blob).encode() + b" " + base64.b64encode(blob)
    try:
        parsed = load_ssh_public_identity(line)
        if not isinstance(parsed, SSHCertificate):
            raise ValueError("no certificate")
        authority = _plain(parsed.signature_key())
        # The signature is what stands behind the authority's key.
        _, _, rest = blob.rpartition(string(authority))
        signed_with = kind_of(split_string(rest)[0])
        return HostCertificate(certified_key(blob), authority, signed_with, parsed)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error


def _plain(key: SSHCertPublicKeyTypes) -> bytes:
    return base64.b64decode(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1])
