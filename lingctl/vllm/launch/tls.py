"""HTTPS of the service: the same meaning as with MindIE, clients show a certificate too.

Source: vLLM's server arguments (--ssl-certfile, --ssl-keyfile, --ssl-ca-certs, --ssl-cert-reqs), which it
hands to uvicorn: certificate requirements are numbers of Python's ssl module, 2 is CERT_REQUIRED. Tried with
0.32.0: without a certificate nothing is answered, health neither.
"""

from __future__ import annotations

from lingctl.engine.files import (
    CertificateFile,
    Encryption,
    certificate_set,
    encryption_of,
)
from lingctl.inventory.cluster import Cluster


def https_files(cluster: Cluster) -> tuple[CertificateFile, ...]:
    """Every file that each node gets; of authorities one alone (see ``refusals``)."""
    given = cluster.https
    return tuple(certificate_set(cluster, "https", given, 0o640, "vLLM")) if given is not None else ()


def https_words(cluster: Cluster) -> tuple[str, ...]:
    """What vLLM is told; it sees the files at the node's own paths."""
    if cluster.https is None:
        return ()
    folder = f"{cluster.layout.certificates}/https"
    return (
        *("--ssl-certfile", f"{folder}/server.pem", "--ssl-keyfile", f"{folder}/server.key"),
        *("--ssl-ca-certs", f"{folder}/ca1.pem", "--ssl-cert-reqs", "2"),
    )


def vllm_encryption(cluster: Cluster) -> Encryption:
    """What is encrypted and what is not, and the files that takes."""
    return encryption_of(cluster, https_files(cluster), "off: vLLM has none; nodes trust their network")
