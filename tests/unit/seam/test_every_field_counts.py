"""Every field of hosts.yaml means something under every engine: it changes what is rendered, or is refused.

A field that is of neither (how nodes are logged in to, how long is waited) is named as lingctl's own. A new
field fails here until it says what it is.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from lingctl.engine.container import run_command
from lingctl.engines import engine_of
from lingctl.errors import ConfigurationError
from lingctl.inventory.cluster import Cluster
from lingctl.release.wanted import wanted_release
from lingctl.serving.endpoint import endpoint_of
from tests.serving_server import make_certificate
from tests.unit.vllm.samples import LITE_CONFIG

# What no engine hears of, and who does.
OWN = {
    "ssh": "how nodes are logged in to",
    "nodes.ssh": "how nodes are logged in to",
    "nodes.address": "where nodes are logged in to; the engine has service_address, which follows from it",
    "hub": "how weights are downloaded",
    "timeouts.stop": "how long is waited",
    "timeouts.command": "how long is waited",
    "https.client_cert": "what lingctl itself shows to the service",
    "https.client_key": "what lingctl itself shows to the service",
}
# Of one engine alone; under the other the field is refused where hosts.yaml is read, or in words later.
OTHER: dict[str, Any] = {
    "name": "other",
    "model": "Ling-lite-1.5",
    "mindie": "3.0.0",
    "engine.name": {"mindie": "vllm", "vllm": "mindie"},
    "engine.version": {"mindie": "2.3.0", "vllm": "0.25.1rc1"},
    "engine.hardware": "a3",
    "engine.system": "openeuler",
    "engine.parallel": "tensor",
    "engine.distributed": "ray",
    "engine.ray_address": "10.0.0.9:6379",
    "engine.eager": True,
    "engine.fold_norm_head": True,
    "nodes.name": "other",
    "nodes.service_address": "10.1.0.1",
    "nodes.devices": [0, 1, 2, 3],
    "container.runtime": "podman",
    "container.image": "site/image:1",
    "container.name": "other",
    "container.privileged": True,
    "container.shm_size": "9g",
    "container.extra_mounts": ["/data:/data"],
    "paths.models": "/srv/models",
    "paths.models_in_container": "/models",
    "paths.weights": "/srv/elsewhere/Ling_lite",
    "paths.state": "/srv/lingctl",
    "serving.served_name": "other",
    "serving.port": 8000,
    "serving.management_port": 8001,
    "serving.metrics_port": 8002,
    "serving.inter_node_port": 8003,
    "serving.max_seq_len": 4096,
    "serving.max_input_tokens": 2048,
    "serving.max_output_tokens": 1024,
    "serving.max_prefill_tokens": 9000,
    "serving.max_batch_size": 7,
    "serving.npu_memory_fraction": 0.7,
    "https.cert": "other.pem",
    "https.key": "other.key",
    "https.ca": ["other.pem"],
    "inter_node_tls.cert": "other.pem",
    "inter_node_tls.key": "other.key",
    "inter_node_tls.ca": ["other.pem"],
    "timeouts.start": 1234,
}
# Fields that count for some other reason than what lies on a node.
ELSEWHERE = {
    ("mindie", "timeouts.start"): "MindIE is not told how long its start may take",
    ("vllm", "engine.fold_norm_head"): "a step of the weights: tests/unit/vllm/test_folded_head.py",
}


def leaves(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """Every field that holds a value, by its dotted name."""
    for name, field in model.model_fields.items():
        kinds = [one for one in _types(field.annotation) if issubclass(one, BaseModel)]
        if not kinds or f"{before}{name}" in OWN:
            yield f"{before}{name}"
        else:
            yield from leaves(kinds[0], f"{before}{name}.")


def _types(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type) and not getattr(annotation, "__args__", ()):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _types(inner)


LEAVES = [name for name in leaves(Cluster) if name not in OWN]


def test_every_field_is_tried_or_named():
    assert set(LEAVES) == set(OTHER)
    assert {name for name in leaves(Cluster) if name in OWN} <= set(OWN)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("some", "other"):
        both = make_certificate(folder / f"{name}.pem").read_text()
        (folder / f"{name}.key").write_text(both)
        (folder / f"{name}.key").chmod(0o600)
    return folder


def given(engine: str, field: str, certificates: Path) -> dict[str, Any]:
    """A hosts.yaml in which the field can count: several nodes, certificates only where they are meant."""
    data: dict[str, Any] = {
        "name": "demo",
        "model": "Ling-lite",
        "engine": {"name": engine},
        "nodes": [{"address": f"10.0.0.{n}", "name": f"node{n}", "devices": list(range(8))} for n in (1, 2)],
    }
    if engine == "mindie":
        data["engine"]["version"] = "3.0.0"
    if field == "mindie":
        data |= {"engine": "mindie", "mindie": "1.0.0"}
    if (engine, field) == ("vllm", "engine.ray_address"):
        data["engine"] |= {"distributed": "ray"}
    section = field.partition(".")[0]
    if section in ("https", "inter_node_tls"):
        own = certificates / "some.pem"
        data[section] = {"cert": str(own), "key": str(certificates / "some.key"), "ca": [str(own)]}
    return data


def changed(data: dict[str, Any], engine: str, field: str, certificates: Path) -> dict[str, Any]:
    data = copy.deepcopy(data)
    value = OTHER[field]
    if isinstance(value, dict):
        value = value[engine]
    if field.startswith(("https.", "inter_node_tls.")):
        named = [str(certificates / one) for one in ([value] if isinstance(value, str) else value)]
        value = named[0] if isinstance(value, str) else named
    *way, last = field.split(".")
    place: Any = data
    for name in way:
        place = place["nodes"][0] if name == "nodes" else place.setdefault(name, {})
    if field == "nodes.devices":
        for node in data["nodes"]:
            node[last] = value
    else:
        place[last] = value
    if field == "engine.name":
        data["engine"].pop("version", None)
    return data


def rendered(data: dict[str, Any]) -> str:
    """All that a deploy would bring about, of every node."""
    cluster = Cluster.model_validate_json(json.dumps(data))
    addresses = {
        node.name: {card: f"29.0.{n}.{card}" for card in node.devices} for n, node in enumerate(cluster.nodes)
    }
    config = {**LITE_CONFIG, "norm_head": False}
    told = [engine_of(cluster).about.image, str(cluster.layout.root), cluster.downloaded_weights]
    told.append(str(endpoint_of(cluster)))
    for node in cluster.nodes:
        release = wanted_release(cluster, node, addresses, config, cluster.downloaded_weights)
        told += [node.name, run_command(cluster.runtime, release.container).text]
        told += [f"{file.path}\n{file.content.decode()}" for file in (*release.files, *release.overlay)]
    told.append(str(engine_of(cluster).encryption(cluster)))
    return "\n".join(told)


@pytest.mark.parametrize("field", LEAVES)
@pytest.mark.parametrize("engine", ["mindie", "vllm"])
def test_no_field_is_dropped_in_silence(engine: str, field: str, certificates: Path):
    if (engine, field) in ELSEWHERE:
        pytest.skip(ELSEWHERE[engine, field])
    before = given(engine, field, certificates)
    after = changed(before, engine, field, certificates)
    try:
        now = rendered(after)
    except (ConfigurationError, ValueError) as refused:
        named = "inter_node_tls" if field.startswith("inter_node_tls.") else field.rpartition(".")[2]
        assert named in str(refused), refused
        return
    was = rendered(before)
    assert now != was, f"{field} changes nothing with {engine} and is not refused"
