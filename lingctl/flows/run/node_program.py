"""lingctl's own program on a node: pushed when it differs, run by the host's Python or the container's."""

from __future__ import annotations

from lingctl.errors import NodeError
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.places import weights_mount
from lingctl.program import pack as node_program
from lingctl.release.layout import layout_of
from lingctl.release.weights_steps import Program
from lingctl.remote.command import Command, command, script
from lingctl.remote.connection import Connection
from lingctl.remote.runtime import call, image_command
from lingctl.remote.upload import WriteFile

_ASK = """
sha256sum "$1" 2>/dev/null | cut -d" " -f1
python3 -c "import sys; sys.exit(sys.version_info < (3, 9))" 2>/dev/null && echo python
"""


def prepare_program(connection: Connection, cluster: Cluster, image: str) -> Program:
    """Make sure the node has our program, and tell how to run it there.

    Raises:
        NodeError: neither the node nor its container image has a Python that can run it.
    """
    path = layout_of(cluster).program
    said = connection.run(script(_ASK, path, title="look for the node program"), timeout=30).stdout.split()
    if node_program.digest() not in said:
        connection.put(WriteFile(path, node_program.build(), 0o640))
    if "python" in said:
        return lambda *words: command("python3", path, *words)
    if not connection.run(image_command(cluster.runtime, image), timeout=30).ok:
        raise NodeError(
            "neither Python 3.9 nor the container image is there to run lingctl's node program",
            where=connection.node,
            remedy=f"install python3, or get the image: {cluster.runtime.program} pull {image}",
            code="no-python",
        )
    return _in_image(cluster, image, path)


def _in_image(cluster: Cluster, image: str, path: str) -> Program:
    models, state = cluster.paths.models, cluster.state_dir
    folders = [f"{models}:{models}", f"{state}:{state}", weights_mount(cluster)]
    mounts = [word for folder in folders if folder for word in ("-v", folder)]

    def run(*words: str | int) -> Command:
        before = ("run", "--rm", "--network", "none", *cluster.runtime.run_options, *mounts)
        return call(cluster.runtime, *before, image, "python3", path, *words)

    return run
