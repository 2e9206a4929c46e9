"""Where lingctl keeps its files for a cluster: the same paths on every node and in the container."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath


class _Below:
    """A path below the root of a layout, as text."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __get__(self, layout: Layout, kind: type[Layout]) -> str:
        return str(layout.root / self._path)


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below ``/var/lib/lingctl/<cluster>``."""

    root: PurePosixPath

    release = _Below("release")  # folder of the rendered files
    environment = _Below("release/environment.sh")  # variables of the daemon
    start = _Below("release/start.sh")  # script that runs the daemon
    certificates = _Below("tls")  # folder of all certificates
    overlay = _Below("overlay/bailing_moe")  # folder of what is added to the engine's own code
    # folder of what the running daemon leaves: the only one of ours that the container may write to
    run = _Below("run")
    console = _Below("run/console.log")  # what the daemon printed
    pid = _Below("run/daemon.pid")  # the daemon's process id, in the container
    log_sizes = _Below("run/log-sizes")  # how long each log of the container was when the daemon was started
    exit_status = _Below("run/daemon.exit")  # how the daemon ended
    # digest of the release that the daemon was started with, and when its process started
    started = _Below("run/started")
    last_started = _Below("run/last-started")  # what ``started`` was before the daemon was stopped on request
    audit = _Below("audit.log")  # one line for every change; see ``release.journal``
    releases = _Below("releases")  # folder of the recorded releases
    jobs = _Below("jobs")  # folder of long steps that outlive the connection
    batches = _Below("batch")  # folder of requests that are answered without a service
    program = _Below("node.pyz")  # lingctl's node program
