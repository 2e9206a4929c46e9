"""The values that a release rests on, each with where it came from: what ``render --show`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from lingctl.engine.files import Shown
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

    def given(part: BaseModel, name: str, dotted: str) -> str:
        if dotted in overrides:
            return overrides[dotted]
        return "hosts.yaml" if name in part.model_fields_set else "default"

    version = f"vLLM {profile.version}"
    yield Shown("", "model", cluster.model, "hosts.yaml")
    yield Shown("", "engine", "vLLM", given(cluster, "engine", "engine"))
    yield Shown("", "engine.version", profile.version, given(cluster.engine, "version", "engine.version"))
    if profile.taken_from:
        yield Shown("", "rules of", profile.taken_from, "nearest earlier version")
    yield Shown("", "checked against", profile.checked_against, version)
    image = given(cluster.container, "image", "container.image") if cluster.container.image else version
    yield Shown("", "container.image", cluster.container.image or profile.image(cluster.engine), image)
    for name in ("hardware", "system", "distributed", "eager"):
        value = getattr(cluster.engine, name)
        words = str(value).lower() if isinstance(value, bool) else str(value)
        yield Shown("", f"engine.{name}", words, given(cluster.engine, name, f"engine.{name}"))
    yield Shown("", "cut", cut_of(cluster, profile).words, "follows from nodes, devices and engine.parallel")
    weights = "hosts.yaml" if cluster.paths.weights else "follows from paths.models and model"
    yield Shown("", "weights", cluster.downloaded_weights, weights)
    for name in ("served_name", "port", *(("inter_node_port",) if cluster.multi_node else ())):
        source = given(cluster.serving, name, f"serving.{name}")
        yield Shown("", f"serving.{name}", str(getattr(cluster.serving, name)), source)
    for name, setting in vllm_settings(cluster).items():
        yield Shown("", f"serving.{name}", f"{setting.value:.10g}", setting.source)
    if stretch := stretch_of(cluster):
        yield Shown("", "positions", stretch.words, "follows from serving.max_seq_len and the model's window")
    for subject, words in vllm_encryption(cluster).words:
        yield Shown("", subject, words, "hosts.yaml" if words.startswith("on") else "default")
    for node in cluster.nodes:
        address = "hosts.yaml" if "service_address" in node.model_fields_set else "follows from address"
        yield Shown(node.name, "service_address", node.service_address, address)
        devices = "hosts.yaml" if "devices" in node.model_fields_set else "default"
        yield Shown(node.name, "devices", ", ".join(map(str, node.devices)), devices)
