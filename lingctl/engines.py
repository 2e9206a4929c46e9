"""Which engines there are, and which one a cluster has: the only place that knows them by name."""

from __future__ import annotations

from collections.abc import Callable

from lingctl.engine.interface import Engine
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import EngineChoice, EngineName
from lingctl.mindie.engine import mindie
from lingctl.vllm.engine import vllm

_BY_NAME: dict[EngineName, Callable[[EngineChoice], Engine]] = {"mindie": mindie, "vllm": vllm}


def engine_chosen(choice: EngineChoice) -> Engine:
    """The engine that hosts.yaml names.

    Raises:
        ConfigurationError: nothing is known of it in that version.
    """
    return _BY_NAME[choice.name](choice)


def engine_at(version: str) -> Engine:
    """The engine in a version, as hosts.yaml's ``mindie`` names it; see ``engine_chosen``."""
    return engine_chosen(EngineChoice(name="mindie", version=version))


def engine_of(cluster: Cluster) -> Engine:
    """The engine that serves a cluster's model; see ``engine_chosen``."""
    return engine_chosen(cluster.chosen_engine)


def every_engine() -> tuple[Engine, ...]:
    """Each of them, in the version that is taken where hosts.yaml names none."""
    return tuple(engine_chosen(EngineChoice(name=name)) for name in _BY_NAME)


def usual_engine() -> Engine:
    """The engine of a question that is about no cluster: hosts.yaml's default."""
    return engine_at(str(Cluster.model_fields["mindie"].default))
