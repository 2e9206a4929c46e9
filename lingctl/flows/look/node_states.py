"""Asking every node what a deploy has to know, in one probe each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from lingctl.engines import engine_of, every_engine
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.places import weights_mount
from lingctl.program.prepare import InImage, Preparation
from lingctl.release.certificates import certificate_paths
from lingctl.release.site import Site, site_of
from lingctl.release.state import NodeState, read_state, state_questions
from lingctl.release.wanted import overlay_files
from lingctl.release.weights_state import each_weights
from lingctl.release.weights_steps import Program
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.probe import Answer, Answers, Question, probed

WEIGHTS_SECONDS = 120.0
WEIGHTS = "weights"  # the question about them; its time limit may pass


@dataclass(frozen=True, slots=True)
class Look:
    """What every node is asked: the same for all of them, and for each time that they are looked at."""

    site: Site  # where to look
    image: str  # the container image to look for
    paths: tuple[str, ...]  # the files that a release of hosts.yaml and its certificates may put there
    secret: str  # folder of what is never fetched
    weights: Mapping[str, str]  # the folders that may hold weights, by what they hold

    def with_files(self, *paths: str) -> Look:
        """The same, and more files that may be there."""
        return replace(self, paths=tuple(dict.fromkeys((*self.paths, *paths))))


def image_of(cluster: Cluster) -> str:
    """The container image: the one in hosts.yaml, else the version's own."""
    return cluster.container.image or engine_of(cluster).about.image


def look_of(cluster: Cluster, *, image: str = "") -> Look:
    """What the nodes of a cluster are asked; ``image`` to look for, if it is not the one of hosts.yaml."""
    site = site_of(cluster)
    layout = site.layout
    # Those of other engines too: a change of engine leaves its predecessor's behind.
    names = dict.fromkeys(name for engine in every_engine() for name in engine.about.file_names)
    own = (f"{layout.release}/{name}" for name in names)
    overlay = (file.path for file in overlay_files(cluster))
    release = (*own, layout.environment, layout.start, *overlay)
    return Look(
        site,
        image or image_of(cluster),
        (*release, *certificate_paths(cluster)),
        cluster.layout.certificates,
        {
            "downloaded": cluster.downloaded_weights,
            "converted": cluster.converted_weights,
            "folded": cluster.folded_weights,
        },
    )


def preparation_of(cluster: Cluster, look: Look) -> Preparation:
    """What our program needs on a node, to be run by the host's Python or the image's."""
    models, state = cluster.paths.models, cluster.state_dir
    folders = (f"{models}:{models}", f"{state}:{state}", weights_mount(cluster))
    where = InImage(look.site.runtime, look.image, tuple(folder for folder in folders if folder))
    return Preparation(look.site.layout.program, where)


def node_programs(group: Group, cluster: Cluster, look: Look) -> dict[str, Program]:
    """Our program on every node.

    Raises:
        NodeError: a node has neither Python.
    """
    preparation = preparation_of(cluster, look)
    return group.all(lambda connection: preparation.at(connection).command)


def node_states(
    group: Group, look: Look, programs: Mapping[str, Program] = MappingProxyType({})
) -> dict[str, NodeState]:
    """The state of every node; of one without our program without its weights."""
    return group.all(lambda connection: node_state(connection, look, programs.get(connection.node)))


def node_state(connection: Connection, look: Look, program: Program | None = None) -> NodeState:
    """The state of one node; without our ``program`` there the weights are not looked at."""
    questions = node_questions(look)
    if program is not None:
        questions.append(Question(WEIGHTS, program(*weights_words(look)), WEIGHTS_SECONDS))
    answers = probed(connection, questions, "look at the node")
    return state_in(connection.node, answers, look, answers.get(WEIGHTS))


def node_questions(look: Look) -> list[Question]:
    """What ``node_state`` asks, but for the weights."""
    return state_questions(look.site, look.image, look.paths, look.secret)


def weights_words(look: Look) -> tuple[str, ...]:
    """What our program is asked about all folders that may hold weights."""
    return ("weights", "inspect", *look.weights.values())


def state_in(node: str, answers: Answers, look: Look, weights: Answer | None) -> NodeState:
    """The state that is in a node's answers; ``weights`` is the one to ``weights_words``, if that was asked.

    Raises:
        NodeError: see ``read_state``.
    """
    return read_state(node, answers, look.paths, each_weights(weights, list(look.weights)))
