"""The line of start parameters that every worker of MindIE 1.0.0 prints."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from lingctl.sandbox.engine.settings.rank_table import RankTable
from lingctl.sandbox.engine.settings.server_config import RawConfig


def parameter_line(
    raw: RawConfig, table: RankTable | None, rank: int, place: int, device: int, home: Path
) -> str:
    """One worker's line.

    Args:
        rank: global rank.
        place: rank within the node.
        device: its card.
        home: mindie-service.

    Source: transcripts of the 1.0.0 image, where all values are strings.
    """
    model, deploy, schedule, backend = raw.model, raw.deploy, raw.schedule, raw.backend
    local = table.local if table else None
    master = table.master if table else None
    ids = ",".join(str(i) for i in backend["npuDeviceIds"][0])
    ranks = ",".join(str(d.rank) for d in local.devices) if local else ""
    values = {
        "backend_bin_path": f"{home.parent}/mindie-llm/bin/",
        "backend_log_file": f"{home}/logs/mindservice.log",
        "backend_modelInstance_id": "0",
        "backend_type": model["backendType"],
        "block_size": schedule["cacheBlockSize"],
        "cpu_mem": model["cpuMemSize"],
        "deploy_type": "INTER_PROCESS",
        "dp": "0",
        "ep": "0",
        "executor_type": "LLM_EXECUTOR_PYTHON",
        "globalRankIds": ranks,
        "globalWorldSize": len(table.ranks) if table else 0,
        "interNodeTLSEnabled": int(bool(backend.get("interNodeTLSEnabled", True))),
        "isMaster": int(table is not None and local is master),
        "localIP": local.container_ip if local else "",
        "local_rank": place,
        "log_error": "1",
        "log_info": "1",
        "masterIP": master.container_ip if master else "",
        "max_input_len": deploy["maxInputTokenLen"],
        "max_iter_times": schedule["maxIterTimes"],
        "max_prefill_tokens": schedule["maxPrefillTokens"],
        "max_seq_len": deploy["maxSeqLen"],
        "model_id": model["modelWeightPath"],
        "model_instance_number": backend["modelInstanceNumber"],
        "model_instance_type": model.get("modelInstanceType", "Standard"),
        "model_name": model["modelName"],
        "multiNodesInferEnabled": int(raw.multi_node),
        "multiNodesInferPort": backend.get("multiNodesInferPort", 1120),
        "npu_device_id": device,
        "npu_device_ids": ids,
        "npu_mem": model["npuMemSize"],
        "rank": rank,
        "tp": "0",
        "trust_remote_code": int(model["trustRemoteCode"]),
        "world_size": model["worldSize"],
    }
    now = datetime.now()
    stamp = f"{now:%Y-%m-%d %H:%M:%S},{now.microsecond // 1000:03d}"
    text = {key: str(value) for key, value in values.items()}
    return f"{stamp} [INFO] config.py:30 - model_config {text}"
