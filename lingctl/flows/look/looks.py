"""The two looks of a deploy at every node: what is in the way and does it serve; then all that a plan needs.

Each is one probe, for each takes a round trip: what none of the others decides is asked together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lingctl.errors import NodeError
from lingctl.flows.look.daemon import DaemonSight, sight_in, watching
from lingctl.flows.look.node_states import Look, node_questions, preparation_of
from lingctl.flows.look.running import address_questions, daemon_runs, read_addresses
from lingctl.flows.look.runtime import refuse_elsewhere
from lingctl.flows.network.check import questions_of_glance
from lingctl.flows.network.probe import NodeAnswers, ask
from lingctl.inventory.cluster import Addresses, Cluster
from lingctl.program.prepare import Preparation
from lingctl.release.daemon import look_command
from lingctl.release.state import NodeState, read_state
from lingctl.release.weights_steps import Program
from lingctl.remote.connection import Completed, Connection
from lingctl.remote.group import Group
from lingctl.remote.probe import Answer, Answers, Question
from lingctl.remote.runtime import elsewhere_command, read_elsewhere


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What the first look showed; nothing is in the way of a deploy."""

    serves: bool  # whether every node's daemon is alive
    preparation: Preparation  # what our program needs
    said: Mapping[str, str]  # what each node says to that

    def programs(self, group: Group) -> dict[str, Program]:
        """Our program on every node, pushed where it differs. Raises NodeError: see ``prepare``."""
        return group.all(
            lambda connection: self.preparation.finish(connection, self.said[connection.node]).command
        )


@dataclass(frozen=True, slots=True)
class SecondLook:
    """A cluster that serves, as its nodes are."""

    states: Mapping[str, NodeState]
    sights: Mapping[str, DaemonSight]  # the daemons
    addresses: Addresses  # of the cards that told
    records: Mapping[str, NodeAnswers]  # among them the answers that a glance judges


def first_look(group: Group, cluster: Cluster, look: Look) -> FirstLook:
    """Ask every node for what decides how a deploy goes on.

    Raises:
        NodeError: another runtime has the container, or whether a daemon runs, or what could run our program,
            is not known.
    """
    site, preparation = look.site, preparation_of(cluster, look)
    elsewhere = elsewhere_command(site.runtime, site.container)
    asked = [
        Question("elsewhere", elsewhere, 60),
        Question("daemon", look_command(site), site.timeouts.command),
        Question("program", preparation.look, 60),
    ]
    answers = {name: seen.answers for name, seen in group.all(lambda node: ask(node, asked)).items()}
    others = {}
    for name, said in answers.items():
        answer = said.get("elsewhere")
        if answer is not None:
            done = Completed(elsewhere, answer.exit_status, answer.stdout, answer.stderr)
            others[name] = read_elsewhere(done.checked(name).stdout)
        else:
            others[name] = read_elsewhere(None)
    refuse_elsewhere(site, others)
    serves = [daemon_runs(said.get("daemon"), name) for name, said in answers.items()]
    programs = {name: _program(said.get("program"), name) for name, said in answers.items()}
    return FirstLook(all(serves), preparation, programs)


def _program(answer: Answer | None, node: str) -> str:
    if answer is None or answer.timed_out:
        raise NodeError(
            "it is not known what there is to run lingctl's program: the look at it did not end",
            where=node,
            evidence=answer.stdout if answer else "",
            remedy="run the same command again; if it stays so, log in by hand: a folder whose disk does not "
            "answer holds it up",
            code="probe-incomplete",
        )
    return answer.stdout


def second_look(
    group: Group, cluster: Cluster, look: Look, programs: Mapping[str, Program], *, joined: bool
) -> SecondLook:
    """Ask every node of a cluster that serves for what a plan and a glance rest on.

    Args:
        joined: whether the addresses of the cards count.

    Raises:
        LingctlError: a node does not answer, or not to its end.
    """
    site, cards = look.site, look.site.cards

    def seen(connection: Connection) -> NodeAnswers:
        name = connection.node
        addresses = address_questions(cards[name]) if joined else []
        state = watching(node_questions(look, programs[name]), site, name)
        return ask(connection, [*questions_of_glance(cluster, name), *addresses, *state])

    records = group.all(seen)
    states = {
        name: read_state(name, Answers(record.answers, record.complete), look.paths)
        for name, record in records.items()
    }
    addresses = {name: read_addresses(cards[name], record.answers) for name, record in records.items()}
    sights = {name: sight_in(record.answers["daemon"].stdout, site, name) for name, record in records.items()}
    return SecondLook(states, sights, addresses if joined else {}, records)
