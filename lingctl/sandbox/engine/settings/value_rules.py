"""The value checks of config.json: every rule is evaluated, so several lines can appear."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.settings.address_rules import address_fault
from lingctl.sandbox.engine.settings.certificate_rules import CertificateRules
from lingctl.sandbox.engine.settings.fields import BACKEND, SERVER, Field
from lingctl.sandbox.engine.settings.file_rules import coded, model_path_fault, private_file_fault
from lingctl.sandbox.engine.settings.schedule_rules import schedule_faults
from lingctl.sandbox.engine.settings.sections import Refused, Section
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


def place_of(text: str) -> str:
    """The file and line of a logged sentence."""
    return next((place for words, place in _PLACES.items() if text.startswith(words)), "")


class ValueRules:
    """Checks one configuration.

    Args:
        raw: sections of right types.
        version: 1.0.0 or 3.0.0.
        console: where the words go.
        home: folder that relative TLS paths start from.
    """

    def __init__(self, raw: RawConfig, version: str, console: Console, home: Path) -> None:
        self._raw, self._version, self._console = raw, version, console
        self._certificates = CertificateRules(version, home)
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
            self._console.model("ERROR", text, place_of(text))
        else:
            self._console.out(text)

    def _model_folder(self) -> None:
        folder = Path(self._raw.model["modelWeightPath"])
        config = folder / "config.json"
        # 3.0.0 has said what is wrong with the file when it read the section.
        config_fault = model_path_fault(config.resolve(), folder=False)
        fault = model_path_fault(folder.resolve(), folder=True) or config_fault
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
        elif config_fault is None:
            self._console.model("ERROR", coded(fault), "model_deploy_config.cpp:470")
        if self._version == "1.0.0":
            self._console.out("Failed check model config.json! take modelConfig.modelWeightPath to empty")
        raise Refused("model folder")

    def _ranges(self, section: Section, prefix: str, fields: Sequence[Field]) -> None:
        for field in fields:
            value = section.get(field.name)
            if value is None or field.high is None or field.low is None:
                continue
            fault = between(f"{prefix}.{field.name}", value, field.low, field.high)
            if fault:
                self._say(fault)

    def _schedule(self) -> None:
        for line, log in schedule_faults(self._raw.schedule):
            self._say(line, log=log)

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
            limits = "within (0, 4294967295] or -1"
            # No space before "please": the vendor's.
            self._say(
                f"{text} it should be {limits}please set 'npuMemSize' in config.json {limits}", log=True
            )

    def _server(self) -> None:
        server = self._raw.server
        if server["inferMode"] not in ("standard", "dmi"):
            self._say("The inferMode should be standard or dmi")
        own = server["ipAddress"]
        for name, variable, stated in (
            ("ipAddress", "MIES_CONTAINER_IP", own),
            ("managementIpAddress", "MIES_CONTAINER_MANAGEMENT_IP", server.get("managementIpAddress", own)),
        ):
            address = os.environ.get(variable) or stated
            fault = address_fault(name, address, self._version, zero=server["allowAllZeroIpListening"])
            if fault:
                self._say(fault)
        self._ranges(server, "serverConfig", SERVER)
        if server["httpsEnabled"]:
            for line in self._certificates.https(server):
                self._say(line)

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
        if len(backend.get("kvPoolConfig", {}).get("configPath", "").encode()) > 500:
            self._say("The length of kvPool Config Path exceeds 500.")
        if self._raw.multi_node and backend.get("interNodeTLSEnabled", True):
            lines = list(self._certificates.inter_node(backend))
            for line in [*lines, *(["Backend inter tls config is invalid"] if lines else [])]:
                self._say(line)

    def _cross(self) -> None:
        raw = self._raw
        if raw.server["port"] == raw.backend.get("multiNodesInferPort", 1120):
            self._say("Endpoint port cannot be equal to multiNodesInferPort.")
        if raw.schedule["maxIterTimes"] == 0:
            self._say("The value of ScheduleParam.maxIterTimes can not be 0.")
        if raw.schedule["maxPreemptCount"] and raw.model["cpuMemSize"] == 0:
            self._say("The value of modelParam.cpuMemSize can not be 0 when maxPreemptCount is not 0.")
        mix = raw.schedule["templateType"] == "Mix"
        if not mix and raw.schedule["maxPrefillTokens"] < raw.deploy["maxInputTokenLen"]:
            self._say("The value of maxPrefillTokens should not be less than maxInputTokenLen.")
