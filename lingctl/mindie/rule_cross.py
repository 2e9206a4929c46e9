"""What breaks the rules of ``rule_catalogue``: each function yields the offending values of a document.

A missing field, or one of the wrong type, is not their business: ``rule_fields`` names it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

Parts = dict[str, dict[str, Any]]
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,254}[A-Za-z0-9])?")
_BACKEND_NAME = re.compile(r"[a-z]+(_[a-z]+)*")
_PATH = re.compile(r"[A-Za-z0-9_./-]{1,4096}")


def _ints(part: dict[str, Any], *names: str) -> tuple[int, ...] | None:
    values = tuple(part.get(name) for name in names)
    return values if all(type(value) is int for value in values) else None  # type: ignore[return-value]


def _ids(parts: Parts) -> list[list[Any]]:
    value = parts["BackendConfig"].get("npuDeviceIds")
    return [subset for subset in value if isinstance(subset, list)] if isinstance(value, list) else []


def addresses(parts: Parts) -> Iterator[str]:
    """Listening addresses that are none, or all-zero without leave."""
    server = parts["ServerConfig"]
    for name in ("ipAddress", "managementIpAddress"):
        value = server.get(name)
        if not isinstance(value, str):
            continue
        try:
            parsed = ipaddress.ip_address(value)
        except ValueError:
            yield f"{name} is {value!r}"
            continue
        if parsed.is_unspecified and server.get("allowAllZeroIpListening") is not True:
            yield f"{name} is {value!r} without allowAllZeroIpListening"


def ipv4_only(parts: Parts) -> Iterator[str]:
    """IPv6 addresses."""
    for name in ("ipAddress", "managementIpAddress"):
        if ":" in str(parts["ServerConfig"].get(name, "")):
            yield f"{name} is {parts['ServerConfig'][name]!r}"


def ports(parts: Parts) -> Iterator[str]:
    """HTTP port and inter-node port being the same."""
    port, between = parts["ServerConfig"].get("port"), parts["BackendConfig"].get("multiNodesInferPort")
    if type(port) is int and port == between:
        yield f"both are {port}"


def id_shape(parts: Parts) -> Iterator[str]:
    """Entries of npuDeviceIds that are not lists of card numbers."""
    value = parts["BackendConfig"].get("npuDeviceIds")
    for subset in value if isinstance(value, list) else []:
        if not isinstance(subset, list) or any(type(one) is not int or one < 0 for one in subset):
            yield f"npuDeviceIds holds {subset!r}"


def instances(parts: Parts) -> Iterator[str]:
    """Another number of card lists than of instances."""
    value, number = (
        parts["BackendConfig"].get("npuDeviceIds"),
        parts["BackendConfig"].get("modelInstanceNumber"),
    )
    if isinstance(value, list) and type(number) is int and len(value) != number:
        yield f"npuDeviceIds has {len(value)} lists, modelInstanceNumber is {number}"


def world_size(parts: Parts) -> Iterator[str]:
    """A worldSize that is not the number of cards listed."""
    size = parts["ModelConfig"].get("worldSize")
    for subset in _ids(parts):
        if type(size) is int and len(subset) != size:
            yield f"worldSize is {size}, npuDeviceIds has {len(subset)} cards"


def world_size_1(parts: Parts) -> Iterator[str]:
    """The same for 1.0.0, whose worldSize counts the ranks of all nodes."""
    several = parts["BackendConfig"].get("multiNodesInferEnabled") is True
    for broken in world_size(parts):
        size, count = parts["ModelConfig"]["worldSize"], len(_ids(parts)[0])
        if not (several and count and size % count == 0):
            yield broken


def unique_ids(parts: Parts) -> Iterator[str]:
    """A card named twice."""
    for subset in _ids(parts):
        if len({str(one) for one in subset}) != len(subset):
            yield f"npuDeviceIds is {subset}"


def backend_name(parts: Parts) -> Iterator[str]:
    """A backendName of another form."""
    value = parts["BackendConfig"].get("backendName")
    if isinstance(value, str) and (len(value) > 50 or not _BACKEND_NAME.fullmatch(value)):
        yield f"backendName is {value!r}"


def model_name(parts: Parts) -> Iterator[str]:
    """A modelName of another form."""
    value = parts["ModelConfig"].get("modelName")
    if isinstance(value, str) and not _NAME.fullmatch(value):
        yield f"modelName is {value!r}"


def weight_path(parts: Parts) -> Iterator[str]:
    """A modelWeightPath that the path check refuses."""
    value = parts["ModelConfig"].get("modelWeightPath")
    if not isinstance(value, str):
        return
    components = [part for part in value.split("/") if part]
    long = len(components) > 32 or any(len(part) > 255 for part in components)
    if not _PATH.fullmatch(value) or long:
        yield f"modelWeightPath is {value!r}"


def one_model(parts: Parts) -> Iterator[str]:
    """Another number of models than one."""
    models = parts["ModelDeployConfig"].get("ModelConfig")
    if (
        isinstance(models, list)
        and parts["ScheduleConfig"].get("templateType") == "Standard"
        and len(models) != 1
    ):
        yield f"ModelConfig has {len(models)} entries"


def npu_memory(parts: Parts) -> Iterator[str]:
    """An npuMemSize of 0, or below -1."""
    value = parts["ModelConfig"].get("npuMemSize")
    if type(value) is int and (value == 0 or value < -1):
        yield f"npuMemSize is {value}"


def prefill_tokens(parts: Parts) -> Iterator[str]:
    """A prefill step too small for the longest input."""
    schedule, deploy = parts["ScheduleConfig"], parts["ModelDeployConfig"]
    tokens, longest = schedule.get("maxPrefillTokens"), deploy.get("maxInputTokenLen")
    if (
        schedule.get("templateType") != "Mix"
        and type(tokens) is int
        and type(longest) is int
        and tokens < longest
    ):
        yield f"maxPrefillTokens is {tokens}, maxInputTokenLen is {longest}"


def at_most_batch(name: str) -> Callable[[Parts], Iterator[str]]:
    """A rule for ``name`` being above maxBatchSize."""

    def broken(parts: Parts) -> Iterator[str]:
        values = _ints(parts["ScheduleConfig"], name, "maxBatchSize")
        if values and values[0] > values[1]:
            yield f"{name} is {values[0]}, maxBatchSize is {values[1]}"

    return broken


def swap_memory(parts: Parts) -> Iterator[str]:
    """Preemption without memory to swap to."""
    preempt, memory = parts["ScheduleConfig"].get("maxPreemptCount"), parts["ModelConfig"].get("cpuMemSize")
    if type(preempt) is int and preempt != 0 and memory == 0:
        yield f"maxPreemptCount is {preempt}, cpuMemSize is 0"


def partial_prefills(parts: Parts) -> Iterator[str]:
    """More long partial prefills than partial prefills."""
    schedule = parts["ScheduleConfig"]
    value, most = schedule.get("maxLongPartialPrefills"), schedule.get("maxNumPartialPrefills")
    if type(value) is int and (value < 1 or (type(most) is int and value > most)):
        yield f"maxLongPartialPrefills is {value}, maxNumPartialPrefills is {most}"


def cache_backend(parts: Parts) -> Iterator[str]:
    """A KV pool of an unknown kind."""
    pool = parts["BackendConfig"].get("kvPoolConfig")
    if not isinstance(pool, dict):
        return
    backend, path = pool.get("backend", ""), pool.get("configPath", "")
    if backend not in ("", "unifiedcache", "mooncake", "memcache"):
        yield f"kvPoolConfig.backend is {backend!r}"
    if not isinstance(path, str) or len(path) > 500:
        yield "kvPoolConfig.configPath is not a text of at most 500 characters"


def threshold(parts: Parts) -> Iterator[str]:
    """A usage threshold that is no percentage."""
    health = parts["ServerConfig"].get("HealthCheckConfig")
    value = health.get("npuUsageThreshold", 0) if isinstance(health, dict) else 0
    if type(value) is not int or not 0 <= value <= 100:
        yield f"npuUsageThreshold is {value!r}"


def inter_node_tls(parts: Parts) -> Iterator[str]:
    """Inter-node TLS without its files."""
    backend = parts["BackendConfig"]
    if backend.get("interNodeTLSEnabled") is not True:
        return
    for name in ("interNodeTlsCert", "interNodeTlsPk", "interNodeTlsCaPath", "interNodeTlsCrlPath"):
        if not isinstance(backend.get(name), str):
            yield f"{name} is missing"
    if backend.get("multiNodesInferEnabled") is True:
        yield from _file_lists(backend, ("interNodeTlsCaFiles",), ("interNodeTlsCrlFiles",))


def https(parts: Parts) -> Iterator[str]:
    """HTTPS without its files."""
    server = parts["ServerConfig"]
    if server.get("httpsEnabled") is not True:
        return
    yield from (f"{name} is missing" for name in ("tlsCaPath", "tlsCert", "tlsPk") if not server.get(name))
    yield from _file_lists(server, ("tlsCaFile",), ("tlsCrlFiles",))
    places = {(server.get("ipAddress"), server.get("port"))}
    management = server.get("managementIpAddress", server.get("ipAddress"))
    places |= {
        (management, server.get("managementPort", server.get("port"))),
        (management, server.get("metricsPort")),
    }
    if len(places) > 1:
        yield from (
            f"{name} is missing" for name in ("managementTlsCert", "managementTlsPk") if not server.get(name)
        )
        yield from _file_lists(server, ("managementTlsCaFile",), ("managementTlsCrlFiles",))


def _file_lists(part: dict[str, Any], needed: tuple[str, ...], optional: tuple[str, ...]) -> Iterator[str]:
    for names, least in ((needed, 1), (optional, 0)):
        for name in names:
            value = part.get(name, [])
            if not isinstance(value, list) or not least <= len(value) <= 3:
                yield f"{name} must list {least} to 3 files"


def sequence(parts: Parts) -> Iterator[str]:
    """Inputs allowed that are longer than any sequence."""
    values = _ints(parts["ModelDeployConfig"], "maxSeqLen", "maxInputTokenLen")
    if values and values[0] < values[1]:
        yield f"maxSeqLen is {values[0]}, maxInputTokenLen is {values[1]}"


def iterations(parts: Parts) -> Iterator[str]:
    """More output tokens than a sequence may have."""
    longest, most = parts["ModelDeployConfig"].get("maxSeqLen"), parts["ScheduleConfig"].get("maxIterTimes")
    if type(longest) is int and type(most) is int and most > longest:
        yield f"maxIterTimes is {most}, maxSeqLen is {longest}"


def parallel(parts: Parts) -> Iterator[str]:
    """Parallel sizes that do not multiply to worldSize."""
    model, product = parts["ModelConfig"], 1
    given = {name: model[name] for name in ("dp", "tp", "cp", "pp") if type(model.get(name)) is int}
    for value in given.values():
        product *= max(value, 1)
    if "tp" in given and type(model.get("worldSize")) is int and product != model["worldSize"]:
        yield f"{' x '.join(given)} is {product}, worldSize is {model['worldSize']}"
