"""The values that a release rests on, each with where it came from: what ``render --show`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lingctl.engine.files import Shown
from lingctl.engine.shown import ClusterValues
from lingctl.inventory.cluster import Cluster
from lingctl.vllm.launch.parallel import cut_of
from lingctl.vllm.launch.tls import vllm_encryption
from lingctl.vllm.long_context import stretch_of
from lingctl.vllm.profile import VllmProfile
from lingctl.vllm.refusals import need_equals
from lingctl.vllm.settings import vllm_settings


def vllm_values(cluster: Cluster, profile: VllmProfile, overrides: Mapping[str, str]) -> Iterator[Shown]:
    """Every value that matters to vLLM; ``overrides`` tells, by name, what set it beside hosts.yaml.

    Raises:
        ConfigurationError: hosts.yaml asks for what vLLM has no equal of.
    """
    need_equals(cluster)
    values, image = ClusterValues(cluster, overrides), profile.image
    yield Shown("", "model", cluster.model, "hosts.yaml")
    yield values.field("engine", "vLLM")
    yield values.field("engine.version", profile.version)
    yield from values.version(profile, f"vLLM {profile.version}", image, "nearest earlier version")
    for name in ("hardware", "system", "distributed", "eager"):
        yield values.field(f"engine.{name}")
    yield Shown("", "cut", cut_of(cluster, profile).words, "follows from nodes, devices and engine.parallel")
    yield values.weights()
    for name in ("served_name", "port", *(("inter_node_port",) if cluster.multi_node else ())):
        yield values.field(f"serving.{name}")
    yield from values.serving(vllm_settings(cluster))
    if stretch := stretch_of(cluster):
        yield Shown("", "positions", stretch.words, "follows from serving.max_seq_len and the model's window")
    yield from values.encryption(vllm_encryption(cluster))
    for node in cluster.nodes:
        yield from values.node(node)
