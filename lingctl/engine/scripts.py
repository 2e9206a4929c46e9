"""The two scripts by which any engine's daemon is started in its container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lingctl.assets import render
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node
from lingctl.remote.upload import WriteFile


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface, looked up on the node by its address when the daemon starts."""

    address: str  # of the node
    variables: tuple[str, ...]  # that are told its name


@dataclass(frozen=True, slots=True)
class Environment:
    """The daemon's environment."""

    sources: tuple[str, ...]  # vendor scripts to source first, in order
    variables: Mapping[str, str]  # what is set
    # folders to put before LD_LIBRARY_PATH that no script of ``sources`` puts there
    libraries: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()  # variables that an image or a shell may have left and that would win
    certificates: str = ""  # digest of the certificates, so that the daemon is started anew when they change


@dataclass(frozen=True, slots=True)
class Start:
    """How the daemon is started."""

    directory: str  # where
    words: tuple[str, ...]  # the program and its arguments
    # where a rendered file has to be copied first, as (from, to), or None
    installed: tuple[str, str] | None = None
    leftovers: str = ""  # template of shell lines that remove what a dead daemon leaves, or empty
    shared_memory_mib: int = 0  # what it takes of /dev/shm; 0 where that is not known
    interface: Interface | None = None  # whose name it has to be told; the start fails where there is none
    # that it opens on this node and cannot while connections of the last run linger
    ports: tuple[int, ...] = ()


def environment_file(cluster: Cluster, node: Node, title: str, environment: Environment) -> WriteFile:
    """``environment.sh``: sources the vendor's scripts, then sets ours."""
    text = render("environment.sh.j2", node=node.name, title=title, environment=environment)
    return WriteFile(cluster.layout.environment, text.encode())


def start_file(cluster: Cluster, node: Node, title: str, start: Start) -> WriteFile:
    """``start.sh``: runs the daemon and records its process id and how it ended; see ``environment_file``."""
    text = render(
        "start.sh.j2",
        node=node.name,
        title=title,
        runtime=cluster.runtime.program,
        run=cluster.layout.run,
        environment=cluster.layout.environment,
        start=start,
        hexadecimal_ports=[f"{port:04X}" for port in start.ports],
    )
    return WriteFile(cluster.layout.start, text.encode(), 0o750)
