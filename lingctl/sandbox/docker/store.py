"""Containers of a node as files: one folder each below /var/lib/docker, changed under one lock."""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from lingctl.sandbox.docker.trouble import DockerError
from lingctl.sandbox.image_tree import remove_tree
from lingctl.sandbox.state import locked

HOME = Path("/var/lib/docker")
# Whoever changes containers holds it.
LOCK = HOME / "lock"
_CONTAINERS = HOME / "containers"
# What docker says of a container that ran when its host went down.
_LOST = 255
_ABSENT = "Error response from daemon: No such container: {}"


@dataclass(frozen=True)
class Device:
    """A device as ``--device`` names it."""

    source: str
    target: str
    permissions: str = "rwm"


@dataclass(frozen=True)
class Bind:
    """A mount as ``-v`` names it."""

    source: str
    target: str
    mode: str = ""

    @property
    def read_only(self) -> bool:
        """Whether nothing may be written through it."""
        return "ro" in self.mode.split(",")


@dataclass(frozen=True)
class Run:
    """How a container came to its present state."""

    status: str = "created"  # ``created``, ``running`` or ``exited``
    pid: int = 0  # of its first process, as the node counts; 0 if none runs
    started_ticks: str = ""  # start time of that process, which tells it from a later one of the same pid
    exit_code: int = 0
    error: str = ""
    started_at: str = "0001-01-01T00:00:00Z"
    finished_at: str = "0001-01-01T00:00:00Z"


@dataclass(frozen=True)
class Container:
    """One container."""

    id: str
    name: str
    image: str  # as the user wrote it
    image_id: str  # digest, without ``sha256:``
    created: str
    command: list[str]  # the words that run, the entry point first
    arguments: list[str]  # words after the image, or the image's own
    entrypoint: list[str] | None
    environment: list[str]
    hostname: str
    labels: dict[str, str]
    network: str  # ``host``, ``none`` or ``bridge``
    ipc: str
    binds: list[Bind]
    devices: list[Device]
    privileged: bool
    shm_size: int  # bytes
    init: bool
    directory: str
    terminal: bool
    open_stdin: bool
    auto_remove: bool
    run: Run = field(default_factory=Run)

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return _CONTAINERS / self.id

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.folder / f"{self.id}-json.log"

    @property
    def running(self) -> bool:
        """Whether its first process lives."""
        return self.run.status == "running"


def containers() -> list[Container]:
    """All containers, the newest first."""
    found = []
    for path in _CONTAINERS.glob("*/config.json"):
        with contextlib.suppress(FileNotFoundError):
            found.append(_true(_read(path)))
    return sorted(found, key=lambda container: container.created, reverse=True)


def container_named(name: str) -> Container | None:
    """The container of a name, an id or the unique beginning of an id."""
    every = containers()
    for container in every:
        if name.removeprefix("/") == container.name or name == container.id:
            return container
    matching = [
        container for container in every if re.fullmatch("[0-9a-f]+", name) and container.id.startswith(name)
    ]
    return matching[0] if len(matching) == 1 else None


def required(name: str, message: str = _ABSENT) -> Container:
    """The container of a name.

    Raises:
        DockerError: there is none.
    """
    found = container_named(name)
    if found is None:
        raise DockerError(message.format(name), 1)
    return found


def save(container: Container) -> None:
    """Write a container's description."""
    container.folder.mkdir(parents=True, exist_ok=True)
    part = container.folder / f"config.{os.getpid()}.part"
    part.write_text(json.dumps(asdict(container)))
    part.replace(container.folder / "config.json")


def set_run(container: Container, **values: object) -> Container:
    """Replace parts of its run state, on disk too; a container that was removed meanwhile stays removed."""
    with locked(LOCK):
        path = container.folder / "config.json"
        latest = _read(path) if path.exists() else container
        changed = replace(latest, run=replace(latest.run, **values))  # type: ignore[arg-type]  # fields by name
        if path.exists():
            save(changed)
    return changed


def remove(container: Container) -> None:
    """Remove its files; what cannot go, as a mount, is no container's any more."""
    (container.folder / "config.json").unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        remove_tree(container.folder)


def started_ticks(pid: int) -> str:
    """Start time of a process, empty if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def check_name(name: str) -> None:
    """Check that a new container may have a name: it is well-formed and free.

    Raises:
        DockerError: it is not.
    """
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", name):
        raise DockerError(
            f"Error response from daemon: Invalid container name ({name}), "
            "only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed.",
            125,
        )
    holder = container_named(name)
    if holder is not None and holder.name == name:
        raise DockerError(
            f'Error response from daemon: Conflict. The container name "/{name}" is already in use by '
            f'container "{holder.id}". You have to remove (or rename) that container to be able to reuse '
            "that name.",
            125,
        )


def _read(path: Path) -> Container:
    document = json.loads(path.read_text())
    document["binds"] = [Bind(**bind) for bind in document["binds"]]
    document["devices"] = [Device(**device) for device in document["devices"]]
    document["run"] = Run(**document["run"])
    return Container(**document)


def _true(container: Container) -> Container:
    """The container as it is: one whose host went down under it has ended."""
    run = container.run
    if run.status == "running" and started_ticks(run.pid) != run.started_ticks:
        # Its own supervisor may be about to write the exit status: only one without a supervisor is lost.
        supervisor = container.folder / "supervisor"
        pid, _, ticks = supervisor.read_text().partition(" ") if supervisor.exists() else ("0", "", "-")
        if started_ticks(int(pid)) != ticks:
            return replace(container, run=replace(run, status="exited", pid=0, exit_code=_LOST))
    return container
