"""hosts.yaml judged as far as one can without asking a node."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lingctl.engine.interface import Engine
from lingctl.engines import engine_of
from lingctl.errors import ConfigurationError, as_one_error
from lingctl.flows.files.logins import shown_logins
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.given_file import with_home
from lingctl.paths import is_file, is_there
from lingctl.release.wanted import script_files


def judge_config(cluster: Cluster) -> tuple[str, ...]:
    """What is to be known of it beside that it is right.

    Raises:
        ConfigurationError: the engine would refuse something, or a file that it names is not here; all of it.
    """
    engine = engine_of(cluster)
    found: dict[str, ConfigurationError] = {}
    for ask, *values in (*_files_here(cluster), *_asked_of(engine, cluster)):
        try:
            ask(*values)
        except ConfigurationError as error:
            found.setdefault(f"{error.where} {error.what}", error)
    if found:
        raise as_one_error(list(found.values()))
    return engine.remarks(cluster)


_Asked = tuple[Any, ...]  # a function that may refuse, and its arguments


def _files_here(cluster: Cluster) -> Iterator[_Asked]:
    named = {"ssh.key": cluster.ssh.key, "ssh.config": cluster.ssh.config}
    if "known_hosts" in cluster.ssh.model_fields_set:
        named["ssh.known_hosts"] = cluster.ssh.known_hosts
    named |= {f"hub.ca of {Path(name).name}": name for name in cluster.hub.ca}
    named |= {f"ssh.key of {node.name}": node.ssh.key for node in cluster.nodes}
    for field, name in named.items():
        if name and name != "none":
            yield _need_file, field, name
    # ~/.ssh/config may say what cannot be followed, too.
    yield shown_logins, cluster


def _need_file(field: str, name: str) -> None:
    path = with_home(name)
    if not is_file(path):
        raise ConfigurationError(
            f"there is no file {path} here" if not is_there(path) else f"{path} is no file",
            where=f"{field} in hosts.yaml",
            code="config-file-missing",
        )


def _asked_of(engine: Engine, cluster: Cluster) -> Iterator[_Asked]:
    """Everything that the engine judges without an answer of a node."""
    yield engine.encryption, cluster
    weights = cluster.downloaded_weights
    for node in cluster.nodes:
        yield engine.container, cluster, node
        yield engine.files, cluster, node, weights
        yield script_files, cluster, node, weights, None
