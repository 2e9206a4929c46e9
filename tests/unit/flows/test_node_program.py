"""How the node program is run on a node without a Python of its own."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from lingctl.errors import LingctlError
from lingctl.events import ignore
from lingctl.flows.accept.protocol import Acceptance, AcceptOptions
from lingctl.flows.accept.weights import weights_part
from lingctl.flows.look.node_states import look_of, node_programs
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Paths
from lingctl.remote.command import Command
from lingctl.remote.completed import Completed
from lingctl.remote.group import Group
from lingctl.remote.local import LocalConnection
from lingctl.remote.upload import WriteFile
from tests.unit.release.conftest import cluster_of


class _OnlyAnImage(LocalConnection):
    """A node that has the image and no Python; takes down what it is asked."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.asked: list[str] = []

    def run(self, command: Command, **how: object) -> Completed:
        self.asked.append(command.text)
        return Completed(command, 0, "image\n", "")

    def put(self, *files: WriteFile, **how: object) -> None:
        pass


def _inspect(cluster: Cluster) -> str:
    look = look_of(cluster)
    programs = node_programs(Group({"node1": _OnlyAnImage("node1")}), cluster, look)
    return programs["node1"]("weights", "inspect", "/x").text


def test_the_image_s_python_sees_weights_wherever_they_lie():
    usual = _inspect(cluster_of("node1"))
    assert usual.count(" -v ") == 2 and "-v /root/models:/root/models" in usual
    elsewhere = cluster_of("node1", paths=Paths(weights="/data/weights/Ling_lite"))
    assert "-v /data/weights:/data/weights" in _inspect(elsewhere)


def test_an_acceptance_verifies_weights_wherever_they_lie_by_the_image_s_python():
    elsewhere, node = (
        cluster_of("node1", paths=Paths(weights="/data/weights/Ling_lite")),
        _OnlyAnImage("node1"),
    )
    given = Acceptance(elsewhere, AcceptOptions(), ignore, lambda: nullcontext(Group({"node1": node})))
    with pytest.raises(LingctlError, match="probe"):  # it tells nothing of itself
        weights_part(given)
    assert "-v /data/weights:/data/weights" in node.asked[-1]
