"""A quick look at a cluster that serves: do all daemons run, and which addresses have its cards now.

The service itself does not tell: in MindIE 3.0.0 health and the list of models stay as they are when a node
is lost, and the first request after that ends the primary without an answer (seen with two nodes on a CPU).
So every node's daemon is looked at before text is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lingctl.ascend.cards import hccn
from lingctl.ascend.questions import card_questions
from lingctl.errors import EngineError, LingctlError, NotAskedError
from lingctl.inventory.cluster import Addresses
from lingctl.release.daemon import DaemonState, look_command, need_known, read_look
from lingctl.release.site import Site
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.probe import Answer, probed


def all_daemons_run(group: Group, site: Site) -> bool:
    """Whether every node's daemon is alive."""

    return all(seen.pid is not None for seen in group.all(lambda one: _look(one, site)).values())


def lost_nodes(group: Group, site: Site) -> str:
    """The nodes whose daemon is not known to be alive, each with the reason; empty where all are.

    One node is not looked at: its port says whether the daemon is there, and no request can harm another's.
    """
    if len(site.nodes) == 1:
        return ""
    return _in_words(_seen(group, site))


def need_no_lost_node(group: Group, site: Site, verb: str) -> None:
    """Refuse to ask a service that a request could end.

    Raises:
        EngineError: a node is lost or not seen; or none was ever started (code ``not-deployed``).
    """
    if len(site.nodes) == 1:
        return
    seen = _seen(group, site)
    if all(isinstance(one, DaemonState) and one.pid is None and not one.started for one in seen.values()):
        raise EngineError(
            "no daemon runs: nothing is deployed, or it was stopped",
            where=", ".join(site.nodes),
            code="not-deployed",
        )
    if lost := _in_words(seen):
        raise EngineError(
            "a node is lost or cannot be seen, and a request could end the service",
            evidence=lost,
            remedy="see every node's daemon: lingctl status; start all of them again: lingctl restart",
            code=f"{verb}-node-lost",
        )


def _look(connection: Connection, site: Site) -> DaemonState:
    said = connection.run(look_command(site), timeout=site.timeouts.command)
    return need_known(read_look(said.stdout), connection.node)


def _seen(group: Group, site: Site) -> dict[str, DaemonState | LingctlError]:
    seen = group.map(lambda connection: _look(connection, site))
    return {name: seen[name] for name in site.nodes}


def _in_words(seen: Mapping[str, DaemonState | LingctlError]) -> str:
    return "; ".join(f"{name}: {why}" for name, one in seen.items() if (why := _why_not(one)))


def _why_not(seen: DaemonState | LingctlError) -> str:
    """Why a daemon does not count as alive; empty if it does."""
    if isinstance(seen, NotAskedError):
        return "not asked"
    if isinstance(seen, LingctlError):
        return f"could not be asked ({seen.what})"
    if seen.pid is not None:
        return ""
    return "the daemon is dead" if seen.started else "the daemon was stopped, or never started"


def read_addresses(cards: Sequence[int], answers: Mapping[str, Answer]) -> dict[int, str]:
    """The addresses in their answers; a card that has none or does not say is left out."""
    seen = {card: hccn.read_address(answers.get(f"card:{card}:address")) for card in cards}
    return {card: found.address for card, found in seen.items() if isinstance(found, hccn.DeviceAddress)}


def live_addresses(group: Group, site: Site) -> Addresses:
    """The device addresses, from the cards themselves; a card that has none or does not say is left out."""

    def ask(connection: Connection) -> dict[int, str]:
        cards = site.cards[connection.node]
        answers = probed(connection, card_questions(cards, ("address",)), "ask the cards' addresses")
        return read_addresses(cards, answers)

    return group.all(ask)
