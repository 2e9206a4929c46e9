"""Rules of certificates. Which files exist is for the node to say.

Source: MindIE-LLM v3.0.0 src/config_manager/server_config.cpp and backend_config.cpp. Paths are relative to
the install folder; a list's folder and its file names are joined without a slash.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lingctl.findings import Verdict
from lingctl.mindie.rules.rule import CODE, Parts, rule

_MOST_FILES = 3


@rule(
    "config-inter-node-tls",
    "interNodeTLSEnabled needs certificate, key, 1 to 3 CA files and a CRL path, which may be empty",
    source=f"{CODE}backend_config.cpp",
    remedy="name the files, or set interNodeTLSEnabled to false on every node",
    generations=(3,),
)
def _inter_node_tls(parts: Parts) -> Iterator[str]:
    # MindIE reads the names even where there is one node.
    backend = parts["BackendConfig"]
    if backend.get("interNodeTLSEnabled") is not True:
        return
    several = backend.get("multiNodesInferEnabled") is True
    for name in ("interNodeTlsCert", "interNodeTlsPk", "interNodeTlsCaPath", "interNodeTlsCrlPath"):
        value = backend.get(name)
        if not isinstance(value, str):
            yield f"{name} is missing"
        elif several and not value and name != "interNodeTlsCrlPath":
            yield f"{name} is empty"
    yield from _authorities(backend, "interNodeTlsCaFiles", repeated=True)
    yield from _listed(backend, "interNodeTlsCrlFiles", 0, repeated=True)


@rule(
    "config-inter-node-revocation",
    "interNodeTlsCrlPath is empty or a file: a folder is refused",
    source=f"{CODE}backend_config.cpp",
    remedy='set interNodeTlsCrlPath to ""',
    generations=(3,),
)
def _inter_node_revocation(parts: Parts) -> Iterator[str]:
    # The code checks it as a file.
    backend = parts["BackendConfig"]
    on = backend.get("interNodeTLSEnabled") is True and backend.get("multiNodesInferEnabled") is True
    path = backend.get("interNodeTlsCrlPath")
    if on and isinstance(path, str) and path.endswith("/"):
        yield f"interNodeTlsCrlPath is {path!r}"


@rule(
    "config-inter-comm-tls",
    "with interCommTLSEnabled, also left out, its paths are texts and its lists hold file names",
    source=f"{CODE}server_config.cpp",
    remedy="set interCommTLSEnabled to false: only inferMode dmi uses it",
    generations=(3,),
)
def _inter_comm_tls(parts: Parts) -> Iterator[str]:
    # Read whenever the switch of the dmi mode is on, or left out.
    server = parts["ServerConfig"]
    if server.get("interCommTLSEnabled", True) is not True:
        return
    for name in ("interCommTlsCert", "interCommTlsCaPath", "interCommPk", "interCommTlsCrlPath"):
        if name in server and not isinstance(server[name], str):
            yield f"{name} is {server[name]!r}"
    for name in ("interCommTlsCaFiles", "interCommTlsCrlFiles"):
        value = server.get(name)
        # The code walks over a single text as over a list of one, and over the values of an object.
        inside = list(value.values()) if isinstance(value, dict) else value
        if inside is not None and not isinstance(inside, str) and not _names(inside):
            yield f"{name} is {value!r}"


@rule(
    "config-https",
    "httpsEnabled needs certificate, key and 1 to 3 CA files",
    source=f"{CODE}server_config.cpp",
    remedy="name the files, or set httpsEnabled to false",
)
def _https(parts: Parts) -> Iterator[str]:
    server = parts["ServerConfig"]
    if server.get("httpsEnabled") is not True:
        return
    yield from _missing(server, ("tlsCaPath", "tlsCert", "tlsPk"))
    yield from _authorities(server, "tlsCaFile")
    yield from _revocations(server, "tlsCrlPath", "tlsCrlFiles")


@rule(
    "config-https-management",
    "the management listener needs its own files with httpsEnabled, unless all listeners are one",
    source=f"{CODE}server_config.cpp",
    remedy="name the files, or set httpsEnabled to false",
)
def _https_management(parts: Parts) -> Iterator[str]:
    yield from _second_listener(parts, "management")


@rule(
    "config-https-metrics",
    "the metrics listener needs its own files with httpsEnabled, unless all listeners are one",
    source=f"{CODE}server_config.cpp",
    remedy="name the files, or set httpsEnabled to false",
    generations=(3,),
)
def _https_metrics(parts: Parts) -> Iterator[str]:
    yield from _second_listener(parts, "metrics")


@rule(
    "config-tls-folder",
    "a CA folder ends with /, because its file names are joined to it as they are",
    source=f"{CODE}server_config.cpp",
    remedy="end the folder with /",
    verdict=Verdict.WARNING,
)
def _folder_without_slash(parts: Parts) -> Iterator[str]:
    server, backend = parts["ServerConfig"], parts["BackendConfig"]
    pairs = []
    if server.get("httpsEnabled") is True:
        pairs.append((server, "tlsCaPath", "tlsCaFile"))
    if backend.get("interNodeTLSEnabled") is True and backend.get("multiNodesInferEnabled") is True:
        pairs.append((backend, "interNodeTlsCaPath", "interNodeTlsCaFiles"))
    for part, folder, names in pairs:
        path, files = part.get(folder), part.get(names)
        for name in files if isinstance(path, str) and isinstance(files, list) else []:
            if not f"{path}".endswith("/") and not f"{name}".startswith("/"):
                yield f"{folder} is {path!r}, so {name!r} is looked for as {path}{name}"


def _second_listener(parts: Parts, listener: str) -> Iterator[str]:
    server = parts["ServerConfig"]
    if server.get("httpsEnabled") is not True or _one_listener(server):
        return
    yield from _missing(server, (f"{listener}TlsCert", f"{listener}TlsPk"))
    yield from _authorities(server, f"{listener}TlsCaFile")
    yield from _revocations(server, f"{listener}TlsCrlPath", f"{listener}TlsCrlFiles")


def _one_listener(server: dict[str, Any]) -> bool:
    management = server.get("managementPort", server.get("port"))
    same_ip = server.get("managementIpAddress", server.get("ipAddress")) == server.get("ipAddress")
    return same_ip and management == server.get("port") == server.get("metricsPort")


def _missing(part: dict[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    yield from (f"{name} is missing" for name in names if not part.get(name))


def _authorities(part: dict[str, Any], name: str, *, repeated: bool = False) -> Iterator[str]:
    yield from _listed(part, name, 1, repeated=repeated)


def _revocations(part: dict[str, Any], folder: str, name: str) -> Iterator[str]:
    most_matters = bool(part.get(folder))
    value = part.get(name, [])
    if not _names(value):
        yield f"{name} must list file names"
    elif most_matters and len(set(value)) > _MOST_FILES:
        yield f"{name} must list 0 to {_MOST_FILES} files"


def _listed(part: dict[str, Any], name: str, least: int, *, repeated: bool) -> Iterator[str]:
    """``repeated``: whether a name that stands there twice counts twice."""
    value = part.get(name, [])
    if not _names(value):
        yield f"{name} must list file names"
        return
    count = len(value) if repeated else len(set(value))
    if not least <= count <= _MOST_FILES:
        yield f"{name} must list {least} to {_MOST_FILES} files"


def _names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
