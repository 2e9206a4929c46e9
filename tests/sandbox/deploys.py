"""What tests of deploy ask a live cluster."""

from __future__ import annotations

from tests.sandbox.live import Live


def changes(document: dict) -> list[tuple[str, str]]:
    """Node and title of every step that does something."""
    steps = document["plan"]["steps"]
    return [(step["node"], step["title"]) for step in steps if step["state"] == "change"]


def daemons(live: Live) -> set[str]:
    """The daemons' states, as status tells them."""
    return {node["daemon"] for node in live.lingctl("status", "--json").document["nodes"]}
