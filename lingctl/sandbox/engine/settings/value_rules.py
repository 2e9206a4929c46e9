"""The value checks of config.json: every rule is evaluated, so several lines can appear.

A rule that is kept may yield an empty line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.settings.address_rules import address_fault, addresses
from lingctl.sandbox.engine.settings.certificate_rules import CertificateRules
from lingctl.sandbox.engine.settings.fields import BACKEND, SERVER, Field
from lingctl.sandbox.engine.settings.file_rules import coded, model_path_fault, private_file_fault
from lingctl.sandbox.engine.settings.schedule_rules import schedule_faults
from lingctl.sandbox.engine.settings.sections import Section
from lingctl.sandbox.engine.settings.server_config import RawConfig, between

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,254}[A-Za-z0-9])?\Z")
_ENGINE = re.compile(r"[a-z]+(_[a-z]+)*\Z")

# Where 3.0.0 says what it logs; its other lines go to standard output without a place.
_PLACES = {
    "The value of modelName": "model_deploy_config.cpp:426",
    "The value of modelParam.maxSeqLen": "model_deploy_config.cpp:445",
    "The value of modelParam.maxInputTokenLen": "model_deploy_config.cpp:449",
    "The value of modelParam.worldSize": "model_deploy_config.cpp:453",
    "Backend type only supports": "model_deploy_config.cpp:457",
    "The value of 'npuMemSize'": "model_deploy_config.cpp:461",
    "The maxN cannot": "schedule_config.cpp:257",
    "The maxPreemptCount cannot": "schedule_config.cpp:277",
    "The templateType must": "schedule_config.cpp:304",
    "The templateName must": "schedule_config.cpp:308",
    "The scheduleParam.policyType": "param_checker.cpp:374",
}


def values_fit(
    raw: RawConfig, version: str, console: Console, home: Path, *, devices: Sequence[int], world: int
) -> bool:
    """Run all rules, and say what breaks them.

    Args:
        raw: sections of right types.
        version: 1.0.0 or 3.0.0.
        console: where the words go.
        home: folder that relative TLS paths start from.
        devices: this node's device ids, after the rank table has overwritten them.
        world: the world size that goes with them.
    """
    if not _model_folder_fits(Path(raw.model["modelWeightPath"]), version, console):
        return False
    certificates = CertificateRules(version, home)
    found = (
        *schedule_faults(raw.schedule),
        *_deploy(raw.deploy, raw.model),
        *_server(raw.server, version, certificates),
        *_backend(raw, devices, world, certificates),
        *_cross(raw),
    )
    faults = list(filter(None, found))
    for text in faults:
        place = next((place for words, place in _PLACES.items() if text.startswith(words)), "")
        if place and version != "1.0.0":
            console.model("ERROR", text, place)
        else:
            console.out(text)
    return not faults


def _model_folder_fits(folder: Path, version: str, console: Console) -> bool:
    config = folder / "config.json"
    # 3.0.0 has said what is wrong with the file when it read the section.
    config_fault = model_path_fault(config.resolve(), folder=False)
    fault = model_path_fault(folder.resolve(), folder=True) or config_fault
    if fault is None and version == "1.0.0":
        fault = private_file_fault(config, version, 0o750)
    if fault is None:
        try:
            json.loads(config.read_bytes())
            return True
        except ValueError:
            console.out("ERR: model config.json file is invalid. Please check it! ")
    elif version == "1.0.0":
        console.out(fault)
    elif config_fault is None:
        console.model("ERROR", coded(fault), "model_deploy_config.cpp:470")
    if version == "1.0.0":
        console.out("Failed check model config.json! take modelConfig.modelWeightPath to empty")
    return False


def _ranges(section: Section, prefix: str, fields: Sequence[Field]) -> Iterator[str]:
    for field in fields:
        value = section.get(field.name)
        if value is not None and field.high is not None and field.low is not None:
            yield between(f"{prefix}.{field.name}", value, field.low, field.high)


def _deploy(deploy: Section, model: Section) -> Iterator[str]:
    if not _NAME.match(model["modelName"]):
        rule = "The string length is [1, 256] and consists of a match of the type [a-zA-Z0-9_.-]."
        ends = "The first and last characters must be characters or digits."
        yield f"The value of modelName must meet the following rules: {rule} {ends}"
    if deploy["maxSeqLen"] == 0:
        yield "The value of modelParam.maxSeqLen can not be 0."
    if not 1 <= deploy["maxInputTokenLen"] <= 4194304:
        yield "The value of modelParam.maxInputTokenLen should be in [1, 4194304]."
    if model["worldSize"] == 0:
        yield "The value of modelParam.worldSize can not be 0."
    if model["backendType"] not in ("atb", "ms", "torch"):
        yield "Backend type only supports atb, ms, torch."
    memory = model["npuMemSize"]
    if memory == 0 or memory < -1:
        text = f"The value of 'npuMemSize' in ModelDeployConfig in config.json is {memory}"
        limits = "within (0, 4294967295] or -1"
        # No space before "please": the vendor's.
        yield f"{text} it should be {limits}please set 'npuMemSize' in config.json {limits}"


def _server(server: Section, version: str, certificates: CertificateRules) -> Iterator[str]:
    if server["inferMode"] not in ("standard", "dmi"):
        yield "The inferMode should be standard or dmi"
    for name, address in addresses(server).items():
        yield address_fault(name, address, version, zero=server["allowAllZeroIpListening"])
    yield from _ranges(server, "serverConfig", SERVER)
    if server["httpsEnabled"]:
        yield from certificates.https(server)


def _backend(
    raw: RawConfig, devices: Sequence[int], world: int, certificates: CertificateRules
) -> Iterator[str]:
    backend = raw.backend
    if len(backend["backendName"]) > 50:
        yield "The length of backendName exceeds 50."
    elif not _ENGINE.match(backend["backendName"]):
        yield "The pattern of backendName is invalid."
    yield from _ranges(backend, "backendConfig", BACKEND)
    if len(set(devices)) != world:
        yield "npuDeviceID does not allow repetitive element"
    pool = backend.get("kvPoolConfig", {}).get("backend", "")
    if pool not in ("", "unifiedcache", "mooncake", "memcache"):
        yield "Unknow kv pool backend. And only [`unifiedcache`, `mooncake`, `memcache`, ``] is available!"
    if len(backend.get("kvPoolConfig", {}).get("configPath", "").encode()) > 500:
        yield "The length of kvPool Config Path exceeds 500."
    if raw.multi_node and backend.get("interNodeTLSEnabled", True):
        lines = list(certificates.inter_node(backend))
        yield from [*lines, *(["Backend inter tls config is invalid"] if lines else [])]


def _cross(raw: RawConfig) -> Iterator[str]:
    if raw.server["port"] == raw.backend.get("multiNodesInferPort", 1120):
        yield "Endpoint port cannot be equal to multiNodesInferPort."
    if raw.schedule["maxIterTimes"] == 0:
        yield "The value of ScheduleParam.maxIterTimes can not be 0."
    if raw.schedule["maxPreemptCount"] and raw.model["cpuMemSize"] == 0:
        yield "The value of modelParam.cpuMemSize can not be 0 when maxPreemptCount is not 0."
    mix = raw.schedule["templateType"] == "Mix"
    if not mix and raw.schedule["maxPrefillTokens"] < raw.deploy["maxInputTokenLen"]:
        yield "The value of maxPrefillTokens should not be less than maxInputTokenLen."
