"""HTTPS of the service: the same meaning as with MindIE, clients show a certificate too.

Source: vLLM's server arguments (--ssl-certfile, --ssl-keyfile, --ssl-ca-certs, --ssl-cert-reqs), which it
hands to uvicorn: certificate requirements are numbers of Python's ssl module, 2 is CERT_REQUIRED. Tried with
0.32.0: without a certificate nothing is answered, health neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lingctl.engine.files import CertificateFile, Encryption, certificates_folder
from lingctl.inventory.cluster import Cluster

_READER = "vLLM"


def https_files(cluster: Cluster) -> tuple[CertificateFile, ...]:
    """Every file that each node gets; of authorities one alone (see ``refusals``)."""
    given = cluster.https
    if given is None:
        return ()
    folder = _folder(cluster)
    return (
        CertificateFile(f"{folder}/server.pem", Path(given.cert), 0o640, _READER),
        CertificateFile(f"{folder}/server.key", Path(given.key), 0o600, _READER),
        CertificateFile(f"{folder}/ca1.pem", Path(given.ca[0]), 0o640, _READER),
    )


def https_words(cluster: Cluster) -> tuple[str, ...]:
    """What vLLM is told; it sees the files at the node's own paths."""
    if cluster.https is None:
        return ()
    folder = _folder(cluster)
    return (
        *("--ssl-certfile", f"{folder}/server.pem", "--ssl-keyfile", f"{folder}/server.key"),
        *("--ssl-ca-certs", f"{folder}/ca1.pem", "--ssl-cert-reqs", "2"),
    )


def vllm_encryption(cluster: Cluster) -> Encryption:
    """What is encrypted and what is not, and the files that takes."""
    return Encryption(https_files(cluster), tuple(_told(cluster)))


def _told(cluster: Cluster) -> Iterator[tuple[str, str]]:
    off = "off: requests and answers travel in plain text (https in hosts.yaml turns it on)"
    yield "HTTPS", "on, with client certificates" if cluster.https else off
    if cluster.multi_node:
        yield "TLS between nodes", "off: vLLM has none; nodes trust their network"


def _folder(cluster: Cluster) -> str:
    return f"{certificates_folder(cluster)}/https"
