"""Which engines there are, and which one a cluster has: the only place that knows them by name."""

from __future__ import annotations

from collections.abc import Callable

from lingctl.engine.interface import Engine
from lingctl.inventory.cluster import Cluster
from lingctl.mindie.engine import mindie

_BY_NAME: dict[str, Callable[[str], Engine]] = {"mindie": mindie}


def engine_at(version: str) -> Engine:
    """The engine in a version, as hosts.yaml's ``mindie`` names it.

    Raises:
        ConfigurationError: nothing is known of it.
    """
    return _BY_NAME["mindie"](version)


def engine_of(cluster: Cluster) -> Engine:
    """The engine that serves a cluster's model; see ``engine_at``."""
    return engine_at(cluster.mindie)


def usual_engine() -> Engine:
    """The engine of a question that is about no cluster: hosts.yaml's default."""
    return engine_at(str(Cluster.model_fields["mindie"].default))
