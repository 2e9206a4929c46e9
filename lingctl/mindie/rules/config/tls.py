"""Rules of certificates. Which files exist is for the node to say.

Source: MindIE-LLM v3.0.0 src/config_manager/server_config.cpp and backend_config.cpp. Paths are relative to
the install folder; a list's folder and its file names are joined without a slash.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lingctl.findings import Verdict
from lingctl.mindie.rules.rule import ALL, CODE, Parts, Rule, rule, rule_of_3

_MOST_FILES = 3


@rule_of_3(
    "config-inter-node-tls",
    "interNodeTLSEnabled needs certificate, key, 1 to 3 CA files and a CRL path, which may be empty",
    source=f"{CODE}backend_config.cpp",
    remedy="name the files, or set interNodeTLSEnabled to false on every node",
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
    yield from _listed(backend, "interNodeTlsCaFiles", 1, repeated=True)
    yield from _listed(backend, "interNodeTlsCrlFiles", 0, repeated=True)


@rule_of_3(
    "config-inter-node-revocation",
    "interNodeTlsCrlPath is empty or a file: a folder is refused",
    source=f"{CODE}backend_config.cpp",
    remedy='set interNodeTlsCrlPath to ""',
)
def _inter_node_revocation(parts: Parts) -> Iterator[str]:
    # The code checks it as a file.
    backend = parts["BackendConfig"]
    on = backend.get("interNodeTLSEnabled") is True and backend.get("multiNodesInferEnabled") is True
    path = backend.get("interNodeTlsCrlPath")
    if on and isinstance(path, str) and path.endswith("/"):
        yield f"interNodeTlsCrlPath is {path!r}"


@rule_of_3(
    "config-inter-comm-tls",
    "with interCommTLSEnabled, also left out, its paths are texts and its lists hold file names",
    source=f"{CODE}server_config.cpp",
    remedy="set interCommTLSEnabled to false: only inferMode dmi uses it",
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
    yield from _files_of(parts["ServerConfig"], "tls", "tlsCaPath")


def _second_listener(check: str, listener: str, generations: tuple[int, ...] = ALL) -> Rule:
    def broken(parts: Parts) -> Iterator[str]:
        if not _one_listener(parts["ServerConfig"]):
            yield from _files_of(parts["ServerConfig"], f"{listener}Tls")

    return rule(
        check,
        f"the {listener} listener needs its own files with httpsEnabled, unless all listeners are one",
        source=f"{CODE}server_config.cpp",
        remedy="name the files, or set httpsEnabled to false",
        generations=generations,
    )(broken)


_HTTPS_MANAGEMENT = _second_listener("config-https-management", "management")
_HTTPS_METRICS = _second_listener("config-https-metrics", "metrics", generations=(3,))


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


def _files_of(server: dict[str, Any], listener: str, *needed: str) -> Iterator[str]:
    """What a listener lacks; how many revocation lists there are matters where their folder is named."""
    if server.get("httpsEnabled") is not True:
        return
    for name in (*needed, f"{listener}Cert", f"{listener}Pk"):
        if not server.get(name):
            yield f"{name} is missing"
    yield from _listed(server, f"{listener}CaFile", 1)
    yield from _listed(server, f"{listener}CrlFiles", 0, bounded=bool(server.get(f"{listener}CrlPath")))


def _one_listener(server: dict[str, Any]) -> bool:
    management = server.get("managementPort", server.get("port"))
    same_ip = server.get("managementIpAddress", server.get("ipAddress")) == server.get("ipAddress")
    return same_ip and management == server.get("port") == server.get("metricsPort")


def _listed(
    part: dict[str, Any], name: str, least: int, *, repeated: bool = False, bounded: bool = True
) -> Iterator[str]:
    """``repeated``: whether a name that stands there twice counts twice."""
    value = part.get(name, [])
    if not _names(value):
        yield f"{name} must list file names"
    elif bounded and not least <= len(value if repeated else set(value)) <= _MOST_FILES:
        yield f"{name} must list {least} to {_MOST_FILES} files"


def _names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
