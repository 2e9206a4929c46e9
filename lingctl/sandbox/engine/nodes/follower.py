"""A slave's life: it computes its share of every step that the master orders.

Seen on the real 3.0.0: a slave whose master has ended goes on for ever. Of a master that was stopped or lost
its worker it says that the model is finalised and the stream closed; of one that was killed it says nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from lingctl.sandbox.engine.model.model import Cache, Model
from lingctl.sandbox.engine.nodes.framing import LinkLost, receive_json
from lingctl.sandbox.engine.nodes.world import Group


def follow(model: Model, group: Group, master: socket.socket, on_finalised: Callable[[], None]) -> bool:
    """Compute until the master is gone.

    Args:
        on_finalised: called when the master says that it ends.

    Returns:
        Whether it had said so.
    """
    caches: dict[int, Cache] = {}
    finalised = False
    while True:
        try:
            order = receive_json(master)
            if "finalize" in order:
                finalised = True
                on_finalised()
                continue
            for number in order["free"]:
                caches.pop(number, None)
            batch = [(tokens, caches.setdefault(number, Cache())) for number, tokens in order["step"]]
            group.gather(model.forward(batch), [])
        except LinkLost:
            return finalised
