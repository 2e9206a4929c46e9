"""An engine as it is typed on the command line: its name, or name and version."""

from __future__ import annotations

from pydantic import ValidationError

from lingctl.errors import UsageError
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.engine_choice import EngineChoice


def engine_typed(text: str, cluster: Cluster | None = None) -> EngineChoice:
    """The engine of ``vllm`` or ``vllm:0.23.0``; with its settings of hosts.yaml where that has the same.

    Raises:
        UsageError: it is none.
    """
    name, _, version = text.partition(":")
    given = {"name": name, **({"version": version} if version else {})}
    try:
        typed = EngineChoice.model_validate(given)
    except ValidationError as error:
        raise UsageError(
            f"--engine: {text!r} is no engine",
            remedy="write its name, or name and version: vllm, vllm:0.23.0, mindie:3.0.0; lingctl engines "
            "lists them",
            code="unknown-engine",
        ) from error
    if cluster is not None and cluster.engine.name == typed.name:
        return cluster.engine.model_copy(update={"version": typed.version} if version else {})
    return typed


def one_engine(mindie: str, engine: str) -> str:
    """What ``--mindie VERSION`` and ``--engine`` name together; empty where neither is given.

    Raises:
        UsageError: both are.
    """
    if mindie and engine:
        raise UsageError(
            "--mindie and --engine name an engine each",
            remedy=f"give one of them: --engine mindie:{mindie} is the same as --mindie {mindie}",
            code="two-engines",
        )
    return f"mindie:{mindie}" if mindie else engine


def with_typed_engine(cluster: Cluster, text: str) -> Cluster:
    """The cluster, served by what was typed; as it is where nothing was. See ``engine_typed``."""
    return cluster.served_by(engine_typed(text, cluster)) if text else cluster
