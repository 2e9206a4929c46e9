"""Asking every node for check-network: one probe each, then the mesh in short rounds, nodes side by side."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from lingctl.ascend.cards.ping import hccs_ping, ping, read_hccs_ping, read_ping
from lingctl.ascend.facts import NodeFacts
from lingctl.ascend.questions import (
    card_questions,
    pod_questions,
    questions,
    read_facts,
)
from lingctl.ascend.reach import reach_command
from lingctl.ascend.scope import Scope
from lingctl.checks.reach.mesh import Hit
from lingctl.checks.reach.mesh_plan import Mode, Plane, Shot, plan_mesh
from lingctl.checks.reach.reachability import targets_of
from lingctl.errors import LingctlError, NodeError
from lingctl.events import Event, Listener
from lingctl.remote.command import command
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.probe import Answer, Answers, Question, probe_script, probe_timeout, read_answers
from lingctl.remote.wire.framing import Kept

_PING_SECONDS = 20.0
_PINGS_PER_ROUND = 32
_SMALL_PACKET = 64
_MOST_SMALL = 16
_SETTLE_SECONDS = 3
_FRAME = b"\x1e"


@dataclass(frozen=True, slots=True)
class NodeAnswers:
    """Everything that one node answered, as it came: enough to judge again elsewhere."""

    answers: Mapping[str, Answer]  # by question id
    commands: Mapping[str, str] = field(default_factory=dict)  # what was run, by question id
    complete: bool = True  # whether the first probe ran to its end
    # asked_at, heard_at: our clock when the node's clock was asked for, and when it was heard
    asked_at: float | None = None
    heard_at: float = 0.0
    left_out: int = 0  # pings that the time limit, or the loss of the node, cut


def facts_of(scope: Scope, name: str, record: NodeAnswers) -> NodeFacts:
    """The facts in a node's record."""
    answers = Answers(record.answers, record.complete)
    return read_facts(scope.node(name), answers, record.asked_at, record.heard_at)


def hits_of(scope: Scope, name: str, record: NodeAnswers) -> list[Hit]:
    """The pings in a node's record."""
    hits = []
    for question, answer in record.answers.items():
        kind, *place = question.split("/")
        if kind == "ping":
            small = record.answers.get("/".join(("small", *place)))
            hits.append(
                Hit(_shot(scope, name, place), read_ping(answer), read_ping(small) if small else None)
            )
        elif kind == "hccs":
            hits.append(Hit(_shot(scope, name, place, "hccs"), read_hccs_ping(answer)))
    return hits


def ask_nodes(group: Group, scope: Scope, listener: Listener) -> dict[str, NodeAnswers | LingctlError]:
    """The first probe of every node."""

    def first(connection: Connection) -> NodeAnswers:
        listener(Event("ask the node", "started", connection.node))
        try:
            record = ask(connection, first_questions(scope, connection.node))
        except LingctlError as error:
            listener(Event("ask the node", "failed", connection.node, error.what))
            raise
        listener(Event("ask the node", "done", connection.node, f"{len(record.answers)} answers"))
        return record

    return group.map(first)


def ask_more(
    group: Group,
    scope: Scope,
    records: Mapping[str, NodeAnswers],
    mode: Mode,
    seconds: float,
    listener: Listener,
) -> dict[str, NodeAnswers]:
    """The mesh, for so many seconds, and what was settling. Keeps what came before a loss."""
    facts = {name: facts_of(scope, name, record) for name, record in records.items()}
    told = _with_pods(group, records, facts)
    facts |= {name: facts_of(scope, name, told[name]) for name in records if told[name] is not records[name]}
    records = told
    shots = plan_mesh(scope, facts, mode)
    deadline = time.monotonic() + seconds

    def more(connection: Connection) -> NodeAnswers:
        name = connection.node
        record = records[name]
        extra = _settling_questions(facts[name])
        if extra:
            record = _merged(record, ask(connection, extra))
        return _mesh(connection, scope, record, shots.get(name, []), deadline, listener)

    outcomes = group.only(records).map(more, together=True)
    return {
        name: outcome if isinstance(outcome, NodeAnswers) else _lost(records[name], len(shots.get(name, [])))
        for name, outcome in outcomes.items()
    }


def _with_pods(
    group: Group, records: Mapping[str, NodeAnswers], facts: Mapping[str, NodeFacts]
) -> dict[str, NodeAnswers]:
    """The records with what A3 nodes say of their super-pod, which decides how their cards are pinged."""
    asked = {name: questions for name, seen in facts.items() if (questions := pod_questions(seen))}
    outcomes = group.only(asked).map(lambda connection: ask(connection, asked[connection.node]))
    more = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, NodeAnswers)}
    return {name: _merged(record, more[name]) if name in more else record for name, record in records.items()}


def ask(connection: Connection, asked: Sequence[Question]) -> NodeAnswers:
    """Ask a node, by one probe.

    Raises:
        NodeError: there is no answer that can be read (code ``probe-unreadable``).
    """
    heard = _Heard()
    begun = time.time()
    done = connection.run(probe_script(asked), timeout=probe_timeout(asked), on_output=heard)
    answers = read_answers(heard.text)
    if not answers:
        raise NodeError(
            "the node ran the probe, but gave no answer that can be read",
            where=connection.node,
            evidence=done.last_words(),
            code="probe-unreadable",
        )
    # Of many nodes, most are the same text.
    texts = {sys.intern(question.id): sys.intern(question.command.text) for question in asked}
    return NodeAnswers(dict(answers), texts, answers.complete, begun, heard.at or time.time())


def _mesh(
    connection: Connection,
    scope: Scope,
    record: NodeAnswers,
    shots: Sequence[Shot],
    deadline: float,
    listener: Listener,
) -> NodeAnswers:
    name, made = connection.node, 0
    order = {node.name: index for index, node in enumerate(scope.nodes)}
    if shots:
        listener(Event("ping the other cards", "started", name))
    try:
        while made < len(shots) and time.monotonic() < deadline:
            part = shots[made : made + _PINGS_PER_ROUND]
            record = _merged(record, ask(connection, [_ping_question(order, shot) for shot in part]))
            made += len(part)
            text = f"{made} of {len(shots)} pings"
            listener(Event("ping the other cards", "progress", name, text, made, len(shots)))
        failed = [hit.shot for hit in hits_of(scope, name, record) if not hit.ok]
        bad = [shot for shot in failed if shot.plane == "roce"][:_MOST_SMALL]
        if bad:
            small = [_ping_question(order, shot, _SMALL_PACKET) for shot in bad]
            record = _merged(record, ask(connection, small))
    except LingctlError as error:
        listener(Event("ping the other cards", "failed", name, error.what))
        return _lost(record, len(shots) - made)
    if shots:
        text = f"{made - len(failed)} of {made} pings answered"
        listener(Event("ping the other cards", "done", name, text))
    return replace(record, left_out=len(shots) - made)


def first_questions(scope: Scope, name: str) -> list[Question]:
    """What a node is asked first."""
    asked = questions(scope, scope.node(name))
    targets = targets_of(scope, name)
    if targets:
        asked.append(Question("reach", reach_command(list(targets)), 60, beside=True))
    return asked


def _settling_questions(facts: NodeFacts) -> list[Question]:
    settling = [
        card
        for card, seen in facts.cards.items()
        if seen.net_health in ("Init", "Detect ip set") and seen.netdetect != "0.0.0.0"  # noqa: S104  (compared, not bound)
    ]
    if not settling:
        return []
    return [
        Question("settle", command("sleep", _SETTLE_SECONDS)),
        *card_questions(settling, ("net_health",)),
    ]


def _ping_question(order: Mapping[str, int], shot: Shot, size: int | None = None) -> Question:
    """A ping, with all that its answer has to be told from others by in its name; see ``_shot``."""
    card, (node, other) = shot.source[1], shot.target
    if shot.plane == "hccs":
        kind, asked = "hccs", hccs_ping(card, shot.address)
    else:
        kind, asked = "small" if size else "ping", ping(card, shot.address, size)
    name = f"{kind}/{card}/{order[node]}/{other}/{shot.address}"
    return Question(name, asked, _PING_SECONDS, f"card:{card}")


def _shot(scope: Scope, name: str, place: Sequence[str], plane: Plane = "roce") -> Shot:
    source, target, card, address = place
    return Shot((name, int(source)), (scope.nodes[int(target)].name, int(card)), address, plane)


def _merged(record: NodeAnswers, more: NodeAnswers) -> NodeAnswers:
    return replace(
        record,
        answers={**record.answers, **more.answers},
        commands={**record.commands, **more.commands},
    )


def _lost(record: NodeAnswers, left_out: int) -> NodeAnswers:
    return replace(record, left_out=left_out, complete=False)


class _Heard:
    """Keeps the answers of a probe, and notes when the first came in."""

    def __init__(self) -> None:
        self.at = 0.0
        self._kept = Kept()

    @property
    def text(self) -> str:
        return self._kept.text

    def __call__(self, part: bytes) -> None:
        self._kept.take(part)
        if not self.at and _FRAME in part:
            self.at = time.time()
