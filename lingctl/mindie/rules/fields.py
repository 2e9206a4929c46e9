"""The fields of config.json: type, range, whether MindIE insists on them, and where that is known from.

A row belongs to generations of MindIE (1: 1.0.0, 2: 2.0 to 2.3, 3: 3.0.0). Generation 3 was read in the
source of MindIE-LLM v3.0.0; 1 and 2 are known from vendor documents and published files only, so that a
field missing there is a warning and not a failure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lingctl.mindie.rules.rule import ALL, CODE

FieldKind = Literal["string", "bool", "int32", "uint32", "array", "object"]
ConfigSection = Literal[
    "", "LogConfig", "ServerConfig", "BackendConfig", "ModelDeployConfig", "ModelConfig", "ScheduleConfig"
]

_SERVER, _BACKEND = f"{CODE}server_config.cpp", f"{CODE}backend_config.cpp"
_SCHEDULE, _MODEL = f"{CODE}schedule_config.cpp", f"{CODE}model_deploy_config.cpp"
_DOCUMENTS = "vendor documents"

# Where each section stands in the document.
PATHS: dict[ConfigSection, str] = {
    "": "",
    "LogConfig": "LogConfig",
    "ServerConfig": "ServerConfig",
    "BackendConfig": "BackendConfig",
    "ModelDeployConfig": "BackendConfig.ModelDeployConfig",
    "ModelConfig": "BackendConfig.ModelDeployConfig.ModelConfig[0]",
    "ScheduleConfig": "BackendConfig.ScheduleConfig",
}
LIMITS = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1)}
MAX_TOKENS = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Field:
    """What one field may be."""

    section: ConfigSection  # part of the document
    name: str  # key
    kind: FieldKind  # JSON type; integers must be written without a fraction
    source: str  # where this is known from
    low: int | None = None  # smallest value, or None
    high: int | None = None  # largest value, or None
    choices: tuple[str | int, ...] = ()  # the only values, or empty for any
    required: bool = False  # whether MindIE 3.0.0 refuses a file without it
    generations: tuple[int, ...] = ALL  # which MindIE it is about

    @property
    def path(self) -> str:
        """Full name, e.g. ``BackendConfig.ScheduleConfig.maxBatchSize``."""
        prefix = PATHS[self.section]
        return f"{prefix}.{self.name}" if prefix else self.name

    @property
    def check(self) -> str:
        """Name of the finding."""
        return f"config-{self.name}"

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        if self.choices:
            return " or ".join(repr(choice) for choice in self.choices)
        if self.low is None and self.high is None:
            return self.kind
        if self.high is None:
            return f"{self.kind}, at least {self.low}"
        return f"{self.kind}, {self.low} to {self.high}"


def _server() -> list[Field]:
    s: ConfigSection = "ServerConfig"
    src = _SERVER
    strings = (
        "tlsCaPath",
        "tlsCert",
        "tlsPk",
        "tlsCrlPath",
        "managementTlsCert",
        "managementTlsPk",
        "managementTlsCrlPath",
        "openAiSupport",
    )
    arrays = ("tlsCaFile", "tlsCrlFiles", "managementTlsCaFile", "managementTlsCrlFiles")
    metrics = ("metricsTlsCert", "metricsTlsPk", "metricsTlsCrlPath")
    return [
        Field(s, "ipAddress", "string", src, required=True),
        Field(s, "managementIpAddress", "string", src),
        Field(s, "port", "int32", src, 1024, 65535, required=True),
        Field(s, "managementPort", "int32", src, 1024, 65535),
        Field(s, "metricsPort", "int32", src, 1024, 65535, required=True),
        Field(s, "allowAllZeroIpListening", "bool", src, required=True),
        Field(s, "maxLinkNum", "uint32", src, 1, 4096, required=True),
        Field(s, "httpsEnabled", "bool", src, required=True),
        Field(s, "fullTextEnabled", "bool", src),
        Field(s, "inferMode", "string", src, choices=("standard", "dmi"), required=True),
        Field(s, "interCommTLSEnabled", "bool", src),
        Field(s, "interCommPort", "int32", _DOCUMENTS, 1024, 65535, generations=(1, 2)),
        *(Field(s, name, "string", src) for name in strings),
        *(Field(s, name, "array", src) for name in arrays),
        *(Field(s, name, "string", src, generations=(2, 3)) for name in metrics),
        *(
            Field(s, name, "array", src, generations=(2, 3))
            for name in ("metricsTlsCaFile", "metricsTlsCrlFiles")
        ),
        Field(s, "tokenTimeout", "int32", src, 1, 3600, required=True, generations=(3,)),
        Field(s, "e2eTimeout", "int32", src, 1, 65535, required=True, generations=(3,)),
        Field(s, "distDPServerEnabled", "bool", src, required=True, generations=(3,)),
        Field(s, "tokenTimeout", "int32", _DOCUMENTS, 1, 3600, generations=(2,)),
        Field(s, "e2eTimeout", "int32", _DOCUMENTS, 1, 65535, generations=(2,)),
        Field(s, "distDPServerEnabled", "bool", _DOCUMENTS, generations=(2,)),
        Field(s, "maxRequestLength", "uint32", src, 1, 100, generations=(3,)),
        Field(s, "maxJsonDepth", "uint32", src, 10, 100, generations=(3,)),
        Field(s, "npuUsageThreshold", "uint32", src, generations=(3,)),
        Field(s, "layerwiseDisaggregated", "bool", src, generations=(3,)),
        Field(s, "layerwiseDisaggregatedRoleType", "string", src, generations=(3,)),
        Field(s, "layerwiseDisaggregatedMasterIpAddress", "string", src, generations=(3,)),
        Field(s, "layerwiseDisaggregatedSlaveIpAddress", "array", src, generations=(3,)),
        Field(s, "layerwiseDisaggregatedDataPort", "int32", src, generations=(3,)),
        Field(s, "layerwiseDisaggregatedCrtlPort", "array", src, generations=(3,)),
    ]


def _backend() -> list[Field]:
    s: ConfigSection = "BackendConfig"
    src = _BACKEND
    return [
        Field(s, "backendName", "string", src, required=True),
        Field(s, "modelInstanceNumber", "uint32", src, 1, 10, required=True),
        Field(s, "npuDeviceIds", "array", src, required=True),
        Field(s, "tokenizerProcessNumber", "uint32", src, 1, 32, required=True),
        Field(s, "multiNodesInferEnabled", "bool", src, required=True),
        Field(s, "multiNodesInferPort", "int32", src, 1024, 65535),
        Field(s, "interNodeTLSEnabled", "bool", src, required=True),
        *(
            Field(s, name, "string", src)
            for name in ("interNodeTlsCaPath", "interNodeTlsCert", "interNodeTlsPk", "interNodeTlsCrlPath")
        ),
        *(Field(s, name, "array", src) for name in ("interNodeTlsCaFiles", "interNodeTlsCrlFiles")),
        Field(s, "kvPoolConfig", "object", src, generations=(3,)),
        Field(s, "layerwiseDisaggregated", "object", src, generations=(3,)),
        Field(s, "ModelDeployConfig", "object", src, required=True),
        Field(s, "ScheduleConfig", "object", src, required=True),
    ]


def _models() -> list[Field]:
    deploy: ConfigSection = "ModelDeployConfig"
    model: ConfigSection = "ModelConfig"
    src = _MODEL
    return [
        Field(deploy, "maxSeqLen", "uint32", src, 1, None, required=True),
        Field(deploy, "maxInputTokenLen", "uint32", src, 1, MAX_TOKENS, required=True),
        Field(deploy, "maxLoras", "uint32", src, generations=(3,)),
        Field(deploy, "maxLoraRank", "uint32", src, generations=(3,)),
        Field(deploy, "ModelConfig", "array", src, required=True),
        Field(
            model,
            "modelInstanceType",
            "string",
            src,
            choices=("Standard", "StandardMock", "TargetModel", "AssistantModel"),
            generations=(3,),
        ),
        Field(model, "modelName", "string", src, required=True),
        Field(model, "modelWeightPath", "string", src, required=True),
        Field(model, "worldSize", "uint32", src, 1, None, required=True),
        Field(model, "cpuMemSize", "uint32", src, required=True),
        Field(model, "npuMemSize", "int32", src, required=True),
        Field(model, "backendType", "string", src, choices=("atb", "ms", "torch"), required=True),
        Field(model, "trustRemoteCode", "bool", src, required=True),
        Field(model, "pluginParams", "string", src, generations=(3,)),
    ]


def _schedule() -> list[Field]:
    s: ConfigSection = "ScheduleConfig"
    src = _SCHEDULE
    switches = (
        "dynamicBatchSizeEnable",
        "enablePrefixCache",
        "enableSplit",
        "enablChunkedPrefill",
        "splitType",
        "splitStartType",
        "bufferResponseEnabled",
        "distributedEnable",
    )
    return [
        Field(s, "templateType", "string", src, choices=("Standard", "Mix"), required=True),
        Field(s, "templateName", "string", src, choices=("Standard_LLM",), required=True),
        Field(s, "cacheBlockSize", "uint32", src, 1, 128, required=True),
        Field(s, "maxPrefillBatchSize", "uint32", src, required=True),
        Field(s, "maxPrefillTokens", "uint32", src, 1, MAX_TOKENS, required=True),
        Field(s, "prefillTimeMsPerReq", "uint32", src, 0, 1000, required=True),
        Field(s, "prefillPolicyType", "uint32", src, 0, 3, required=True),
        Field(s, "decodeTimeMsPerReq", "uint32", src, 0, 1000, required=True),
        Field(s, "decodePolicyType", "uint32", src, 0, 3, required=True),
        Field(s, "maxBatchSize", "uint32", src, 1, 819200, required=True, generations=(3,)),
        Field(s, "maxBatchSize", "uint32", _DOCUMENTS, 1, 5000, required=True, generations=(1, 2)),
        Field(s, "maxIterTimes", "uint32", src, 1, None, required=True),
        Field(s, "maxPreemptCount", "uint32", src, required=True),
        Field(s, "supportSelectBatch", "bool", src, required=True),
        Field(s, "maxQueueDelayMicroseconds", "uint32", src, 500, 1000000, required=True),
        Field(s, "maxFirstTokenWaitTime", "uint32", src, 0, 3600000, generations=(3,)),
        Field(s, "policyType", "uint32", src, choices=(0, 4, 5, 6, 7), generations=(3,)),
        Field(s, "maxN", "uint32", src, 1, 8192, generations=(3,)),
        Field(s, "stageSelectPolicy", "uint32", src, generations=(3,)),
        Field(s, "prefillExpectedTime", "uint32", src, 1, 10000, generations=(3,)),
        Field(s, "decodeExpectedTime", "uint32", src, 1, 10000, generations=(3,)),
        *(Field(s, name, "bool", src, generations=(3,)) for name in switches),
        *(
            Field(s, name, "uint32", src, generations=(3,))
            for name in ("splitChunkTokens", "splitStartBatchSize")
        ),
        Field(s, "layerwiseDisaggregated", "object", src, generations=(3,)),
    ]


FIELDS: tuple[Field, ...] = (
    Field("LogConfig", "logFileSize", "uint32", _DOCUMENTS, 0, 500, generations=(1,)),
    Field("LogConfig", "logFileNum", "uint32", _DOCUMENTS, 0, 64, generations=(1,)),
    *_server(),
    *_backend(),
    *_models(),
    *_schedule(),
)

# Read by older versions, ignored by 3.0.0. Source: its shipped config.json and server_config.cpp.
_REMOVED: dict[ConfigSection, tuple[str, ...]] = {
    "ServerConfig": ("tlsPkPwd", "managementTlsPkPwd", "kmcKsfMaster", "kmcKsfStandby", "interCommPkPwd"),
    "BackendConfig": ("interNodeTlsPkPwd", "interNodeKmcKsfMaster", "interNodeKmcKsfStandby"),
    "LogConfig": ("logLevel", "logFileSize", "logFileNum", "logPath"),
}
REMOVED_IN_3: tuple[tuple[ConfigSection, str], ...] = tuple(
    (section, name) for section, names in _REMOVED.items() for name in names
)
