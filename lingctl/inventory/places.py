"""Where the container sees the weights."""

from __future__ import annotations

from pathlib import PurePosixPath

from lingctl.errors import ConfigurationError
from lingctl.inventory.cluster import Cluster


def weights_in_container(cluster: Cluster, folder: str) -> str:
    """The path by which the engine reads a weights folder of the node."""
    path = PurePosixPath(folder)
    if not path.is_relative_to(cluster.paths.models):
        return folder
    return str(PurePosixPath(cluster.paths.models_in_container) / path.relative_to(cluster.paths.models))


def weights_mount(cluster: Cluster) -> str | None:
    """The extra mount that weights outside ``paths.models`` need: their parent, at the same path.

    The parent and not the folder, because converted weights come to lie beside the downloaded ones.

    Raises:
        ConfigurationError: the folder stands directly below the root.
    """
    folder = PurePosixPath(cluster.downloaded_weights)
    if folder.is_relative_to(cluster.paths.models):
        return None
    if folder.parent == PurePosixPath("/"):
        raise ConfigurationError(
            f"the weights folder {folder} stands directly below /, which cannot be mounted",
            where="paths.weights",
            remedy=f"move it one level down, e.g. /data{folder}",
            code="weights-below-root",
        )
    return f"{folder.parent}:{folder.parent}"
