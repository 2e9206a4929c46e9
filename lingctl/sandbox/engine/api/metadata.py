"""Answers that describe the server: models, configuration, health, metrics."""

from __future__ import annotations

import json
import os
from pathlib import PurePosixPath
from typing import Any

from lingctl.sandbox.engine.api.masking import masked_path
from lingctl.sandbox.engine.model.warm_up import BLOCKS
from lingctl.sandbox.engine.requests.errors import ApiError
from lingctl.sandbox.engine.requests.service import Service

Document = dict[str, Any]


def models(service: Service) -> str:
    """GET /v1/models, as text with its keys in order; the first two levels of the path are masked."""
    entry = {
        "id": service.name,
        "object": "model",
        "owned_by": "MindIE Server",
        "parent": "null",
        "root": masked_path(service.raw.model["modelWeightPath"]),
    }
    return json.dumps({"data": [entry], "object": "list"}, indent=4, ensure_ascii=False)


def one_model(service: Service) -> Document:
    """GET /v1/models/{m}."""
    return {
        "id": service.name,
        "object": "model",
        "created": service.started,
        "owned_by": "MindIE Server",
    }


def info(service: Service) -> Document:
    """GET /info."""
    raw = service.raw
    model = {
        "model_device_type": "npu",
        "model_dtype": "bfloat16",
        "model_id": service.name,
        "model_pipeline_tag": "text-generation",
        "model_sha": None,
        "max_total_tokens": raw.deploy["maxSeqLen"],
    }
    return {
        "docker_label": None,
        "max_batch_total_tokens": raw.schedule["maxPrefillTokens"],
        "max_best_of": 1,
        "max_concurrent_requests": raw.schedule["maxBatchSize"],
        "max_stop_sequences": None,
        "max_waiting_tokens": None,
        "sha": None,
        "validation_workers": None,
        "version": service.version,
        "waiting_served_ratio": None,
        "models": [model],
        "max_input_length": raw.deploy["maxInputTokenLen"],
    }


def triton_server(service: Service) -> Document:
    """GET /v2."""
    names = {
        "max_iter_times": "maxIterTimes",
        "prefill_policy_type": "prefillPolicyType",
        "decode_policy_type": "decodePolicyType",
        "max_prefill_batch_size": "maxPrefillBatchSize",
        "max_prefill_tokens": "maxPrefillTokens",
    }
    extensions = {ours: service.raw.schedule[theirs] for ours, theirs in names.items()}
    return {"name": "MindIE Server", "version": service.version, "extensions": extensions}


def triton_model(service: Service) -> Document:
    """GET /v2/models/{m}."""
    shape = {"shape": [-1], "datatype": "UINT32"}
    ends = {"inputs": [{"name": "input0", **shape}], "outputs": [{"name": "output0", **shape}]}
    return {"name": service.name, "platform": "MindIE Server", **ends}


def triton_config(service: Service) -> Document:
    """GET /v2/models/{m}/config; the types are not those of /v2/models/{m} (seen on the real 3.0.0)."""
    model, deploy = service.raw.model, service.raw.deploy
    return {
        "model_name": service.name,
        "input_datatype": "INT64",
        "output_datatype": "INT64",
        "max_seq_len": deploy["maxSeqLen"],
        "npu_mem_size": model["npuMemSize"] or -1,
        "cpu_mem_size": model["cpuMemSize"],
        "world_size": model["worldSize"],
        "model_weight_path": PurePosixPath(model["modelWeightPath"]).name,
        "model_instance_type": model.get("modelInstanceType", "Standard"),
    }


def config(service: Service) -> Document:
    """GET /v1/config."""
    model, raw = service.raw.model, service.raw
    return {
        "modelName": service.name,
        "maxSeqLen": raw.deploy["maxSeqLen"],
        "npuMemSize": model["npuMemSize"],
        "cpuMemSize": model["cpuMemSize"],
        "worldSize": model["worldSize"],
        "maxOutputLen": raw.schedule["maxIterTimes"],
        "cacheBlockSize": raw.schedule["cacheBlockSize"],
    }


def slots(service: Service) -> Document:
    """GET /v2/models/{m}/getSlotCount."""
    total = service.raw.schedule["maxBatchSize"]
    free = max(0, total - service.scheduler.running)
    block = int(service.raw.schedule["cacheBlockSize"])
    return {
        "total_slots": total,
        "free_slots": free,
        "available_tokens_length": _free_blocks(service) * block,
    }


def _free_blocks(service: Service) -> int:
    """Blocks of the cache that no sequence holds; one block for each is near enough."""
    return max(0, BLOCKS - service.scheduler.running)


def running_status(service: Service) -> Document:
    """GET /v1/engine-server/running-status."""
    return {"status": 0 if service.stopping.is_set() else 1, "errors": []}


def status(service: Service, *, detailed: bool) -> Document:
    """GET /v1/status and /v2/status."""
    slots_free = max(0, service.raw.schedule["maxBatchSize"] - service.scheduler.running)
    blocks = _free_blocks(service)
    resource: Document = {
        "availSlotsNum": slots_free,
        "availBlockNum": blocks,
        "waitingRequestNum": service.scheduler.waiting,
        "runningRequestNum": service.scheduler.running,
        "swappedRequestNum": 0,
        "freeNpuBlockNums": blocks,
        "freeCpuBlockNums": 0,
        "totalNpuBlockNums": BLOCKS,
        "totalCpuBlockNums": 0,
    }
    if detailed:
        resource["totalAvailNpuSlotsNum"] = slots_free
        resource["totalAvailNpuBlockNum"] = blocks
        resource["dpInstMap"] = [[0, blocks]]
        resource["maxAvailNpuBlockNum"] = blocks
    return {
        "service": {"roleStatus": "RoleReady", "currentRole": "none"},
        "resource": resource,
        "linkStatus": {"peers": []},
    }


def averages(service: Service, address: str) -> Document:
    """GET /metrics-json, whose values are texts.

    Args:
        service: what is told of.
        address: of the management listener, as host:port.
    """
    values = {
        "TTFT": service.times.first,
        "TBT": service.times.between,
        "waitingInferRequestNum": service.scheduler.waiting,
        "processingInferRequestNum": service.scheduler.running,
        "remainBlocks": _free_blocks(service),
    }
    result = [
        {
            "metric": [{"__name__": name, "job": "node", "instance": address}],
            "value": str(value),
        }
        for name, value in values.items()
    ]
    return {"resultType": "vector", "result": result}


def health(service: Service, *, ready: bool) -> tuple[int, Document | None]:
    """The state as the v2 health endpoints tell it: status and body. See health.py for what it rests on."""
    if service.lost_nodes:
        nodes = [f"node({address}) is abnormal." for address in service.lost_nodes]
        return 500, {"message": "Abnormal node detected", "no_contact_node": nodes}
    if service.health.abnormal or service.stopping.is_set():
        return 503, None
    if service.health.starting or service.scheduler.lost:
        service.say_abnormal()
        return 500, {"message": "Service is abnormal"}
    if service.scheduler.running >= service.raw.schedule["maxBatchSize"]:
        if ready:
            advice = "Service is alive but busy. Consider reducing request frequency"
            return 503, {"message": advice}
        return 200, {"message": "Service is alive but busy"}
    return 200, None


def metrics(service: Service) -> str:
    """GET /metrics in Prometheus text.

    Raises:
        ApiError: MIES_SERVICE_MONITOR_MODE is not set.
    """
    if os.environ.get("MIES_SERVICE_MONITOR_MODE") != "1":
        text = "Environment variable MIES_SERVICE_MONITOR_MODE is not set."
        raise ApiError(500, text)
    label = f'{{model_name="{service.name}"}}'
    values = {
        "num_requests_running": service.scheduler.running,
        "num_requests_waiting": service.scheduler.waiting,
    }
    return "".join(f"# TYPE {key} gauge\n{key}{label} {value}\n" for key, value in values.items())
