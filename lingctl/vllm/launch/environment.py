"""The variables of the daemon on one node.

Sources: vllm-ascend v0.23.0, docs of installation, ray and the multi-node recipes (DeepSeek-V3.1); vLLM's
envs.py.
"""

from __future__ import annotations

from lingctl.engine.files import certificates_digest
from lingctl.engine.scripts import Environment
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node
from lingctl.vllm.launch.parallel import cut_of
from lingctl.vllm.launch.tls import https_files
from lingctl.vllm.profile import VllmProfile

# Left over from an image or a shell they would win over what is rendered, or break local requests.
_CLEARED = (
    "http_proxy",
    "https_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "RANK_TABLE_FILE",
    "RANKTABLEFILE",
    "WORLD_SIZE",
    "RANK",
    "LOCAL_RANK",
    "MASTER_ADDR",
    "MASTER_PORT",
    # vllm-ascend does not start its graphs with it.
    "ASCEND_LAUNCH_BLOCKING",
    # Lets a window through that the model was not made for.
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN",
    # The engine before 0.10, and another dealing of layers over a pipeline than capacity counts with.
    "VLLM_USE_V1",
    "VLLM_PP_LAYER_PARTITION",
)
# The longest that HCCL allows: nodes come up minutes apart.
_CONNECT_SECONDS = 7200
INTERFACE_VARIABLES = ("HCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME", "TP_SOCKET_IFNAME")


def vllm_environment(cluster: Cluster, node: Node, profile: VllmProfile) -> Environment:
    """The vendor's scripts, then ours. Raises ConfigurationError: a certificate cannot be read or used."""
    return Environment(
        sources=profile.set_env,
        cleared=_CLEARED,
        variables=_variables(cluster, node, profile),
        certificates=certificates_digest(https_files(cluster)),
    )


def _variables(cluster: Cluster, node: Node, profile: VllmProfile) -> dict[str, str]:
    told = {
        "ASCEND_RT_VISIBLE_DEVICES": _visible_devices(cluster, node),
        "VLLM_HOST_IP": node.service_address,
        # Loading Ling-plus from cold disks takes longer than vLLM's ten minutes.
        "VLLM_ENGINE_READY_TIMEOUT_S": str(cluster.timeouts.start),
        # No node of an air-gapped site is to look for a hub or to report anything.
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "OMP_NUM_THREADS": "1",
        "OMP_PROC_BIND": "false",
        "PYTORCH_NPU_ALLOC_CONF": "expandable_segments:True",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if not cluster.multi_node:
        return told
    told |= {"HCCL_IF_IP": node.service_address, "HCCL_CONNECT_TIMEOUT": str(_CONNECT_SECONDS)}
    if cut_of(cluster, profile).data > 1 and cluster.engine.hardware == "a2":
        told |= {"HCCL_INTRA_PCIE_ENABLE": "1", "HCCL_INTRA_ROCE_ENABLE": "0"}
    if cluster.engine.distributed == "ray":
        told |= {"RAY_ADDRESS": ray_address(cluster), "RAY_EXPERIMENTAL_NOSET_ASCEND_RT_VISIBLE_DEVICES": "1"}
    return told


def ray_address(cluster: Cluster) -> str:
    """Where the site's Ray is."""
    host = cluster.primary.service_address
    return cluster.engine.ray_address or f"{f'[{host}]' if ':' in host else host}:6379"


def _visible_devices(cluster: Cluster, node: Node) -> str:
    """The cards by the ids that the container gives them.

    One that is given some cards numbers them from 0, and the CANN runtime then refuses the physical ids
    (EE1001, a user's report); a privileged one sees all cards by their physical ids.
    """
    ids = node.devices if cluster.container.privileged else range(len(node.devices))
    return ",".join(map(str, ids))
