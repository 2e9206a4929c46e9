"""The container that MindIE runs in: what it needs besides what every engine's has."""

from __future__ import annotations

from lingctl.engine.container import ContainerSpec, container_of
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node
from lingctl.mindie.overlay import overlay_in_container
from lingctl.mindie.profile import Profile
from lingctl.mindie.shared_memory import shared_memory_size
from lingctl.mindie.tls import certificates_mount


def container_spec(cluster: Cluster, node: Node, profile: Profile) -> ContainerSpec:
    """The container of one node.

    Args:
        profile: the version's image and places. The overlay is mounted read-only into its ``atb_llm``.

    Raises:
        ConfigurationError: the weights stand where they cannot be mounted, or the shared memory is too small.
    """
    return container_of(
        cluster,
        node,
        image=profile.image,
        shm_size=shared_memory_size(cluster, profile),
        mounts=(
            f"{cluster.layout.overlay}:{overlay_in_container(profile)}:ro",
            *certificates_mount(cluster, profile),
        ),
    )
