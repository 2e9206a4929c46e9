"""Certificates: which files MindIE is given, where, and how it is told.

MindIE takes certificates from below its own install folder only, so the node's folder of them is mounted
there. It asks its clients for a certificate too (MindIE-LLM v3.0.0 src/server/endpoint/http_wrapper/
http_ssl.cpp): lingctl's own requests need ``client_cert`` and ``client_key``.
Sources of paths, joining and modes: src/config_manager/server_config.cpp, backend_config.cpp, file_utils.cpp.
"""

from __future__ import annotations

from lingctl.engine.files import (
    CertificateFile,
    Encryption,
    authority_names,
    certificate_set,
    encryption_of,
)
from lingctl.inventory.certificates import Certificates
from lingctl.inventory.cluster import Cluster
from lingctl.mindie.profile import Profile

# Below the install folder; relative paths in config.json start there.
_IN_INSTALL = "security/lingctl"


def certificates_mount(cluster: Cluster, profile: Profile) -> tuple[str, ...]:
    """The mount that lets MindIE see them; none where nothing is encrypted."""
    if cluster.https is None and not _between_nodes(cluster):
        return ()
    return (f"{cluster.layout.certificates}:{profile.home}/{_IN_INSTALL}:ro",)


def certificate_files(cluster: Cluster, profile: Profile) -> tuple[CertificateFile, ...]:
    """Every file that each node gets."""
    sets = {"https": cluster.https, "inter_node": _between_nodes(cluster)}
    return tuple(
        file
        for name, given in sets.items()
        if given is not None
        for file in certificate_set(cluster, name, given, profile.certificate_mode, "MindIE")
    )


def encryption(cluster: Cluster, profile: Profile) -> Encryption:
    """What is encrypted, and the files that takes."""
    off = "off: nodes trust their network (inter_node_tls in hosts.yaml turns it on)"
    files = certificate_files(cluster, profile)
    return encryption_of(cluster, files, "on" if cluster.inter_node_tls else off)


def https_fields(cluster: Cluster, profile: Profile) -> dict[str, object]:
    """What ServerConfig says of HTTPS, on or off."""
    if cluster.https is None:
        return {"httpsEnabled": False}
    folder, names = f"{_IN_INSTALL}/https/", authority_names(cluster.https)
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
        "interNodeTlsCaFiles": authority_names(between),
        "interNodeTlsCert": f"{folder}server.pem",
        "interNodeTlsPk": f"{folder}server.key",
        # Not a folder: MindIE 3.0.0 checks this path as a file.
        "interNodeTlsCrlPath": "",
        "interNodeTlsCrlFiles": [],
    }
    if profile.generation < 3:
        fields["interNodeTlsPkPwd"] = ""
    return fields


def _between_nodes(cluster: Cluster) -> Certificates | None:
    return cluster.inter_node_tls if cluster.multi_node else None
