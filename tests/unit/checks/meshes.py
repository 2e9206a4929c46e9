"""Meshes as pings would draw them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from lingctl.ascend.cards.ping import Ping
from lingctl.ascend.scope import CardPlace, NodeScope, Scope
from lingctl.ascend.unread import Unread
from lingctl.checks.reach.mesh import Hit
from lingctl.checks.reach.mesh_plan import Shot
from lingctl.checks.reach.picture import MeshPicture, mesh_picture

ODD = Unread("not-understood", "odd", "?!")


def picture_of(
    nodes: int | Sequence[str],
    cards: int,
    packets: Callable[[CardPlace, CardPlace], int | None] = lambda source, target: 3,
    *,
    down: Collection[CardPlace] = (),
) -> MeshPicture:
    """Each card pings that of its index and the next one on every other node.

    Args:
        packets: how many of three come back; None where the answer cannot be read.
        down: cards that ping nobody, and that nobody pings.
    """
    names = [f"node{number}" for number in range(1, nodes + 1)] if isinstance(nodes, int) else nodes
    scope = Scope(tuple(NodeScope(name, tuple(range(cards))) for name in names))
    hits = []
    for source in names:
        for target in (name for name in names if name != source):
            for card in range(cards):
                for other in (card, (card + 1) % cards):
                    one, two = (source, card), (target, other)
                    if one not in down and two not in down:
                        got = packets(one, two)
                        ping = ODD if got is None else Ping(3, got)
                        hits.append(Hit(Shot(one, two, "192.0.2.1"), ping))
    return mesh_picture(scope, hits)
