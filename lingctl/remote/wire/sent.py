"""Who is told of every command, as it is sent to a node."""

from __future__ import annotations

from collections.abc import Callable

from lingctl.remote.command import Command

SentListener = Callable[[str, Command], None]
_listeners: list[SentListener] = []


def tell_what_is_sent(listener: SentListener) -> None:
    """From now on ``listener`` is given the node and the command, from any thread; it never waits."""
    _listeners.append(listener)


def sent(node: str, command: Command) -> None:
    """A connection is about to send a command."""
    for listener in _listeners:
        listener(node, command)
