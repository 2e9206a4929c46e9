"""A daemon that nobody stopped is judged by all that was read of it, not only by the end of its console."""

from __future__ import annotations

from lingctl.engines import engine_of
from lingctl.errors import ConnectError
from lingctl.flows.look.daemon import DaemonSight, how_it_ended, look_closer
from lingctl.release.site import site_of
from lingctl.remote.command import Command
from lingctl.remote.completed import Completed, OutputListener
from lingctl.remote.local import LocalConnection
from tests.unit.release.conftest import cluster_of

CLUSTER = cluster_of("node1")
ENGINE, SITE = engine_of(CLUSTER), site_of(CLUSTER)
END = "EI0006 wait socket establish timeout, role[0] rank[0] timeout[120 s]"
CAUSE = "RuntimeError: NPU out of memory. Tried to allocate 2.00 GiB (NPU 3; 60.97 GiB total capacity)"
DEAD = DaemonSight(False, "137", END)


class _Node(LocalConnection):
    """A node whose earlier console tells the cause, and whose container is lost."""

    def run(
        self, command: Command, *, timeout: float = 60.0, on_output: OutputListener | None = None
    ) -> Completed:
        if command.title == "read the error logs":
            raise ConnectError("the connection was lost", where=self.node)
        return Completed(command, 0, CAUSE, "")


def test_by_its_end_alone_only_the_consequence_is_known():
    assert "two cards did not reach each other in time" in how_it_ended(DEAD, ENGINE.logs)


def test_from_close_by_the_cause_is_told_as_the_start_tells_it():
    told = how_it_ended(look_closer(_Node("node1"), SITE, ENGINE, DEAD), ENGINE.logs)
    assert told == "the daemon ended (exit status 137): a card's memory is full (certain)"
