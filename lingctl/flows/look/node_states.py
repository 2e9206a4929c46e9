"""Asking every node what a deploy has to know, in one probe each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lingctl.inventory.cluster import Cluster
from lingctl.mindie.container import image_of
from lingctl.mindie.places import weights_mount
from lingctl.mindie.profile import Profile
from lingctl.mindie.tls import certificates_folder
from lingctl.program.prepare import InImage, prepare
from lingctl.release.certificates import certificate_paths
from lingctl.release.overlay import overlay_files
from lingctl.release.site import Site, site_of
from lingctl.release.state import NodeState, read_state, state_questions
from lingctl.release.weights_steps import Program
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.probe import Question, probe_script, read_answers


@dataclass(frozen=True, slots=True)
class Look:
    """What every node is asked: the same for all of them, and for each time that they are looked at.

    Attributes:
        site: where to look.
        image: the container image to look for.
        paths: the files that a release of hosts.yaml and its certificates may put there.
        secret: folder of what is never fetched.
        weights: the folders that may hold weights, by what they hold.
    """

    site: Site
    image: str
    paths: tuple[str, ...]
    secret: str
    weights: Mapping[str, str]


def look_of(cluster: Cluster, profile: Profile, *, image: str = "") -> Look:
    """What the nodes of a cluster are asked.

    Args:
        cluster: whose nodes.
        profile: of the MindIE version.
        image: the container image to look for, if it is not the one of hosts.yaml.
    """
    site = site_of(cluster)
    layout = site.layout
    overlay = (f"{layout.overlay}/{name}" for name in sorted(overlay_files()))
    release = (layout.config, layout.environment, layout.start, layout.rank_table, *overlay)
    return Look(
        site,
        image or image_of(cluster, profile),
        (*release, *certificate_paths(cluster, profile)),
        certificates_folder(cluster),
        {"downloaded": cluster.downloaded_weights, "converted": cluster.converted_weights},
    )


def node_programs(group: Group, cluster: Cluster, look: Look) -> dict[str, Program]:
    """Our program on every node, run by the host's Python or the image's.

    Raises:
        NodeError: a node has neither.
    """
    models, state = cluster.paths.models, cluster.state_dir
    folders = (f"{models}:{models}", f"{state}:{state}", weights_mount(cluster))
    where = InImage(look.site.runtime, look.image, tuple(folder for folder in folders if folder))
    path = look.site.layout.program
    return group.all(lambda connection: prepare(connection, path, where).command)


def node_states(group: Group, look: Look, programs: Mapping[str, Program]) -> dict[str, NodeState]:
    """The state of every node.

    Raises:
        LingctlError: a node could not be asked.
    """
    return group.all(lambda connection: node_state(connection, look, programs[connection.node]))


def node_state(
    connection: Connection, look: Look, program: Program | None = None, *, paths: Iterable[str] = ()
) -> NodeState:
    """The state of one node.

    Args:
        connection: to the node.
        look: what it is asked.
        program: our program there; without it the weights are not looked at.
        paths: more files to read.
    """
    wanted = list(dict.fromkeys((*look.paths, *paths)))
    questions = state_questions(look.site, look.image, wanted, look.secret)
    if program is not None:
        questions += [
            Question(name, program("weights", "inspect", path), 120) for name, path in look.weights.items()
        ]
    probe = probe_script(questions)
    answers = read_answers(connection.run(probe.titled("look at the node"), timeout=600).stdout)
    return read_state(connection.node, answers, wanted)
