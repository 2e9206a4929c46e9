"""The two scripts by which any engine's daemon is started in its container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lingctl.engine.files import WantedFile, release_folder
from lingctl.engine.templates import render
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node


@dataclass(frozen=True, slots=True)
class Environment:
    """The daemon's environment.

    Attributes:
        sources: vendor scripts to source first, in order.
        libraries: folders to put before LD_LIBRARY_PATH that no script of ``sources`` puts there.
        cleared: variables that an image or a shell may have left and that would win.
        variables: what is set.
        certificates: digest of the certificates, so that the daemon is started anew when they change.
    """

    sources: tuple[str, ...]
    variables: Mapping[str, str]
    libraries: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()
    certificates: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """How the daemon is started.

    Attributes:
        directory: where.
        words: the program and its arguments.
        installed: where a rendered file has to be copied first, as (from, to), or None.
        leftovers: template of shell lines that remove what a dead daemon leaves, or empty.
        shared_memory_mib: what it takes of /dev/shm; 0 where that is not known.
        ports: that it opens on this node.
    """

    directory: str
    words: tuple[str, ...]
    installed: tuple[str, str] | None = None
    leftovers: str = ""
    shared_memory_mib: int = 0
    ports: tuple[int, ...] = ()


def environment_file(cluster: Cluster, node: Node, title: str, environment: Environment) -> WantedFile:
    """``environment.sh``: sources the vendor's scripts, then sets ours.

    Args:
        cluster: whose daemon.
        node: on which it runs.
        title: of the engine, for people.
        environment: what the engine wants.
    """
    text = render("environment.sh.j2", node=node.name, title=title, environment=environment)
    return WantedFile(f"{release_folder(cluster)}/environment.sh", text.encode())


def start_file(cluster: Cluster, node: Node, title: str, start: Start) -> WantedFile:
    """``start.sh``: runs the daemon and records its process id and how it ended; see ``environment_file``."""
    text = render(
        "start.sh.j2",
        node=node.name,
        title=title,
        runtime=cluster.runtime.program,
        run=f"{cluster.state_dir}/run",
        environment=f"{release_folder(cluster)}/environment.sh",
        start=start,
        hexadecimal_ports=[f"{port:04X}" for port in start.ports],
    )
    return WantedFile(f"{release_folder(cluster)}/start.sh", text.encode(), 0o750)
