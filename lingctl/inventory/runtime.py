"""Container runtimes: everything in which one has to be treated otherwise than another. Data only.

Sources: podman-run(1), podman-info(1), containers.conf(5); a real podman 4.3.1 and Docker engine 20.10.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Runtime:
    """A container runtime, by the program that commands it."""

    program: str  # its name in hosts.yaml, on the node and in messages
    version: tuple[str, ...]  # words that make it print its version, and fail where it could run nothing
    alive: str  # a path that is there on a node whose root may have containers that run
    # what ``run`` is told besides, so that a container gets what it gets elsewhere
    run_options: tuple[str, ...]
    down: str  # what to do where it does not answer
    absent_mount: str  # what it makes of a mount whose source is not there
    as_root: bool  # whether only root's containers can be given the cards


DOCKER = Runtime(
    program="docker",
    version=("version", "--format", "{{.Server.Version}}"),
    alive="/run/docker.sock",
    run_options=(),
    down="systemctl start docker; docker version",
    absent_mount="docker would make an empty folder of that name",
    as_root=False,
)
PODMAN = Runtime(
    program="podman",
    # There is no engine that could be down: `info` opens the storage of images, which `version` does not.
    version=("info", "--format", "{{.Version.Version}}"),
    alive="/run/libpod",
    # As docker does by default: no bound on processes (podman's is 2048), and no SELinux label, which would
    # keep the host's folders from the container.
    run_options=("--pids-limit", "-1", "--security-opt", "label=disable"),
    down="see why: podman info; install podman where it is missing",
    absent_mount="podman would not start without it",
    as_root=True,
)
RUNTIMES = {runtime.program: runtime for runtime in (DOCKER, PODMAN)}
