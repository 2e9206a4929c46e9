"""A deploy's look at every node: what is in its way, does it serve, and all that a plan for it needs.

It is one probe, for each takes a round trip: what decides whether the rest counts is asked with the rest.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lingctl.ascend.questions import card_questions
from lingctl.errors import NodeError
from lingctl.flows.look.daemon import DaemonSight, DaemonSights, sight_in, watching
from lingctl.flows.look.node_states import (
    WEIGHTS,
    WEIGHTS_SECONDS,
    Look,
    node_questions,
    preparation_of,
    state_in,
    weights_words,
)
from lingctl.flows.look.running import read_addresses
from lingctl.flows.look.runtime import elsewhere_in, refuse_elsewhere
from lingctl.flows.network.check import questions_of_glance
from lingctl.flows.network.probe import NodeAnswers, ask
from lingctl.inventory.cluster import Addresses, Cluster
from lingctl.program.prepare import Preparation, apart
from lingctl.release.site import Site
from lingctl.release.state import NodeState
from lingctl.release.weights_steps import Program
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.probe import Answer, Answers, Question
from lingctl.remote.runtime import elsewhere_command


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What the look showed; nothing is in the way of a deploy."""

    preparation: Preparation  # what our program needs
    said: Mapping[str, str]  # what each node says to that
    running: RunningCluster | None  # the nodes as they are, where every node's daemon is alive

    def programs(self, group: Group) -> dict[str, Program]:
        """Our program on every node, pushed where it differs. Raises NodeError: see ``prepare``."""
        return group.all(
            lambda connection: self.preparation.finish(connection, self.said[connection.node]).command
        )


@dataclass(frozen=True, slots=True)
class RunningCluster:
    """A cluster that serves, as its nodes are."""

    # None where our program was not as it should be on a node, so that it said nothing of the weights
    states: Mapping[str, NodeState] | None
    sights: DaemonSights  # the daemons, looked at last
    addresses: Addresses  # of the cards that told, where they count
    records: Mapping[str, NodeAnswers]  # among them the answers that a glance judges


def first_look(group: Group, cluster: Cluster, look: Look, *, joined: bool = False) -> FirstLook:
    """Ask every node for what decides how a deploy goes on, and for what a plan and a glance rest on.

    Args:
        joined: whether the addresses of the cards count.

    Raises:
        NodeError: another runtime has the container, or whether a daemon runs, or what could run our program,
            is not known.
        LingctlError: a node does not answer, or not to its end.
    """
    site, preparation = look.site, preparation_of(cluster, look)
    program = preparation.look_and_ask(*weights_words(look))

    ended = list[float]()

    def seen(connection: Connection) -> NodeAnswers:
        name = connection.node
        state = watching(node_questions(look), site, name)
        asked = [
            *questions_of_glance(cluster, name),  # its first one tells the time: when it is heard counts
            *(card_questions(site.cards[name], ("address",)) if joined else []),
            Question("elsewhere", elsewhere_command(site.runtime, site.container), 60),
            *(question for question in state if question.id != "daemon"),
            Question(WEIGHTS, program, 60 + WEIGHTS_SECONDS),
            # Last, for text is asked for on the strength of it.
            *(question for question in state if question.id == "daemon"),
        ]
        answers = ask(connection, asked)
        ended.append(time.monotonic())
        return answers

    records = group.all(seen)
    others = {name: record.answers.get("elsewhere") for name, record in records.items()}
    refuse_elsewhere(site, {name: elsewhere_in(site.runtime, answer) for name, answer in others.items()})
    daemons = {name: _daemon(record.answers.get("daemon"), site, name) for name, record in records.items()}
    programs = {name: _program(record.answers.get(WEIGHTS), name) for name, record in records.items()}
    said = {name: there for name, (there, _) in programs.items()}
    if not all(daemon.alive for daemon in daemons.values()):
        return FirstLook(preparation, said, None)
    weights = {name: answer for name, (_, answer) in programs.items() if answer is not None}
    states = None
    if len(weights) == len(records):
        states = {
            name: state_in(name, Answers(record.answers, record.complete), look, weights[name])
            for name, record in records.items()
        }
    addresses = {name: read_addresses(site.cards[name], record.answers) for name, record in records.items()}
    sights = DaemonSights(daemons, min(ended))
    return FirstLook(preparation, said, RunningCluster(states, sights, addresses if joined else {}, records))


def _daemon(answer: Answer | None, site: Site, node: str) -> DaemonSight:
    """Raises NodeError: it is not known whether it is there."""
    return sight_in("" if answer is None or answer.timed_out else answer.stdout, site, node)


def _program(answer: Answer | None, node: str) -> tuple[str, Answer | None]:
    """What there is to run our program, and what that says of the weights, if it could be asked at once."""
    look, told = apart(answer.stdout) if answer is not None else ("", None)
    if answer is None or (answer.timed_out and told is None):
        raise NodeError(
            "it is not known what there is to run lingctl's program: the look at it did not end",
            where=node,
            evidence=look,
            remedy="run the same command again; if it stays so, log in by hand: a folder whose disk does not "
            "answer holds it up",
            code="probe-incomplete",
        )
    return look, None if told is None else replace(answer, stdout=told)
