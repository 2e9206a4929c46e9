"""Where lingctl keeps its files for a cluster: the same paths on every node and in the container."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from lingctl.inventory.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below ``/var/lib/lingctl/<cluster>``."""

    root: PurePosixPath

    @property
    def release(self) -> str:
        """Folder of the rendered files."""
        return str(self.root / "release")

    @property
    def environment(self) -> str:
        """Variables of the daemon."""
        return str(self.root / "release" / "environment.sh")

    @property
    def start(self) -> str:
        """Script that runs the daemon."""
        return str(self.root / "release" / "start.sh")

    @property
    def overlay(self) -> str:
        """Folder of what is added to the engine's own code."""
        return str(self.root / "overlay" / "bailing_moe")

    @property
    def run(self) -> str:
        """Folder of what the running daemon leaves."""
        return str(self.root / "run")

    @property
    def console(self) -> str:
        """What the daemon printed."""
        return str(self.root / "run" / "console.log")

    @property
    def pid(self) -> str:
        """The daemon's process id, in the container."""
        return str(self.root / "run" / "daemon.pid")

    @property
    def exit_status(self) -> str:
        """How the daemon ended."""
        return str(self.root / "run" / "daemon.exit")

    @property
    def started(self) -> str:
        """Digest of the release that the daemon was started with, and when its process started."""
        return str(self.root / "run" / "started")

    @property
    def last_started(self) -> str:
        """What ``started`` was before the daemon was stopped on request."""
        return str(self.root / "run" / "last-started")

    @property
    def audit(self) -> str:
        """One line for every change; see ``release.journal``."""
        return str(self.root / "audit.log")

    @property
    def releases(self) -> str:
        """Folder of the recorded releases."""
        return str(self.root / "releases")

    @property
    def jobs(self) -> str:
        """Folder of long steps that outlive the connection."""
        return str(self.root / "jobs")

    @property
    def program(self) -> str:
        """lingctl's node program."""
        return str(self.root / "node.pyz")


def layout_of(cluster: Cluster) -> Layout:
    """The layout of a cluster's nodes."""
    return Layout(PurePosixPath(cluster.state_dir))
