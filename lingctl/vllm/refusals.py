"""What hosts.yaml may ask for and vLLM has no equal of: refused in words, never dropped."""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.errors import ConfigurationError, as_one_error
from lingctl.inventory.cluster import Cluster

# Settings of ``serving``: why vLLM has none, and what to do.
_WITHOUT_EQUAL = {
    "max_input_tokens": (
        "has no limit of its own for inputs",
        "leave it out: serving.max_seq_len bounds input and output together, and a longer input is HTTP 400",
    ),
    "management_port": (
        "has no management port: health, models and requests share serving.port",
        "leave it out; health is asked at serving.port, /health",
    ),
    "metrics_port": (
        "has no port of its own for metrics: they are at serving.port, /metrics",
        "leave it out, and let Prometheus ask serving.port",
    ),
}


def need_equals(cluster: Cluster) -> None:
    """Refuse what vLLM cannot be told.

    Raises:
        ConfigurationError: hosts.yaml says it; the first, and all others beside it.
    """
    found = [
        ConfigurationError(f"vLLM {why}", where=f"{place} in hosts.yaml", remedy=remedy, code="vllm-no-equal")
        for place, why, remedy in _refused(cluster)
    ]
    if found:
        raise as_one_error(found)


def _refused(cluster: Cluster) -> Iterator[tuple[str, str, str]]:
    """Where it stands, why it is refused, and what to do."""
    for name, (why, remedy) in _WITHOUT_EQUAL.items():
        if name in cluster.serving.model_fields_set and getattr(cluster.serving, name) is not None:
            yield f"serving.{name}", why, remedy
    if cluster.inter_node_tls is not None:
        yield (
            "inter_node_tls",
            "does not encrypt between its nodes",
            "leave it out and keep the nodes in a network of their own, or serve with MindIE",
        )
    if cluster.https is not None and len(cluster.https.ca) > 1:
        yield (
            "https.ca",
            "reads one file of authorities",
            "put them one after another in one PEM file, and name that",
        )
