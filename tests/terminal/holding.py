"""lingctl with one more verb, ``hold``: it holds a lock in a folder here and works until it is ended.

``hold FOLDER [--slow] [--patience SECONDS]``. With --slow the lock is given back only when
FOLDER/go exists; FOLDER/asked tells that it waits for it.
It is what a change of a cluster does to signals and to the terminal, without a cluster.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from lingctl import interrupts
from lingctl.cli import app as cli
from lingctl.events import Event
from lingctl.flows.run.lock import locked
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node, Paths
from lingctl.output.progress import progress
from lingctl.remote.command import script
from lingctl.remote.group import Group
from lingctl.remote.local import LocalConnection


class Slow(LocalConnection):
    """Gives a lock back only when it may."""

    def __init__(self, node: str, go: Path) -> None:
        super().__init__(node)
        self._go = go

    def run(self, command, **options):
        """See ``Connection.run``."""
        if command.title == "give the lock back":
            self._go.with_name("asked").touch()
            while not self._go.exists():
                time.sleep(0.02)
        return super().run(command, **options)


class Cut(LocalConnection):
    """Its work ends when it is closed, as over SSH."""

    def __init__(self, node: str) -> None:
        super().__init__(node)
        self._closed = False

    def close(self) -> None:
        """See ``Connection.close``."""
        self._closed = True

    def work(self) -> None:
        """Go on for as long as it is open."""
        while not self._closed:
            time.sleep(0.02)


def cluster_in(folder: Path) -> Cluster:
    """A cluster whose lock lies in a folder here."""
    node = Node(address="127.0.0.1", name="node1")
    return Cluster(name="demo", model="ling-lite", nodes=(node,), paths=Paths(state=str(folder)))


def hold(
    folder: Path,
    slow: Annotated[bool, typer.Option("--slow")] = False,
    patience: Annotated[float, typer.Option("--patience")] = interrupts.PATIENCE_SECONDS,
) -> None:
    """Hold a lock and work until ended."""
    interrupts.PATIENCE_SECONDS = patience
    primary = Slow("node1", folder / "go") if slow else LocalConnection("node1")
    primary.run(script("true"))
    group = Group({"node1": Cut("node1")})
    with progress() as listener, locked(primary, cluster_in(folder), "lingctl hold", listener):
        listener(Event("hold", "note", "node1", "a note"))
        listener(Event("hold", "started", "node1", "held"))
        group.map(lambda connection: connection.work())


if __name__ == "__main__":  # tests import this module, and their lingctl has no such verb
    cli.app.command("hold")(hold)
    cli.main()
