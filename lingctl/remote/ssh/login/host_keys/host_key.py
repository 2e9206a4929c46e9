"""Whether the key that a server shows is its host's: judged as OpenSSH does, told with what to type."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

from lingctl.errors import ConnectError
from lingctl.inventory.given_file import with_home
from lingctl.inventory.ssh.target import SshTarget
from lingctl.remote.ssh.login.algorithms import SIGNATURES, KnownKinds
from lingctl.remote.ssh.login.host_keys.certificates import HostCertificate, host_certificate
from lingctl.remote.ssh.login.host_keys.known_hosts import AUTHORITY, KnownHosts, KnownKey, revoked_keys
from lingctl.remote.ssh.login.wire import CERTIFICATE, fingerprint, is_certificate


def known_kinds(known: KnownHosts, target: SshTarget) -> KnownKinds:
    """What is known of a server, and so asked for first.

    As in OpenSSH, a line without port brings no kind of key forward where the port is not 22: it counts where
    such a key is shown.
    """
    name = target.names[0]
    first = {algorithm for line in known.of(name) for algorithm in _algorithms(line.kind)}
    if known.of(name, AUTHORITY):
        first.update(algorithm + CERTIFICATE for algorithm in SIGNATURES)
    return KnownKinds(frozenset(first), any(known.of(one, AUTHORITY) for one in target.names))


def check_host_key(known: KnownHosts, target: SshTarget, shown: bytes, node: str) -> None:
    """Accept the key or certificate that a server shows.

    Stricter than OpenSSH under another port than 22: what is revoked for the name alone is revoked there too,
    and a certificate of nobody's does not make a line without port count before one with it.

    Raises:
        ConnectError: it is revoked (``host-key-revoked``), another one (``host-key-changed``), or nothing is
            known of it (``host-key-unknown``).
    """
    certificate = _certificate(shown)
    key = certificate.key if certificate else shown
    plain = (key, certificate.authority) if certificate else (key,)
    _check_revoked(known, target, (shown, *plain), node)
    _check_revoked_keys(target, plain, node)
    note = _why_not_by_authority(known, target, certificate) if certificate else ""
    if certificate and not note:
        return
    lines = known.of(target.names[0])
    if any(line.blob == key for line in lines):
        return
    # Under another port than 22 a line without port counts, but does not accuse.
    if not lines and any(line.blob == key for name in target.names[1:] for line in known.of(name)):
        return
    offered = "\n".join([f"it offers {fingerprint(key)}", *([note] if note else [])])
    same_kind = [line for line in lines if line.kind == fingerprint(key).split()[0]]
    raise (_changed if same_kind else _unknown)(target, same_kind or lines, offered, node)


def _certificate(shown: bytes) -> HostCertificate | None:
    """The certificate, where one is shown that can be read."""
    try:
        return host_certificate(shown) if is_certificate(shown) else None
    except ValueError:
        return None


def _why_not_by_authority(known: KnownHosts, target: SshTarget, certificate: HostCertificate) -> str:
    lines = [line for name in target.names for line in known.of(name, AUTHORITY)]
    if not any(line.blob == certificate.authority for line in lines):
        return f"its certificate is of an authority that is not known: {fingerprint(certificate.authority)}"
    name = target.host_key_alias or target.host.lower()
    why = certificate.why_not((name,), time.time())
    return f"its certificate does not hold: {why}" if why else ""


def _check_revoked(known: KnownHosts, target: SshTarget, keys: tuple[bytes, ...], node: str) -> None:
    line = known.is_revoked(target.names, *keys)
    if line:
        raise ConnectError(
            "its host key is marked @revoked",
            where=node,
            evidence=f"{fingerprint(line.blob)}\n{line.place}",
            code="host-key-revoked",
        )


def _check_revoked_keys(target: SshTarget, keys: tuple[bytes, ...], node: str) -> None:
    """``RevokedHostKeys``: as in OpenSSH, a list that cannot be read lets nobody pass."""
    if not target.revoked_keys:
        return
    try:
        revoked = revoked_keys(Path(target.revoked_keys))
    except (OSError, ValueError) as error:
        raise ConnectError(
            f"cannot read the list of revoked host keys {target.revoked_keys}",
            where=node,
            evidence=str(error),
            code="revoked-keys-unreadable",
        ) from error
    for key in keys:
        if key in revoked:
            raise ConnectError(
                f"its host key is in {target.revoked_keys}",
                where=node,
                evidence=fingerprint(key),
                code="host-key-revoked",
            )


def _unknown(target: SshTarget, others: list[KnownKey], offered: str, node: str) -> ConnectError:
    kinds = ", ".join(dict.fromkeys(line.kind for line in others))
    return ConnectError(
        f"host key of {target.names[0]} is not known"
        + (f"; only keys of other types are: {kinds}" if kinds else ""),
        where=node,
        evidence=offered,
        remedy=f"compare that fingerprint with the machine's own, then: {_accept(target)}",
        code="host-key-unknown",
    )


def _changed(target: SshTarget, lines: list[KnownKey], offered: str, node: str) -> ConnectError:
    name, file = target.names[0], lines[0].place.rpartition(":")[0]
    return ConnectError(
        f"host key of {name} is not the one in {file}",
        where=node,
        evidence="\n".join([offered, *(f"{line.place} has {fingerprint(line.blob)}" for line in lines)]),
        remedy="find out why before going on: another machine may have answered. If the machine was "
        f"reinstalled: {shlex.join(['ssh-keygen', '-R', name, '-f', file])}, then {_accept(target)}",
        code="host-key-changed",
    )


def _accept(target: SshTarget) -> str:
    if not target.known_hosts:
        return "name a file for it, for UserKnownHostsFile is none: known_hosts under ssh in hosts.yaml"
    file = shlex.quote(str(with_home(target.known_hosts[0])))
    if target.host_key_alias:
        return f"{target.by_hand} true"
    return f"ssh-keyscan -p {target.port} {target.host} >> {file}"


def _algorithms(kind: str) -> tuple[str, ...]:
    # The last is offered only on request.
    return ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa") if kind == "ssh-rsa" else (kind,)
