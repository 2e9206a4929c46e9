"""The value checks of config.json: every rule is evaluated, so several lines can appear."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.fields import BACKEND, SCHEDULE, SERVER, Field
from lingctl.sandbox.engine.file_rules import model_path_fault, private_file_fault
from lingctl.sandbox.engine.server_config import RawConfig, Refused, Section

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,254}[A-Za-z0-9])?\Z")
_ENGINE = re.compile(r"[a-z]+(_[a-z]+)*\Z")


def _one_listener(server: Section) -> bool:
    """Whether business, management and metrics share address and port."""
    business = os.environ.get("MIES_CONTAINER_IP") or server["ipAddress"]
    management = (
        os.environ.get("MIES_CONTAINER_MANAGEMENT_IP") or server.get("managementIpAddress") or business
    )
    ports = {server["port"], server.get("managementPort", server["port"]), server.get("metricsPort")}
    return business == management and len(ports - {None}) == 1


class ValueRules:
    """Checks one configuration.

    Args:
        raw: sections of right types.
        version: 1.0.0 or 3.0.0.
        console: where the words go.
        home: folder that relative TLS paths start from.
    """

    def __init__(self, raw: RawConfig, version: str, console: Console, home: Path) -> None:
        self._raw, self._version, self._console, self._home = raw, version, console, home
        self._wrong = False

    def check(self, devices: Sequence[int], world: int) -> None:
        """Run all rules.

        Args:
            devices: this node's device ids, after the rank table has overwritten them.
            world: the world size that goes with them.

        Raises:
            Refused: at least one rule is broken.
        """
        self._model_folder()
        self._schedule()
        self._deploy()
        self._server()
        self._backend(devices, world)
        self._cross()
        if self._wrong:
            raise Refused("values")

    def _say(self, text: str, *, log: bool = False) -> None:
        self._wrong = True
        if log and self._version != "1.0.0":
            self._console.model("ERROR", text)
        else:
            self._console.out(text)

    def _model_folder(self) -> None:
        folder = Path(self._raw.model["modelWeightPath"])
        fault = model_path_fault(folder.resolve(), folder=True)
        config = folder / "config.json"
        fault = fault or model_path_fault(config.resolve(), folder=False)
        if fault is None and self._version == "1.0.0":
            fault = private_file_fault(config, self._version, 0o750)
        if fault is None:
            try:
                json.loads(config.read_bytes())
                return
            except ValueError:
                self._console.out("ERR: model config.json file is invalid. Please check it! ")
        elif self._version == "1.0.0":
            self._console.out(fault)
        else:
            self._console.model("ERROR", fault)
        if self._version == "1.0.0":
            self._console.out("Failed check model config.json! take modelConfig.modelWeightPath to empty")
        raise Refused("model folder")

    def _ranges(self, section: Section, prefix: str, fields: Sequence[Field]) -> None:
        for field in fields:
            value = section.get(field.name)
            if value is None or field.high is None or field.low is None:
                continue
            if value > field.high:
                self._say(f"{prefix}.{field.name} [{value}] is out of bound [{field.high}]")
            elif value < field.low:
                self._say(f"{prefix}.{field.name} [{value}] is less than [{field.low}]")

    def _schedule(self) -> None:
        schedule = self._raw.schedule
        self._ranges(schedule, "scheduleParam", SCHEDULE)
        for name in ("decodePolicyType", "prefillPolicyType"):
            if schedule[name] not in range(4):
                text = "is outside the expected schedule policy range: 0, 1, 2, 3"
                self._say(f"scheduleParam.{name} [{schedule[name]}] {text}")
        policy = schedule.get("policyType", 0)
        if policy not in (0, 4, 5, 6, 7):
            self._say(
                f"The scheduleParam.policyType [{policy}] is outside the expected range: 0 or 4~7.", log=True
            )
        batch = schedule["maxBatchSize"]
        if schedule["maxPrefillBatchSize"] > batch:
            self._say(
                f"scheduleParam.maxPrefillBatchSize [{schedule['maxPrefillBatchSize']}] "
                f"is out of bound [{batch}]"
            )
        if schedule["maxIterTimes"] == 0:
            self._say("The value of ScheduleParam.maxIterTimes can not be 0.")
        for name, limit in (("maxPreemptCount", "maxBatchsize"), ("maxN", "maxBatchSize")):
            if schedule.get(name, 0) > batch:
                advice = f"please set '{name}' to be not greater than '{limit}' in config.json."
                self._say(f"The {name} cannot be set greater than {limit}, {advice}", log=True)
        if schedule["templateType"] not in ("Standard", "Mix"):
            self._say(
                f"The templateType must be Standard or Mix, but is {schedule['templateType']}", log=True
            )
        if schedule["templateName"] != "Standard_LLM":
            self._say(f"The templateName must be Standard_LLM, but is {schedule['templateName']}", log=True)

    def _deploy(self) -> None:
        deploy, model = self._raw.deploy, self._raw.model
        if not _NAME.match(model["modelName"]):
            rule = "The string length is [1, 256] and consists of a match of the type [a-zA-Z0-9_.-]."
            ends = "The first and last characters must be characters or digits."
            self._say(f"The value of modelName must meet the following rules: {rule} {ends}", log=True)
        if deploy["maxSeqLen"] == 0:
            self._say("The value of modelParam.maxSeqLen can not be 0.", log=True)
        if not 1 <= deploy["maxInputTokenLen"] <= 4194304:
            self._say("The value of modelParam.maxInputTokenLen should be in [1, 4194304].", log=True)
        if model["worldSize"] == 0:
            self._say("The value of modelParam.worldSize can not be 0.", log=True)
        if model["backendType"] not in ("atb", "ms", "torch"):
            self._say("Backend type only supports atb, ms, torch.", log=True)
        memory = model["npuMemSize"]
        if memory == 0 or memory < -1:
            text = f"The value of 'npuMemSize' in ModelDeployConfig in config.json is {memory}"
            self._say(f"{text} it should be within (0, 4294967295] or -1", log=True)
        kind = model.get("modelInstanceType", "Standard")
        if kind not in ("Standard", "StandardMock", "TargetModel", "AssistantModel"):
            names = "Standard, StandardMock, TargetModel, AssistantModel"
            self._say(f"Model instance type is invalid. supported values: [{names}]")

    def _server(self) -> None:
        server = self._raw.server
        if server["inferMode"] not in ("standard", "dmi"):
            self._say("The inferMode should be standard or dmi")
        for name, variable in (
            ("ipAddress", "MIES_CONTAINER_IP"),
            ("managementIpAddress", "MIES_CONTAINER_MANAGEMENT_IP"),
        ):
            address = os.environ.get(variable) or server.get(name)
            if address:
                self._address(name, address, zero_allowed=server["allowAllZeroIpListening"])
        self._ranges(server, "serverConfig", SERVER)
        if server["httpsEnabled"]:
            self._tls(server, "serverConfig_.", "tlsCaPath", "tlsCaFile", "tlsCert", "tlsPk")
            for kind in ("management",) if self._version == "1.0.0" else ("management", "metrics"):
                if not _one_listener(server):
                    names = (f"{kind}TlsCaFile", f"{kind}TlsCert", f"{kind}TlsPk")
                    self._tls(server, "serverConfig_.", "tlsCaPath", *names)

    def _address(self, name: str, address: str, *, zero_allowed: bool) -> None:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            self._say(f"Input {name} [{address}] format is invalid (neither IPv4 nor IPv6)")
            return
        # 1.0.0 knows IPv4 alone; its words for the other are not documented.
        too_new = parsed.version == 6 and self._version == "1.0.0"
        if too_new or (parsed.is_unspecified and not zero_allowed):
            self._say(f"Input {name} [{address}] is invalid")

    def _tls(self, section: Section, prefix: str, folder: str, files: str, cert: str, key: str) -> None:
        authorities = section.get(files, [])
        if not 1 <= len(authorities) <= 3:
            self._say(f"ERR: {prefix}{files} size must in [1, 3] .")
        base = section.get(folder, "")
        paths = [(files, f"{base}/{file}") for file in authorities]
        paths += [(name, section.get(name, "")) for name in (cert, key)]
        for name, path in paths:
            target = self._home / path
            fault = private_file_fault(target, self._version) if target.exists() else None
            if not target.exists():
                self._say(f"The {prefix}{name} path is invalid by: The path realpath parsing failed.")
            elif fault:
                self._say(f"The {prefix}{name} path is invalid by: {fault}")

    def _backend(self, devices: Sequence[int], world: int) -> None:
        backend = self._raw.backend
        if len(backend["backendName"]) > 50:
            self._say("The length of backendName exceeds 50.")
        elif not _ENGINE.match(backend["backendName"]):
            self._say("The pattern of backendName is invalid.")
        self._ranges(backend, "backendConfig", BACKEND)
        if len(set(devices)) != world:
            self._say("npuDeviceID does not allow repetitive element")
        pool = backend.get("kvPoolConfig", {}).get("backend", "")
        if pool not in ("", "unifiedcache", "mooncake", "memcache"):
            self._say(
                "Unknow kv pool backend. And only [`unifiedcache`, `mooncake`, `memcache`, ``] is available!"
            )
        if self._raw.multi_node and backend.get("interNodeTLSEnabled", True):
            names = ("interNodeTlsCaPath", "interNodeTlsCaFiles", "interNodeTlsCert", "interNodeTlsPk")
            wrong_before = self._wrong
            self._wrong = False
            self._tls(backend, "backendConfig_.", *names)
            if self._wrong:
                self._say("Backend inter tls config is invalid")
            self._wrong = self._wrong or wrong_before

    def _cross(self) -> None:
        raw = self._raw
        if raw.server["port"] == raw.backend.get("multiNodesInferPort", 1120):
            self._say("Endpoint port cannot be equal to multiNodesInferPort.")
        mix = raw.schedule["templateType"] == "Mix"
        if not mix and raw.schedule["maxPrefillTokens"] < raw.deploy["maxInputTokenLen"]:
            self._say("The value of maxPrefillTokens should not be less than maxInputTokenLen.")
        if raw.schedule["maxPreemptCount"] and raw.model["cpuMemSize"] == 0:
            self._say("The value of modelParam.cpuMemSize can not be 0 when maxPreemptCount is not 0.")
