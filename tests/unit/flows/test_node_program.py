"""How the node program is run on a node without a Python of its own."""

from __future__ import annotations

from lingctl.flows.run.node_program import _in_image
from lingctl.inventory.sections import Paths
from tests.unit.release.conftest import cluster_of


def test_the_image_s_python_sees_weights_wherever_they_lie():
    usual = _in_image(cluster_of("node1"), "mindie:1", "/state/node.pyz")("weights", "inspect", "/x").text
    assert usual.count(" -v ") == 2 and "-v /root/models:/root/models" in usual
    elsewhere = cluster_of("node1", paths=Paths(weights="/data/weights/Ling_lite"))
    assert "-v /data/weights:/data/weights" in _in_image(elsewhere, "mindie:1", "/state/node.pyz")("x").text
