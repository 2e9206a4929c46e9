"""Who gives the files to whom: chains, so that the time does not grow with the number of nodes. Pure.

In a chain every machine sends once and receives once, at the same time, while bytes are still arriving: its
network card is used to the full in both directions. A tree would have a machine send to several and take as
many times as long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def chains(heads: Sequence[str], followers: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Followers behind the heads that have the files, as evenly as can be, in the given order.

    Raises:
        ValueError: there are followers and no head.
    """
    if not heads:
        if followers:
            raise ValueError("nobody has the files")
        return ()
    made: list[list[str]] = [[head] for head in heads]
    for number, follower in enumerate(followers):
        made[number % len(made)].append(follower)
    return tuple(tuple(chain) for chain in made)


def upstreams(made: Sequence[Sequence[str]]) -> Mapping[str, tuple[str, ...]]:
    """For each follower, whom it may ask: the one before it first, then on towards the head."""
    return {
        node: tuple(reversed(chain[:place])) for chain in made for place, node in enumerate(chain) if place
    }


def givers(made: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Who gives files to others."""
    return tuple(node for chain in made for node in chain[:-1])
