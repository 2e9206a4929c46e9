"""A quick look at a cluster that serves: do all daemons run, and which addresses have its cards now."""

from __future__ import annotations

from lingctl.ascend import hccn
from lingctl.ascend.facts import card_questions
from lingctl.inventory.cluster import Cluster
from lingctl.release.daemon import look_command, read_look
from lingctl.release.wanted import Addresses
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.probe import probe_script, probe_timeout, read_answers


def all_daemons_run(group: Group, cluster: Cluster) -> bool:
    """Whether every node's daemon is alive.

    Raises:
        LingctlError: a node cannot be asked.
    """

    def runs(connection: Connection) -> bool:
        said = connection.run(look_command(cluster), timeout=cluster.timeouts.command)
        return read_look(said.stdout).pid is not None

    return all(group.all(runs).values())


def live_addresses(group: Group, cluster: Cluster) -> Addresses:
    """The device addresses, from the cards themselves; a card that has none or does not say is left out.

    Raises:
        LingctlError: a node cannot be asked.
    """

    def ask(connection: Connection) -> dict[int, str]:
        cards = cluster.node(connection.node).devices
        questions = card_questions(cards, ("address",))
        said = connection.run(
            probe_script(questions, "ask the cards' addresses"), timeout=probe_timeout(questions)
        )
        answers = read_answers(said.stdout)
        seen = {card: hccn.read_address(answers.get(f"card:{card}:address")) for card in cards}
        return {card: found.address for card, found in seen.items() if isinstance(found, hccn.Address)}

    return group.all(ask)
