"""Asking every node what a deploy has to know, in one probe each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lingctl.inventory.cluster import Cluster
from lingctl.mindie.container import image_of
from lingctl.mindie.places import weights_mount
from lingctl.mindie.profile import Profile
from lingctl.program.prepare import InImage, prepare
from lingctl.release.certificates import certificate_paths
from lingctl.release.layout import layout_of
from lingctl.release.overlay import overlay_files
from lingctl.release.state import NodeState, read_state, state_questions
from lingctl.release.weights_steps import Program
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.probe import Question, probe_script, read_answers


def managed_paths(cluster: Cluster) -> list[str]:
    """Every file that a release may put on a node."""
    layout = layout_of(cluster)
    overlay = [f"{layout.overlay}/{name}" for name in sorted(overlay_files())]
    return [layout.config, layout.environment, layout.start, layout.rank_table, *overlay]


def node_programs(group: Group, cluster: Cluster, profile: Profile) -> dict[str, Program]:
    """Our program on every node, run by the host's Python or the image's.

    Raises:
        NodeError: a node has neither.
    """
    models, state = cluster.paths.models, cluster.state_dir
    folders = (f"{models}:{models}", f"{state}:{state}", weights_mount(cluster))
    image = image_of(cluster, profile)
    where = InImage(cluster.runtime, image, tuple(folder for folder in folders if folder))
    path = layout_of(cluster).program
    return group.all(lambda connection: prepare(connection, path, where).command)


def node_states(
    group: Group, cluster: Cluster, profile: Profile, programs: Mapping[str, Program]
) -> dict[str, NodeState]:
    """The state of every node.

    Raises:
        LingctlError: a node could not be asked.
    """
    return group.all(lambda connection: node_state(connection, cluster, profile, programs[connection.node]))


def node_state(
    connection: Connection,
    cluster: Cluster,
    profile: Profile,
    program: Program | None = None,
    *,
    image: str = "",
    paths: Iterable[str] = (),
) -> NodeState:
    """The state of one node.

    Args:
        connection: to the node.
        cluster: whose node.
        profile: of the MindIE version.
        program: our program there; without it the weights are not looked at.
        image: the container image to look for, if it is not the one of hosts.yaml.
        paths: more files to read than those of hosts.yaml's release.
    """
    certificates = certificate_paths(cluster, profile)
    wanted = list(dict.fromkeys((*managed_paths(cluster), *certificates, *paths)))
    questions = state_questions(cluster, layout_of(cluster), image or image_of(cluster, profile), wanted)
    if program is not None:
        folders = {"downloaded": cluster.downloaded_weights, "converted": cluster.converted_weights}
        questions += [
            Question(name, program("weights", "inspect", path), 120) for name, path in folders.items()
        ]
    probe = probe_script(questions)
    answers = read_answers(connection.run(probe.titled("look at the node"), timeout=600).stdout)
    return read_state(connection.node, answers, wanted)
