"""Answers that describe the server: models, configuration, health, metrics."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import Any

from lingctl.sandbox.engine.api_requests import ApiError
from lingctl.sandbox.engine.service import Service

Document = dict[str, Any]


def models(service: Service) -> Document:
    """GET /v1/models; the first two levels of the weights' path are masked."""
    parts = PurePosixPath(service.raw.model["modelWeightPath"]).parts
    root = "/".join(["***", *parts[3:]]) if len(parts) > 3 else "***"
    entry = {
        "id": service.name,
        "object": "model",
        "owned_by": "MindIE Server",
        "parent": "null",
        "root": root,
    }
    return {"object": "list", "data": [entry]}


def one_model(service: Service) -> Document:
    """GET /v1/models/{m}."""
    return {"id": service.name, "object": "model", "created": 0, "owned_by": "MindIE Server"}


def info(service: Service) -> Document:
    """GET /info."""
    raw = service.raw
    model = {
        "model_device_type": "npu",
        "model_dtype": "torch.bfloat16",
        "model_id": service.name,
        "model_pipeline_tag": "text-generation",
        "model_sha": None,
        "max_total_tokens": raw.deploy["maxSeqLen"],
    }
    nothing = ("docker_label", "max_stop_sequences", "max_waiting_tokens", "sha", "validation_workers")
    return {
        **dict.fromkeys(nothing),
        "waiting_served_ratio": None,
        "max_batch_total_tokens": raw.schedule["maxPrefillTokens"],
        "max_best_of": 1,
        "max_concurrent_requests": raw.schedule["maxBatchSize"],
        "version": service.version,
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
    """GET /v2/models/{m}/config."""
    model, deploy = service.raw.model, service.raw.deploy
    return {
        "model_name": service.name,
        "max_seq_len": deploy["maxSeqLen"],
        "npu_mem_size": model["npuMemSize"],
        "cpu_mem_size": model["cpuMemSize"],
        "world_size": model["worldSize"],
        "model_weight_path": PurePosixPath(model["modelWeightPath"]).name,
        "model_instance_type": model.get("modelInstanceType", "Standard"),
        "input_datatype": "UINT32",
        "output_datatype": "UINT32",
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
    free = total - service.scheduler.running
    return {"total_slots": total, "free_slots": free, "available_tokens_length": free * 128}


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
        raise ApiError(500, "Incomplete Generation", text)
    label = f'{{model_name="{service.name}"}}'
    values = {
        "num_requests_running": service.scheduler.running,
        "num_requests_waiting": service.scheduler.waiting,
    }
    return "".join(f"# TYPE {key} gauge\n{key}{label} {value}\n" for key, value in values.items())
