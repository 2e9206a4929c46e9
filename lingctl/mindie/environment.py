"""The daemon's environment and how it is started."""

from __future__ import annotations

from lingctl.engine.files import certificates_digest
from lingctl.engine.interface import Http
from lingctl.engine.scripts import Environment, Start
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node
from lingctl.mindie.profile import Profile
from lingctl.mindie.settings import serving_settings
from lingctl.mindie.shared_memory import needed_mib
from lingctl.mindie.tls import certificate_files

HTTP = Http(management=True, metrics=True, ready_path="/v2/health/ready")
# Which version reads which is known from documents alone before 3.0.0, so each is told by every name that
# there has been; MindIE-Motor's start script exports the three too.
_RANK_TABLE_NAMES = ("RANKTABLEFILE", "RANK_TABLE_FILE", "MIES_RANKTABLEFILE")
# Left over from an image or a shell they would win over what is rendered; proxies break local requests.
_CLEARED = (
    "MIES_CONTAINER_MANAGEMENT_IP",
    "MIES_CONFIG_JSON_PATH",
    "HOST_IP",
    "NPU_DEVICE_IDS",
    "NPU_VISIBLE_DEVICES",
    "http_proxy",
    "https_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    *_RANK_TABLE_NAMES,
    "WORLD_SIZE",
    "RANK",
    "ASCEND_RT_VISIBLE_DEVICES",
)


def variables(cluster: Cluster, node: Node, profile: Profile) -> dict[str, str]:
    """Variables of the daemon on one node.

    Source: the Ling README (several nodes), MindIE's environment reference; the log switches make 1.0.0
    show the workers' own errors, which it hides otherwise (users' reports).
    """
    fraction = serving_settings(cluster)["npu_memory_fraction"].value
    told = {
        **_visible_devices(cluster, node),
        "MIES_CONTAINER_IP": node.service_address,
        "NPU_MEMORY_FRACTION": f"{fraction:g}",
        # Unset, loading a large model takes hours instead of minutes.
        "OMP_NUM_THREADS": "1",
        "PYTORCH_NPU_ALLOC_CONF": "expandable_segments:True",
        "PYTHONDONTWRITEBYTECODE": "1",
        # 3.0.0 has no script of its own for it.
        **({"ATB_SPEED_HOME_PATH": profile.atb_llm} if profile.generation >= 3 else {}),
        **_logging(profile),
    }
    if cluster.multi_node:
        told |= {
            **dict.fromkeys(_RANK_TABLE_NAMES, f"{cluster.layout.release}/rank_table.json"),
            "WORLD_SIZE": str(cluster.world_size),
            "ATB_LLM_HCCL_ENABLE": "1",
            "ATB_LLM_COMM_BACKEND": "hccl",
            # The longest HCCL allows: nodes finish loading minutes apart.
            "HCCL_CONNECT_TIMEOUT": "7200",
            "HCCL_EXEC_TIMEOUT": "0",
        }
    return told


def daemon_environment(cluster: Cluster, node: Node, profile: Profile) -> Environment:
    """The vendor's scripts, then ours. Raises ConfigurationError: a certificate cannot be read or used."""
    return Environment(
        sources=profile.set_env,
        libraries=profile.libraries,
        cleared=_CLEARED,
        variables=variables(cluster, node, profile),
        certificates=certificates_digest(certificate_files(cluster, profile)),
    )


def daemon_start(cluster: Cluster, node: Node, profile: Profile) -> Start:
    """How the daemon is started."""
    config = f"{cluster.layout.release}/config.json"
    return Start(
        directory=profile.directory,
        words=tuple(word.replace("{config}", config) for word in profile.daemon),
        installed=(config, profile.installed_config) if profile.installed_config else None,
        leftovers="mindie-leftovers.sh",
        # What 1.0.0 and 2.x take is not known; their container gets what the documents ask for.
        shared_memory_mib=needed_mib(profile) if profile.generation >= 3 else 0,
        # Only the primary opens HTTP ports.
        ports=tuple(sorted(set(HTTP.ports(cluster.serving).values()))) if node == cluster.primary else (),
    )


def _visible_devices(cluster: Cluster, node: Node) -> dict[str, str]:
    """Which cards to use, where the container sees more than those.

    A container that is given some cards numbers them from 0, and the CANN runtime then refuses the physical
    ids (EE1001, a user's report); a privileged one sees all cards and has to be told. With several nodes the
    rank table names the cards.
    """
    subset = node.devices != tuple(range(len(node.devices)))
    if not (cluster.container.privileged and subset) or cluster.multi_node:
        return {}
    return {"ASCEND_RT_VISIBLE_DEVICES": ",".join(str(device) for device in node.devices)}


def _logging(profile: Profile) -> dict[str, str]:
    if profile.generation == 1:
        return {
            "MINDIE_LLM_LOG_TO_STDOUT": "1",
            "MINDIE_LLM_PYTHON_LOG_TO_STDOUT": "1",
            "MINDIE_LLM_PYTHON_LOG_TO_FILE": "1",
        }
    return {"MINDIE_LOG_LEVEL": "info", "MINDIE_LOG_TO_STDOUT": "1", "MINDIE_LOG_TO_FILE": "1"}
