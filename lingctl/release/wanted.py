"""The Release: what one node should look like. Pure; the same inputs give the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from lingctl.engine.container import ContainerSpec
from lingctl.engine.scripts import environment_file, start_file
from lingctl.engines import engine_of
from lingctl.inventory.cluster import Addresses, Cluster
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.inventory.sections import Node
from lingctl.node.overlay.package import folder_digest
from lingctl.remote.upload import WriteFile


@dataclass(frozen=True, slots=True)
class Release:
    """What one node should look like."""

    node: str
    files: tuple[WriteFile, ...]  # rendered files in ``release/``
    overlay: tuple[WriteFile, ...]  # files that are added to the engine's own code
    container: ContainerSpec  # the container that the engine runs in
    digest: str  # changes whenever the daemon has to be started anew
    weights: str  # folder of the weights on the node
    model_config: Mapping[str, object]  # the model's config.json there, as the engine reads it
    engine: EngineChoice  # what serves it


def wanted_release(
    cluster: Cluster,
    node: Node,
    addresses: Addresses,
    model_config: Mapping[str, object],
    weights: str,
) -> Release:
    """The release of one node.

    Args:
        addresses: live address of every card, by node name and physical id; used with several nodes.
        model_config: the model's config.json as the engine will read it.

    Raises:
        ConfigurationError: the engine would refuse it, or what joins the nodes cannot be made complete.
    """
    files = release_files(cluster, node, addresses, weights, model_config)
    overlay = overlay_files(cluster)
    container = engine_of(cluster).container(cluster, node)
    digest = _digest(files, overlay, container, model_config)
    return Release(node.name, files, overlay, container, digest, weights, model_config, cluster.chosen_engine)


def overlay_files(cluster: Cluster) -> tuple[WriteFile, ...]:
    """What is added to the engine's own code, in order of names; the same on every node."""
    folder, files = cluster.layout.overlay, engine_of(cluster).overlay.files
    return tuple(WriteFile(f"{folder}/{name}", content) for name, content in sorted(files.items()))


def release_files(
    cluster: Cluster,
    node: Node,
    addresses: Addresses,
    weights: str,
    model_config: Mapping[str, object] | None = None,
) -> tuple[WriteFile, ...]:
    """Every file in ``release/`` of one node; see ``wanted_release``. A config that is empty is not known."""
    engine = engine_of(cluster)
    own, scripts = engine.files(cluster, node, weights), script_files(cluster, node, weights, model_config)
    return (*own, *scripts, *engine.joint(cluster, addresses).files)


def script_files(
    cluster: Cluster, node: Node, weights: str, model_config: Mapping[str, object] | None = None
) -> tuple[WriteFile, ...]:
    """The daemon's variables, and the script that runs it."""
    engine = engine_of(cluster)
    title = engine.about.title
    return (
        environment_file(cluster, node, title, engine.environment(cluster, node)),
        start_file(cluster, node, title, engine.start(cluster, node, weights, model_config or None)),
    )


def _digest(
    files: tuple[WriteFile, ...],
    overlay: tuple[WriteFile, ...],
    container: ContainerSpec,
    model_config: Mapping[str, object],
) -> str:
    parts = {
        "files": {file.path: file.digest for file in files},
        "overlay": folder_digest({file.name: file.digest for file in overlay}),
        "container": container.digest,
        "model": model_config,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
