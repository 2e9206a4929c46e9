"""What breaks the rules of ``catalogue``: each function yields the offending values of a document.

A missing field, or one of the wrong type, is not their business: ``fields`` names it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

from lingctl.mindie.json_text import as_integer

Parts = dict[str, dict[str, Any]]
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,254}[A-Za-z0-9])?")
_BACKEND_NAME = re.compile(r"[a-z]+(_[a-z]+)*")
_DEFAULT_INTER_NODE_PORT = 1120
# Read without a look at their types, with the code's own defaults; the first one may have any size.
_CHUNKS = {
    "prefillChunkSize": 0,
    "maxNumPartialPrefills": 64,
    "maxLongPartialPrefills": 8,
    "longPrefillTokenThreshold": 1024,
}
# Of a LoRA module, in bytes.
_LONGEST_TEXT = 256
_PATH = re.compile(r"[A-Za-z0-9_./-]{1,4096}")


def _ints(part: dict[str, Any], *names: str) -> tuple[int, ...] | None:
    values = tuple(value for name in names if type(value := part.get(name)) is int)
    return values if len(values) == len(names) else None


def _ids(parts: Parts) -> list[list[Any]]:
    value = parts["BackendConfig"].get("npuDeviceIds")
    return [subset for subset in value if isinstance(subset, list)] if isinstance(value, list) else []


def _address(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address as 3.0.0 reads it: by inet_pton, which knows no zone; IPv6 may stand in brackets.

    Source: MindIE-LLM v3.0.0 src/utils/common_util.cpp, CheckIPV6.
    """
    plain = value[1:-1] if ":" in value and value.startswith("[") and value.endswith("]") else value
    try:
        return None if "%" in plain else ipaddress.ip_address(plain)
    except ValueError:
        return None


def is_usable_address(value: object) -> bool:
    """Whether it is an IP address other than all zeros, as the server reads it."""
    address = _address(value) if isinstance(value, str) else None
    return address is not None and not address.is_unspecified


def several(parts: Parts) -> bool:
    """Whether the file is for one node of several."""
    return parts["BackendConfig"].get("multiNodesInferEnabled") is True


def models(parts: Parts) -> list[tuple[str, dict[str, Any]]]:
    """Every model, with what to put before a message about it: nothing for the usual first one."""
    listed = parts["ModelDeployConfig"].get("ModelConfig")
    later = enumerate(listed[1:] if isinstance(listed, list) else [], start=1)
    return [
        ("", parts["ModelConfig"]),
        *((f"ModelConfig[{index}]: ", model) for index, model in later if isinstance(model, dict)),
    ]


def addresses(parts: Parts) -> Iterator[str]:
    """Listening addresses that are none, or all-zero without leave."""
    server = parts["ServerConfig"]
    for name in ("ipAddress", "managementIpAddress"):
        value = server.get(name)
        if not isinstance(value, str):
            continue
        parsed = _address(value)
        if parsed is None:
            yield f"{name} is {value!r}"
        elif parsed.is_unspecified and server.get("allowAllZeroIpListening") is not True:
            yield f"{name} is {value!r} without allowAllZeroIpListening"


def ipv4_only(parts: Parts) -> Iterator[str]:
    """IPv6 addresses."""
    for name in ("ipAddress", "managementIpAddress"):
        if ":" in str(parts["ServerConfig"].get(name, "")):
            yield f"{name} is {parts['ServerConfig'][name]!r}"


def ports(parts: Parts) -> Iterator[str]:
    """HTTP port and inter-node port being the same."""
    port = parts["ServerConfig"].get("port")
    between = parts["BackendConfig"].get("multiNodesInferPort", _DEFAULT_INTER_NODE_PORT)
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
    """The same for 1.0.0 with one node."""
    if not several(parts):
        yield from world_size(parts)


def world_size_all(parts: Parts) -> Iterator[str]:
    """With several nodes of 1.0.0: a worldSize that cannot be the ranks of all of them."""
    for broken in world_size(parts) if several(parts) else ():
        size, count = parts["ModelConfig"]["worldSize"], len(_ids(parts)[0])
        if not count or size % count:
            yield broken


def unique_ids(parts: Parts) -> Iterator[str]:
    """A card named twice. With several nodes the rank table's cards take the place of these."""
    for subset in () if several(parts) else _ids(parts):
        if len({str(one) for one in subset}) != len(subset):
            yield f"npuDeviceIds is {subset}"


def backend_name(parts: Parts) -> Iterator[str]:
    """A backendName of another form."""
    value = parts["BackendConfig"].get("backendName")
    if isinstance(value, str) and (len(value) > 50 or not _BACKEND_NAME.fullmatch(value)):
        yield f"backendName is {value!r}"


def model_name(parts: Parts) -> Iterator[str]:
    """A modelName of another form."""
    for where, model in models(parts):
        value = model.get("modelName")
        if isinstance(value, str) and not _NAME.fullmatch(value):
            yield f"{where}modelName is {value!r}"


def weight_path(parts: Parts) -> Iterator[str]:
    """A modelWeightPath that the path check refuses."""
    for where, model in models(parts):
        value = model.get("modelWeightPath")
        if isinstance(value, str) and not _plain_path(value):
            yield f"{where}modelWeightPath is {value!r}"


def _plain_path(path: str) -> bool:
    components = [part for part in path.split("/") if part]
    short = len(components) <= 32 and all(len(part) <= 255 for part in components)
    return short and _PATH.fullmatch(path) is not None


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
    for where, model in models(parts):
        value = model.get("npuMemSize")
        if type(value) is int and (value == 0 or value < -1):
            yield f"{where}npuMemSize is {value}"


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
    preempt = parts["ScheduleConfig"].get("maxPreemptCount")
    for where, model in models(parts):
        if type(preempt) is int and preempt != 0 and model.get("cpuMemSize") == 0:
            yield f"{where}maxPreemptCount is {preempt}, cpuMemSize is 0"


def partial_prefills(parts: Parts) -> Iterator[str]:
    """Limits of chunked prefill out of range; the code's own defaults stand in for what is left out."""
    schedule = parts["ScheduleConfig"]
    read = {}
    for name, default in _CHUNKS.items():
        value = schedule.get(name, default)
        size = as_integer(value, 64, signed=False)
        if size is None:
            yield f"{name} is {value!r}"
        # Compared with 32 bits of it.
        read[name] = None if size is None else size % 2**32
    limits = {"maxNumPartialPrefills": 64, "longPrefillTokenThreshold": 8192}
    limits["maxLongPartialPrefills"] = read["maxNumPartialPrefills"] or 0
    for name, highest in limits.items():
        size = read[name]
        if size is not None and not 1 <= size <= highest:
            yield f"{name} is {size}, the most is {highest}"


def stage_policy(parts: Parts) -> Iterator[str]:
    """A stageSelectPolicy that does not exist; supportSelectBatch overrides it. Read as 16 bits."""
    schedule = parts["ScheduleConfig"]
    value = schedule.get("stageSelectPolicy", 0)
    if schedule.get("supportSelectBatch") is not True and type(value) is int and value % 2**16 > 2:
        yield f"stageSelectPolicy is {value}"


def truncation(parts: Parts) -> Iterator[str]:
    """A truncation that is replaced by the default."""
    value = parts["ModelDeployConfig"].get("truncation", 0)
    if type(value) is not bool and not (type(value) is int and value in (-1, 0, 1)):
        yield f"truncation is {value!r}"


def truncation_bool(parts: Parts) -> Iterator[str]:
    """The same before 3.0.0, where it is a switch."""
    value = parts["ModelDeployConfig"].get("truncation", False)
    if type(value) is not bool:
        yield f"truncation is {value!r}"


def cache_backend(parts: Parts) -> Iterator[str]:
    """A KV pool of an unknown kind."""
    pool = parts["BackendConfig"].get("kvPoolConfig")
    if not isinstance(pool, dict):
        return
    backend, path = pool.get("backend", ""), pool.get("configPath", "")
    if backend not in ("", "unifiedcache", "mooncake", "memcache"):
        yield f"kvPoolConfig.backend is {backend!r}"
    if not isinstance(path, str) or len(path.encode()) > 500:
        yield "kvPoolConfig.configPath is not a text of at most 500 characters"
    if type(pool.get("asyncWrite", False)) is not bool:
        yield f"kvPoolConfig.asyncWrite is {pool['asyncWrite']!r}"


def threshold(parts: Parts) -> Iterator[str]:
    """A usage threshold that is no percentage."""
    health = parts["ServerConfig"].get("HealthCheckConfig")
    value = health.get("npuUsageThreshold", 0) if isinstance(health, dict) else 0
    number = as_integer(value, 32, signed=False)
    if number is None or number > 100:
        yield f"npuUsageThreshold is {value!r}"


def inter_comm_port(parts: Parts) -> Iterator[str]:
    """A port of the dmi mode out of range. Its type is not looked at."""
    value = parts["ServerConfig"].get("interCommPort", 1121)
    port = as_integer(value, 32, signed=True)
    if port is None or not 1024 <= port <= 65535:
        yield f"interCommPort is {value!r}"


def lora(parts: Parts) -> Iterator[str]:
    """LoRA modules without name, path or base model."""
    modules = parts["ModelDeployConfig"].get("LoraModules")
    if modules is None:
        return
    names = [model.get("modelName") for _, model in models(parts)]
    # The code walks over the values of an object, and over a single value as over a list of one.
    inside = list(modules.values()) if isinstance(modules, dict) else modules
    for module in inside if isinstance(inside, list) else [inside]:
        wrong = [
            name
            for name in ("name", "path", "baseModelName")
            if not isinstance(module, dict) or not isinstance(module.get(name), str)
        ]
        if wrong:
            yield f"LoraModules: {', '.join(wrong)} missing in {module!r}"
        elif not _NAME.fullmatch(module["name"]):
            yield f"LoraModules: name is {module['name']!r}"
        elif not _plain_path(module["path"]) or len(module["path"]) > _LONGEST_TEXT:
            yield f"LoraModules: path is {module['path']!r}"
        elif module["baseModelName"] not in names:
            yield f"LoraModules: baseModelName is {module['baseModelName']!r}"


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
