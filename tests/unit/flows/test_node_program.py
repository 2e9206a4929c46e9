"""How the node program is run on a node without a Python of its own."""

from __future__ import annotations

from lingctl.flows.look.node_states import look_of, node_programs
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Paths
from lingctl.mindie.profile import profile_for
from lingctl.remote.command import Command
from lingctl.remote.connection import Completed
from lingctl.remote.group import Group
from lingctl.remote.local import LocalConnection
from lingctl.remote.upload import WriteFile
from tests.unit.release.conftest import cluster_of


class _OnlyAnImage(LocalConnection):
    """A node that has the image and no Python."""

    def run(self, command: Command, **how: object) -> Completed:
        return Completed(command, 0, "image\n", "")

    def put(self, *files: WriteFile, **how: object) -> None:
        pass


def _inspect(cluster: Cluster) -> str:
    look = look_of(cluster, profile_for(cluster.mindie))
    programs = node_programs(Group({"node1": _OnlyAnImage("node1")}), cluster, look)
    return programs["node1"]("weights", "inspect", "/x").text


def test_the_image_s_python_sees_weights_wherever_they_lie():
    usual = _inspect(cluster_of("node1"))
    assert usual.count(" -v ") == 2 and "-v /root/models:/root/models" in usual
    elsewhere = cluster_of("node1", paths=Paths(weights="/data/weights/Ling_lite"))
    assert "-v /data/weights:/data/weights" in _inspect(elsewhere)
