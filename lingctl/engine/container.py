"""The container that an engine runs in: what its runtime is asked for, and nothing more.

Not privileged by default: each card and manager device is named. Source: vendor image guides of 2.2 to 3.0.0;
the Ling README's own command uses --privileged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath

from lingctl.errors import ConfigurationError
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.places import weights_mount
from lingctl.inventory.runtime import Runtime
from lingctl.inventory.sections import Node
from lingctl.remote.command import Command, command
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


def container_of(
    cluster: Cluster, node: Node, *, image: str, shm_size: str, mounts: Iterable[str] = ()
) -> ContainerSpec:
    """The container of one node, which idles until a daemon is started in it.

    Args:
        image: the version's own; that of hosts.yaml is taken before it.
        mounts: what this engine needs besides the driver, the models and our own folder.

    Raises:
        ConfigurationError: the weights stand where they cannot be mounted, or one of ``extra_mounts`` has a
            target that is taken.
    """
    devices = (
        () if cluster.container.privileged else tuple(f"/dev/davinci{n}" for n in node.devices) + _MANAGERS
    )
    models, state, run = cluster.paths.models, cluster.state_dir, cluster.layout.run
    outside = weights_mount(cluster)
    ours = (
        *_DRIVER_MOUNTS,
        # Only HCCL between nodes reads it; where it is missing, docker would make a folder of that name.
        *(_NETWORK_MOUNTS if cluster.multi_node else ()),
        f"{models}:{cluster.paths.models_in_container}",
        *((outside,) if outside else ()),
        # Programs that root runs on the node lie there: the container is not to change them.
        f"{state}:{state}:ro",
        f"{run}:{run}",
        *mounts,
    )
    _need_free_targets(ours, cluster.container.extra_mounts)
    return ContainerSpec(
        name=cluster.container_name,
        image=cluster.container.image or image,
        devices=devices,
        mounts=(*ours, *cluster.container.extra_mounts),
        shm_size=shm_size,
        privileged=cluster.container.privileged,
        command=("sleep", "infinity"),
        cluster=cluster.name,
    )


def _need_free_targets(ours: Iterable[str], extra: Iterable[str]) -> None:
    """Docker and podman refuse two mounts with one target, and would not say whose the other one is."""
    taken = {str(PurePosixPath(mount.split(":")[1])) for mount in ours}
    for mount in extra:
        if str(PurePosixPath(mount.split(":")[1])) in taken:
            raise ConfigurationError(
                f"{mount!r} has a target that lingctl mounts itself",
                where="container.extra_mounts",
                code="mount-target-taken",
            )


def folder_command(run: str) -> Command:
    """Make what is mounted for the daemon: podman makes no such folder, docker one that all may read."""
    return Command(f"umask 027; {command('mkdir', '-p', run).text}", "make the daemon's folder")


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
