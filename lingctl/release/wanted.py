"""The Release: what one node should look like. Pure; the same inputs give the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from lingctl.inventory.cluster import Addresses, Cluster
from lingctl.inventory.sections import Node
from lingctl.mindie.config import render_config
from lingctl.mindie.container import ContainerSpec, container_spec
from lingctl.mindie.environment import render_environment, render_start
from lingctl.mindie.profile import Profile
from lingctl.mindie.rank_table import RankTable
from lingctl.release.layout import layout_of
from lingctl.release.overlay import overlay_digest, overlay_files


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A file of a release.

    Attributes:
        path: on the node.
        content: bytes.
        mode: permission bits; MindIE refuses a config.json or rank table above 0640.
    """

    path: str
    content: bytes
    mode: int = 0o640


@dataclass(frozen=True, slots=True)
class Release:
    """What one node should look like.

    Attributes:
        files: rendered files in ``release/``.
        overlay: the ATB overlay's files.
        container: the container that MindIE runs in.
        digest: changes whenever the daemon has to be started anew.
        weights: folder of the weights on the node.
        model_config: the model's config.json there, as the engine reads it.
    """

    node: str
    files: tuple[WantedFile, ...]
    overlay: tuple[WantedFile, ...]
    container: ContainerSpec
    digest: str
    weights: str
    model_config: Mapping[str, object]


def wanted_release(
    cluster: Cluster,
    node: Node,
    profile: Profile,
    addresses: Addresses,
    model_config: Mapping[str, object],
    weights: str,
) -> Release:
    """The release of one node.

    Args:
        cluster: what the operator wants.
        node: the node it is for.
        profile: the MindIE version's demands.
        addresses: live address of every card, by node name and physical id; used with several nodes.
        model_config: the model's config.json as the engine will read it.
        weights: folder of the weights on the node.

    Raises:
        ConfigurationError: the rank table cannot be made complete.
    """
    layout = layout_of(cluster)
    files = release_files(cluster, node, profile, addresses, weights)
    overlay = tuple(
        WantedFile(f"{layout.overlay}/{name}", content) for name, content in sorted(overlay_files().items())
    )
    container = container_spec(cluster, node, profile, layout.overlay)
    digest = _digest(files, container, model_config)
    return Release(node.name, files, overlay, container, digest, weights, model_config)


def release_files(
    cluster: Cluster, node: Node, profile: Profile, addresses: Addresses, weights: str
) -> tuple[WantedFile, ...]:
    """Every file in ``release/`` of one node; see ``wanted_release``."""
    files = [
        config_file(cluster, node, profile, weights),
        environment_file(cluster, node, profile),
        start_file(cluster, node, profile),
    ]
    if cluster.multi_node:
        files.append(rank_table_file(cluster, addresses))
    return tuple(files)


def config_file(cluster: Cluster, node: Node, profile: Profile, weights: str) -> WantedFile:
    """MindIE's config.json."""
    return WantedFile(layout_of(cluster).config, render_config(cluster, node, profile, weights).encode())


def environment_file(cluster: Cluster, node: Node, profile: Profile) -> WantedFile:
    """Variables of the daemon."""
    return WantedFile(layout_of(cluster).environment, render_environment(cluster, node, profile).encode())


def start_file(cluster: Cluster, node: Node, profile: Profile) -> WantedFile:
    """The script that runs the daemon."""
    return WantedFile(layout_of(cluster).start, render_start(cluster, node, profile).encode(), 0o750)


def rank_table_file(cluster: Cluster, addresses: Addresses) -> WantedFile:
    """The rank table, the same bytes for every node."""
    return WantedFile(layout_of(cluster).rank_table, RankTable.build(cluster, addresses).text.encode())


def _digest(
    files: tuple[WantedFile, ...], container: ContainerSpec, model_config: Mapping[str, object]
) -> str:
    parts = {
        "files": {file.path: hashlib.sha256(file.content).hexdigest() for file in files},
        "overlay": overlay_digest(),
        "container": container.digest,
        "model": model_config,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
