"""Reads the sandbox's own state for the engine."""

from __future__ import annotations

from lingctl.sandbox import state
from lingctl.sandbox.engine.site import Card, Site


def read() -> Site | None:
    """The site as the sandbox's state tells it, None outside a sandbox."""
    if not state.NODE_NAME.exists():
        return None
    cluster, node = state.load_cluster(), state.this_node()
    cards = {
        card.id: Card(card.address, card.link == "UP", bool(card.tls))
        for card in node.cards
        if card.present and card.address
    }
    return Site(cluster.time_scale, frozenset(node.faults), cards)
