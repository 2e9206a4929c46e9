"""What an engine wants a node to have: files, certificates, and what joins several nodes. Values only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lingctl.errors import ConfigurationError
from lingctl.findings import Finding
from lingctl.inventory.certificates import Certificates
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.given_file import OddFileError, read_bounded
from lingctl.remote.upload import WriteFile

_MAX_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Overlay:
    """Files that are added to the engine's own code in its container."""

    files: Mapping[str, bytes]  # content by name; none where the engine serves the model as it is
    folder: str  # where the container has to see them


NO_OVERLAY = Overlay({}, "")


@dataclass(frozen=True, slots=True)
class Joint:
    """What joins several nodes: the same files for each, made from the cards' live addresses."""

    files: tuple[WriteFile, ...] = ()  # none where an engine finds its nodes by itself
    findings: tuple[Finding, ...] = ()  # whether they are what the cluster's cards call for


@dataclass(frozen=True, slots=True)
class CertificateFile:
    """One file that a node gets."""

    path: str  # on the node
    source: Path  # here
    mode: int  # permission bits
    reader: str  # what reads it there, for people

    def read(self) -> bytes:
        """Its content.

        Raises:
            ConfigurationError: it is not there, empty, too large, or holds what cannot be used.
        """
        try:
            content = read_bounded(self.source, _MAX_BYTES)
        except OddFileError as error:
            raise self._unfit(f"{error.strerror}") from error
        except OSError as error:
            raise self._unfit(f"cannot be read: {error.strerror}") from error
        if not content:
            raise self._unfit("is empty")
        if b"-----BEGIN " not in content:
            raise self._unfit("is not a PEM file")
        if self.path.endswith(".key") and b"ENCRYPTED" in content:
            raise self._unfit(f"is encrypted: {self.reader} would wait for its password on a terminal")
        return content

    def _unfit(self, what: str) -> ConfigurationError:
        return ConfigurationError(what, where=str(self.source), code="certificate-unfit")


@dataclass(frozen=True, slots=True)
class Encryption:
    """What travels encrypted, and what that takes."""

    files: tuple[CertificateFile, ...]  # that each node gets
    # what is encrypted and what is not, as (subject, words): "off" is a choice to be said aloud
    words: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """One value that a release rests on, and where it came from."""

    node: str  # whose it is; empty for the whole cluster
    name: str  # as in hosts.yaml, or as the engine calls it
    value: str  # effective value
    # ``flag ...``, ``LINGCTL_...``, ``hosts.yaml``, ``preset``, ``default``, ``follows from ...`` or the
    # engine's version, e.g. ``MindIE 3.0.0``.
    source: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and its source: ``preset``, ``hosts.yaml`` or ``follows from ...``."""

    value: int | float
    source: str


def certificate_set(
    cluster: Cluster, name: str, given: Certificates, mode: int, reader: str
) -> Iterator[CertificateFile]:
    """Certificate, key and authorities, in a folder of their own below that of all certificates.

    Args:
        mode: of certificates; a key has 0600.
        reader: what reads them there, for people.
    """
    folder = f"{cluster.layout.certificates}/{name}"
    yield CertificateFile(f"{folder}/server.pem", Path(given.cert), mode, reader)
    yield CertificateFile(f"{folder}/server.key", Path(given.key), 0o600, reader)
    for file, source in zip(authority_names(given), given.ca, strict=True):
        yield CertificateFile(f"{folder}/{file}", Path(source), mode, reader)


def authority_names(given: Certificates) -> list[str]:
    """Names of the files of authorities in such a folder."""
    return [f"ca{number}.pem" for number, _ in enumerate(given.ca, start=1)]


def encryption_of(cluster: Cluster, files: Iterable[CertificateFile], between: str) -> Encryption:
    """What is encrypted; ``between`` says it of several nodes, in words."""
    off = "off: requests and answers travel in plain text (https in hosts.yaml turns it on)"
    words = [("HTTPS", "on, with client certificates" if cluster.https else off)]
    if cluster.multi_node:
        words.append(("TLS between nodes", between))
    return Encryption(tuple(files), tuple(words))


def certificates_digest(files: Sequence[CertificateFile]) -> str:
    """Changes with any certificate, so that the daemon is started anew; empty without any.

    Raises:
        ConfigurationError: a file cannot be read or used.
    """
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()[:16] if files else ""
