"""What 3.0.0 reads of config.json beside its tables of fields: lists, inner sections, plug-ins, LoRA modules.

Source: MindIE-LLM v3.0.0 src/config_manager. The functions raise JsonError where the JSON library throws, and
yield the lines of what the code itself finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lingctl.sandbox.engine import json_library as library
from lingctl.sandbox.engine.settings.file_rules import model_path_fault

Section = Mapping[str, Any]
_SPLIT = "layerwiseDisaggregated"
_NODES = f"{_SPLIT}MultiNodesInferEnabled"
_PORT = f"{_SPLIT}MultiNodesCtrlPort"
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,254}[A-Za-z0-9])?\Z")
_NO_TEXT = "Type of element in json array does not match string"
_CHUNKS = ("prefillChunkSize", "maxNumPartialPrefills", "maxLongPartialPrefills", "longPrefillTokenThreshold")


def server_names(server: Section) -> Iterator[str]:
    """Names of certificates, and the edge-cloud split's addresses and ports."""
    if library.flag(server.get("interCommTLSEnabled", True)):
        for name in ("interCommTlsCert", "interCommTlsCaPath", "interCommPk", "interCommTlsCrlPath"):
            library.text(server.get(name, ""))
        yield from _texts(server, "interCommTlsCaFiles", "interCommTlsCrlFiles")
    if server["httpsEnabled"]:
        yield from _texts(server, "tlsCaFile", "tlsCrlFiles")
    if server.get(_SPLIT):
        peers, ports = server.get(f"{_SPLIT}SlaveIpAddress", []), server.get(f"{_SPLIT}CrtlPort", [])
        if not all(isinstance(one, str) for one in peers):
            yield _NO_TEXT
        for port in ports:
            if not isinstance(port, int) or isinstance(port, bool):
                yield "Type of element in json array does not match integer"
            elif not -(2**31) <= port < 2**31:
                yield "The value of element in json array for int32_t is invalid."


def _texts(server: Section, *names: str) -> Iterator[str]:
    for name in names:
        if not all(isinstance(one, str) for one in library.elements(server.get(name))):
            yield _NO_TEXT
            yield f"{name} init error"


def split_of_backend(backend: Section) -> Iterator[str]:
    """The split's switch for several nodes and its port, read also where the split is off."""
    inside = backend.get(_SPLIT, {})
    if _NODES in inside:
        enabled, port = library.flag(inside[_NODES]), library.number(inside.get(_PORT))
        if enabled and not 1024 <= port <= 65535:
            bound = f"is out of bound [{65535}]" if port > 65535 else f"is less than [{1024}]"
            yield f"backendConfig.{_PORT} [{port}] {bound}"


def split_of_schedule(schedule: Section) -> Iterator[str]:
    """The split's one key in ScheduleConfig, and numbers whose types are not looked at."""
    prior = schedule.get(_SPLIT, {}).get("nextPHeadPrior", False)
    if not isinstance(prior, bool):
        yield f"The type of param nextPHeadPrior should be bool, but got {library.type_name(prior)}"
        return
    for name in _CHUNKS:
        if name in schedule:
            library.number(schedule[name], boolean=False)


def excluded_by_split(server: Section, backend: Section, schedule: Section, model: Section) -> Iterator[str]:
    """What the split is not compatible with; the first alone is said."""
    found = (
        ("multiNodesInferEnabled.", backend["multiNodesInferEnabled"]),
        ("distDPServerEnabled.", server["distDPServerEnabled"]),
        (f"backendType {model['backendType']}", model["backendType"] != "atb"),
        ("plugin_type: splitfuse.", model.get("plugin_type") == "splitfuse"),
        (f"templateType {schedule['templateType']}", schedule["templateType"] != "Standard"),
        ("supportSelectBatch.", schedule["supportSelectBatch"]),
        ("bufferResponseEnabled.", schedule.get("bufferResponseEnabled", False)),
    )
    for name, given in found:
        if given:
            yield f"{_SPLIT} not incompatible with {name}"
            return
    dp = _size(model.get("dp"))
    if not backend.get(_SPLIT, {}).get(_NODES):
        if dp not in (None, 1):
            yield f"{_SPLIT} not incompatible with dp {dp}"
    elif len(server.get(f"{_SPLIT}SlaveIpAddress", [])) != 2:
        yield f"{_SPLIT} multi nodes only support slaveIpAddress size is 2 ."
    elif dp not in (1, 2):
        yield f"{_SPLIT} multi nodes only support dp size is 1 or 2."


def _size(value: object) -> int | None:
    if isinstance(value, str):
        leading = re.match(r"[ \t\n\v\f\r]*([+-]?[0-9]{1,10})", value)
        return int(leading[1]) if leading else 0
    return int(value) if isinstance(value, int | float) else None


def plug_in(model: Section) -> None:
    """The plug-in's kind and its number of tokens. A text that is no JSON is passed over."""
    content = model.get("plugin_params")
    if isinstance(content, str):
        try:
            content = library.read(content.split("\0")[0], whole=True)
        except ValueError:
            return
    if (
        isinstance(content, dict)
        and "plugin_type" in content
        and "mtp" in library.text(content["plugin_type"])
    ):
        library.number(content.get("num_speculative_tokens", 0))


def lora_modules(deploy: Section, models: Sequence[Section]) -> Iterator[str]:
    """Adapters without a name, a folder or a known model."""
    for module in library.elements(deploy.get("LoraModules")):
        name, path, base = (
            library.text(library.member(module, key)) for key in ("name", "path", "baseModelName")
        )
        for key, value in (("name", name), ("path", path), ("baseModelName", base)):
            if len(value.encode()) > 256:
                yield f"The length of config parameter '{key}' exceeds 256"
        if not _NAME.match(name):
            yield "The value of loraName must meet the following rules"
        fault = model_path_fault(Path(path).resolve(), folder=True) if "\0" not in path else "Path not found"
        if fault:
            yield fault
        if base not in [model.get("modelName") for model in models]:
            yield f"Lora base model not found. Please check. Lora name is {name}"
