"""The container that vLLM runs in: what it needs besides what every engine's has.

Source: vllm-ascend v0.23.0, docs/source/installation.md: the installer's note beside the driver.
"""

from __future__ import annotations

from lingctl.engine.container import ContainerSpec, container_of
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node
from lingctl.vllm.profile import VllmProfile
from lingctl.vllm.refusals import need_equals

# Its documents ask for 1g.
_SHM = "2g"
_MOUNTS = ("/etc/ascend_install.info:/etc/ascend_install.info:ro",)


def vllm_container(cluster: Cluster, node: Node, profile: VllmProfile) -> ContainerSpec:
    """The container of one node.

    Raises:
        ConfigurationError: the weights stand where they cannot be mounted, or hosts.yaml asks for what vLLM
            has no equal of.
    """
    need_equals(cluster)
    return container_of(
        cluster,
        node,
        image=profile.image,
        shm_size=cluster.container.shm_size or _SHM,
        mounts=_MOUNTS,
    )
