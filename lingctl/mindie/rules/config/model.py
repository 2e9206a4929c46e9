"""Rules of the models that are served: names, paths, memory."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lingctl.mindie.rules.rule import CODE, Breach, Parts, models, rule

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,254}[A-Za-z0-9])?")
_BACKEND_NAME = re.compile(r"[a-z]+(_[a-z]+)*")
_PATH = re.compile(r"[A-Za-z0-9_./-]{1,4096}")


def is_name(text: str) -> bool:
    """Whether a model or a LoRA module may be named so."""
    return _NAME.fullmatch(text) is not None


def is_plain_path(path: str) -> bool:
    """Whether the server's check of paths lets it pass."""
    components = [part for part in path.split("/") if part]
    short = len(components) <= 32 and all(len(part) <= 255 for part in components)
    return short and _PATH.fullmatch(path) is not None


@rule(
    "config-backend-name",
    "backendName is lower-case words joined by _, at most 50 characters",
    source=f"{CODE}param_checker.cpp",
    remedy="use mindieservice_llm_engine",
)
def _backend_name(parts: Parts) -> Iterator[str]:
    value = parts["BackendConfig"].get("backendName")
    if isinstance(value, str) and (len(value) > 50 or not _BACKEND_NAME.fullmatch(value)):
        yield f"backendName is {value!r}"


@rule(
    "config-model-name",
    "modelName has 1 to 256 of A-Z a-z 0-9 _ . - and begins and ends with a letter or digit",
    source=f"{CODE}model_deploy_config.cpp",
    remedy="use a name of these characters",
)
def _model_name(parts: Parts) -> Iterator[Breach]:
    for where, model in models(parts):
        value = model.get("modelName")
        if isinstance(value, str) and not is_name(value):
            near = _near_name(value) or _near_name(str(model.get("modelWeightPath")))
            remedy = f"use {near}" if near else "use a name of these characters, without / or blanks"
            yield Breach(f"{where}modelName is {value!r}", remedy)


def _near_name(text: str) -> str:
    """The last part of a name or path, with what a model's name may have; empty where nothing is left."""
    last = text.rstrip("/ ").rpartition("/")[2]
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", last)[:256].strip("_.-")
    return name if is_name(name) else ""


@rule(
    "config-weight-path",
    "modelWeightPath has only A-Z a-z 0-9 _ . / - and at most 32 levels",
    source="MindIE-LLM v3.0.0 src/utils/safe_path.cpp",
    remedy="move the weights to a plainer path",
)
def _weight_path(parts: Parts) -> Iterator[str]:
    for where, model in models(parts):
        value = model.get("modelWeightPath")
        if isinstance(value, str) and not is_plain_path(value):
            yield f"{where}modelWeightPath is {value!r}"


@rule(
    "config-one-model",
    "one entry in ModelConfig for templateType Standard",
    source=f"{CODE}model_deploy_config.cpp",
    remedy="keep one entry; one server process per model",
)
def _one_model(parts: Parts) -> Iterator[str]:
    listed = parts["ModelDeployConfig"].get("ModelConfig")
    standard = parts["ScheduleConfig"].get("templateType") == "Standard"
    if standard and isinstance(listed, list) and len(listed) != 1:
        yield f"ModelConfig has {len(listed)} entries"


@rule(
    "config-npu-memory",
    "npuMemSize is -1 or at least 1",
    source=f"{CODE}model_deploy_config.cpp",
    remedy="use -1",
)
def _npu_memory(parts: Parts) -> Iterator[str]:
    for where, model in models(parts):
        value = model.get("npuMemSize")
        if type(value) is int and (value == 0 or value < -1):
            yield f"{where}npuMemSize is {value}"
