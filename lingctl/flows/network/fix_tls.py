"""check-network --fix-tls: one TLS switch on every card, by a plan of its own, and a look at the outcome."""

from __future__ import annotations

from collections.abc import Mapping

from lingctl.ascend.cards.hccn import TOOL, Tls, read_tls
from lingctl.ascend.questions import card_questions
from lingctl.ascend.unread import Unread
from lingctl.assets import shell
from lingctl.checks.cards.judge import not_read
from lingctl.events import Listener
from lingctl.findings import Finding, Subject
from lingctl.flows.run.person import Person
from lingctl.flows.run.proposal import Outcome, Proposal
from lingctl.flows.run.story import carry_out
from lingctl.inventory.cluster import Cluster
from lingctl.plan import Plan, Run, Stage, Step, plan_of
from lingctl.remote.command import script
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.probe import probed

Switches = Mapping[str, Mapping[int, Tls | Unread]]
_SET = shell("change/set_tls")


def fix_tls(
    cluster: Cluster, value: int, person: Person, *, lock_wait: float = 0.0
) -> Outcome[tuple[Finding, ...]]:
    """Set the TLS switch of every card, and look at the outcome.

    Args:
        value: 0 or 1.

    Returns:
        With what was found of every card at the end.

    Raises:
        LingctlError: a node cannot be asked, or a switch cannot be set.
    """

    def look(group: Group, listener: Listener) -> Proposal[tuple[Finding, ...]]:
        switches = look_at_switches(group, cluster)
        plan = plan_tls(switches, value)
        nothing = f"Nothing to change: the TLS switch is {value} on every card that answers."
        later = "Jobs that run now keep what they began with: start them again afterwards."
        return Proposal(
            command="lingctl check-network --fix-tls",
            question=f"Set the TLS switch to {value} on these cards?",
            plan=plan,
            locked=(look_again,),
            seen=judge_switches(switches, value),
            instead=(nothing,) if plan.empty else (),
            remarks=() if plan.empty else (later,),
        )

    def look_again(group: Group, listener: Listener) -> tuple[Finding, ...]:
        return judge_switches(look_at_switches(group, cluster), value)

    return carry_out(cluster, person, look, lock_wait=lock_wait)


def look_at_switches(group: Group, cluster: Cluster) -> Switches:
    """The TLS switch of every card.

    Raises:
        LingctlError: a node cannot be asked; half a cluster is not fixed.
    """

    def look(connection: Connection) -> dict[int, Tls | Unread]:
        cards = cluster.node(connection.node).devices
        answers = probed(connection, card_questions(cards, ("tls",)))
        return {card: read_tls(answers.get(f"card:{card}:tls")) for card in cards}

    return group.all(look)


def plan_tls(switches: Switches, value: int) -> Plan:
    """A step for each card that says what its switch is; the others are left alone."""
    return plan_of(
        _step(node, card, tls, value)
        for node, cards in switches.items()
        for card, tls in cards.items()
        if not isinstance(tls, Unread)
    )


def judge_switches(switches: Switches, value: int) -> tuple[Finding, ...]:
    """Whether every card's switch is as wanted."""
    return tuple(
        _judge(node, card, tls, value) for node, cards in switches.items() for card, tls in cards.items()
    )


def _step(node: str, card: int, tls: Tls, value: int) -> Step:
    title = f"card {card}: TLS switch {value}"
    reason = "has no certificate, which works like 0" if tls.switch is None else f"is {tls.switch}"
    if tls.effective == value:
        return Step(Stage.NETWORK, node, title, "in place", reason)
    change = script(_SET, TOOL, card, value, title=f"{TOOL} -i {card} -tls -s enable {value}")
    return Step(Stage.NETWORK, node, title, "change", reason, (Run(change, 150),))


def _judge(node: str, card: int, tls: Tls | Unread, value: int) -> Finding:
    of = Subject("tls", node, card)
    if isinstance(tls, Unread):
        return not_read(of, tls)
    if tls.effective != value:
        return of.failure(f"the switch is {tls.effective} and not {value}")
    return of.passes(f"the switch is {value}")
