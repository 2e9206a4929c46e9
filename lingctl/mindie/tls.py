"""Certificates: which files MindIE is given, where, and how it is told.

MindIE takes certificates from below its own install folder only, so the node's folder of them is mounted
there. It asks its clients for a certificate too (MindIE-LLM v3.0.0 src/server/endpoint/http_wrapper/
http_ssl.cpp): lingctl's own requests need ``client_cert`` and ``client_key``.
Sources of paths, joining and modes: src/config_manager/server_config.cpp, backend_config.cpp, file_utils.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lingctl.engine.files import CertificateFile, Encryption, certificates_folder
from lingctl.inventory.certificates import Certificates
from lingctl.inventory.cluster import Cluster
from lingctl.mindie.profile import Profile

# Below the install folder; relative paths in config.json start there.
_IN_INSTALL = "security/lingctl"


def certificates_mount(cluster: Cluster, profile: Profile) -> tuple[str, ...]:
    """The mount that lets MindIE see them; none where nothing is encrypted."""
    if cluster.https is None and not _between_nodes(cluster):
        return ()
    return (f"{certificates_folder(cluster)}:{profile.home}/{_IN_INSTALL}:ro",)


def certificate_files(cluster: Cluster, profile: Profile) -> tuple[CertificateFile, ...]:
    """Every file that each node gets."""
    files: list[CertificateFile] = []
    if cluster.https is not None:
        files += _set(cluster, "https", cluster.https, profile)
    between = _between_nodes(cluster)
    if between is not None:
        files += _set(cluster, "inter_node", between, profile)
    return tuple(files)


def encryption(cluster: Cluster, profile: Profile) -> Encryption:
    """What is encrypted, and the files that takes."""
    return Encryption(certificate_files(cluster, profile), tuple(encryption_words(cluster)))


def https_fields(cluster: Cluster, profile: Profile) -> dict[str, object]:
    """What ServerConfig says of HTTPS, on or off."""
    if cluster.https is None:
        return {"httpsEnabled": False}
    folder, names = f"{_IN_INSTALL}/https/", _authority_names(cluster.https)
    fields: dict[str, object] = {"httpsEnabled": True, "tlsCaPath": folder}
    # The metrics listener has its own since 2.1.
    metrics = () if profile.rules_of.startswith(("1.", "2.0")) else ("metricsTls",)
    for listener in ("tls", "managementTls", *metrics):
        fields |= {
            f"{listener}CaFile": names,
            f"{listener}Cert": f"{folder}server.pem",
            f"{listener}Pk": f"{folder}server.key",
            f"{listener}CrlPath": "",
            f"{listener}CrlFiles": [],
        }
        if profile.generation < 3:
            # Empty: the key is plain. "Optional" according to the documents; no such server was tried.
            fields[f"{listener}PkPwd"] = ""
    return fields


def inter_node_fields(cluster: Cluster, profile: Profile) -> dict[str, object]:
    """What BackendConfig says of TLS between nodes, on or off."""
    between = _between_nodes(cluster)
    if between is None:
        return {"interNodeTLSEnabled": False}
    folder = f"{_IN_INSTALL}/inter_node/"
    fields: dict[str, object] = {
        "interNodeTLSEnabled": True,
        "interNodeTlsCaPath": folder,
        "interNodeTlsCaFiles": _authority_names(between),
        "interNodeTlsCert": f"{folder}server.pem",
        "interNodeTlsPk": f"{folder}server.key",
        # Not a folder: MindIE 3.0.0 checks this path as a file.
        "interNodeTlsCrlPath": "",
        "interNodeTlsCrlFiles": [],
    }
    if profile.generation < 3:
        fields["interNodeTlsPkPwd"] = ""
    return fields


def encryption_words(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """What is encrypted and what is not, as (subject, words): "off" is a choice to be said aloud."""
    off = "off: requests and answers travel in plain text (https in hosts.yaml turns it on)"
    yield "HTTPS", "on, with client certificates" if cluster.https else off
    if cluster.multi_node:
        off = "off: nodes trust their network (inter_node_tls in hosts.yaml turns it on)"
        yield "TLS between nodes", "on" if cluster.inter_node_tls else off


def _between_nodes(cluster: Cluster) -> Certificates | None:
    return cluster.inter_node_tls if cluster.multi_node else None


def _authority_names(certificates: Certificates) -> list[str]:
    return [f"ca{number}.pem" for number, _ in enumerate(certificates.ca, start=1)]


def _set(cluster: Cluster, name: str, given: Certificates, profile: Profile) -> Iterator[CertificateFile]:
    folder = f"{certificates_folder(cluster)}/{name}"
    yield CertificateFile(f"{folder}/server.pem", Path(given.cert), profile.certificate_mode, "MindIE")
    yield CertificateFile(f"{folder}/server.key", Path(given.key), 0o600, "MindIE")
    for file, source in zip(_authority_names(given), given.ca, strict=True):
        yield CertificateFile(f"{folder}/{file}", Path(source), profile.certificate_mode, "MindIE")
