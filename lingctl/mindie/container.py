"""The container that MindIE runs in: what its runtime is asked for, and nothing more.

Not privileged by default: each card and manager device is named. Source: vendor image guides of 2.2 to 3.0.0;
the Ling README's own command uses --privileged.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath

from lingctl.inventory.cluster import Cluster
from lingctl.inventory.runtime import Runtime
from lingctl.inventory.sections import Node
from lingctl.mindie.places import weights_mount
from lingctl.mindie.profile import Profile
from lingctl.mindie.shared_memory import shared_memory_size
from lingctl.mindie.tls import certificates_mount
from lingctl.remote.command import Command
from lingctl.remote.runtime import call

SPEC_LABEL = "lingctl.spec"
_MANAGERS = ("/dev/davinci_manager", "/dev/hisi_hdc", "/dev/devmm_svm")
_DRIVER_MOUNTS = (
    "/usr/local/Ascend/driver:/usr/local/Ascend/driver:ro",
    "/usr/local/sbin:/usr/local/sbin:ro",
)
_NETWORK_MOUNTS = ("/etc/hccn.conf:/etc/hccn.conf:ro",)


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """What a container is made from. ``digest`` tells whether a running one still matches."""

    name: str
    image: str
    devices: tuple[str, ...]
    mounts: tuple[str, ...]
    shm_size: str
    privileged: bool
    command: tuple[str, ...]
    cluster: str
    options: tuple[str, ...] = field(default=())

    @property
    def digest(self) -> str:
        """Changes whenever the container has to be made anew."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


def image_of(cluster: Cluster, profile: Profile) -> str:
    """The container image: the one in hosts.yaml, else the version's own."""
    return cluster.container.image or profile.image


def container_spec(cluster: Cluster, node: Node, profile: Profile, overlay_dir: str) -> ContainerSpec:
    """The container of one node.

    Args:
        cluster: image, name and mounts asked for.
        node: its cards.
        profile: the version's image and places.
        overlay_dir: folder of the overlay on the node; mounted read-only into ``atb_llm``.

    Raises:
        ConfigurationError: the weights stand where they cannot be mounted, or the shared memory is too small.
    """
    devices = (
        () if cluster.container.privileged else tuple(f"/dev/davinci{n}" for n in node.devices) + _MANAGERS
    )
    models, state = cluster.paths.models, cluster.state_dir
    overlay = PurePosixPath(profile.atb_llm) / "models" / "bailing_moe"
    outside = weights_mount(cluster)
    mounts = (
        *_DRIVER_MOUNTS,
        # Only HCCL between nodes reads it; where it is missing, docker would make a folder of that name.
        *(_NETWORK_MOUNTS if cluster.multi_node else ()),
        f"{models}:{cluster.paths.models_in_container}",
        *((outside,) if outside else ()),
        f"{state}:{state}",
        f"{overlay_dir}:{overlay}:ro",
        *certificates_mount(cluster, profile),
        *cluster.container.extra_mounts,
    )
    return ContainerSpec(
        name=cluster.container_name,
        image=image_of(cluster, profile),
        devices=devices,
        mounts=mounts,
        shm_size=shared_memory_size(cluster, profile),
        privileged=cluster.container.privileged,
        command=("sleep", "infinity"),
        cluster=cluster.name,
    )


def run_command(runtime: Runtime, spec: ContainerSpec) -> Command:
    """Start the container in the background; it idles until the daemon is started in it."""
    words = ["run", "-d", "--name", spec.name, "--network", "host", "--init", *runtime.run_options]
    words += ["--shm-size", spec.shm_size]
    words += ["--label", f"{SPEC_LABEL}={spec.digest}", "--label", f"lingctl.cluster={spec.cluster}"]
    if spec.privileged:
        words.append("--privileged")
    for device in spec.devices:
        words += ["--device", device]
    for mount in spec.mounts:
        words += ["-v", mount]
    return call(runtime, *words, spec.image, *spec.command, title=f"run container {spec.name}")
