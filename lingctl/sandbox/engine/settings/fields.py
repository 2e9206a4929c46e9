"""The fields of MindIE's config.json by version: type, whether compulsory, range.

Source: MindIE-LLM v3.0.0 src/config_manager and its shipped config.json for 3.0.0. The 1.0.0 server is
closed; its fields are those of the published 1.0.0 file, with 3.0.0's rules where no others are known
(inference).
"""

from __future__ import annotations

from dataclasses import dataclass

JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "bool": bool,
    "object": dict,
    "array": list,
    "uint32_t": int,
    "int32_t": int,
}
LIMITS = {"uint32_t": (0, 2**32 - 1), "int32_t": (-(2**31), 2**31 - 1), "size_t": (0, 2**64 - 1)}


@dataclass(frozen=True, slots=True)
class Field:
    """One field."""

    name: str  # key
    kind: str  # a key of JSON_TYPES
    required: tuple[str, ...] = ("1.0.0", "3.0.0")  # versions in which it is compulsory
    low: int | None = None  # smallest value, checked after all sections were read
    high: int | None = None  # largest value


_BOTH = ("1.0.0", "3.0.0")
_NEW = ("3.0.0",)
_NEVER: tuple[str, ...] = ()

_TLS = tuple(
    Field(f"{listener}{part}", kind, _NEVER)
    for listener in ("tls", "managementTls", "metricsTls")
    for part, kind in (
        ("Cert", "string"),
        ("Pk", "string"),
        ("CrlPath", "string"),
        ("CrlFiles", "array"),
        ("CaFile", "array"),
    )
)
SERVER: tuple[Field, ...] = (
    Field("ipAddress", "string"),
    Field("managementIpAddress", "string", _NEVER),
    Field("port", "int32_t", _BOTH, 1024, 65535),
    Field("managementPort", "int32_t", _NEVER, 1024, 65535),
    Field("metricsPort", "int32_t", _NEW, 1024, 65535),
    Field("allowAllZeroIpListening", "bool"),
    Field("maxLinkNum", "uint32_t", _BOTH, 1, 4096),
    Field("httpsEnabled", "bool"),
    Field("tlsCaPath", "string", _NEVER),
    *_TLS,
    Field("inferMode", "string"),
    Field("openAiSupport", "string", _NEVER),
    Field("tokenTimeout", "int32_t", _NEW, 1, 3600),
    Field("e2eTimeout", "int32_t", _NEW, 1, 65535),
    Field("fullTextEnabled", "bool", _NEVER),
    Field("distDPServerEnabled", "bool", _NEVER),
    Field("npuUsageThreshold", "uint32_t", _NEVER),
    Field("maxRequestLength", "uint32_t", _NEVER),
    Field("maxJsonDepth", "uint32_t", _NEVER),
    Field("layerwiseDisaggregated", "bool", _NEVER),
    *(Field(f"layerwiseDisaggregated{part}", "string", _NEVER) for part in ("RoleType", "MasterIpAddress")),
    Field("layerwiseDisaggregatedSlaveIpAddress", "array", _NEVER),
    Field("layerwiseDisaggregatedDataPort", "int32_t", _NEVER),
    Field("layerwiseDisaggregatedCrtlPort", "array", _NEVER),
)
# Looked at while the section is read, not with the other values: (low, high).
EARLY_RANGES = {"maxRequestLength": (1, 100), "maxJsonDepth": (10, 100)}
BACKEND: tuple[Field, ...] = (
    Field("backendName", "string"),
    Field("modelInstanceNumber", "uint32_t", _BOTH, 1, 10),
    Field("npuDeviceIds", "array"),
    Field("tokenizerProcessNumber", "uint32_t", _BOTH, 1, 32),
    Field("multiNodesInferPort", "int32_t", _NEVER, 1024, 65535),
    Field("multiNodesInferEnabled", "bool", _NEVER),
    Field("interNodeTLSEnabled", "bool", _NEVER),
    *(Field(f"interNodeTls{part}", "string", _NEVER) for part in ("CaPath", "Cert", "Pk", "CrlPath")),
    *(Field(f"interNodeTls{part}", "array", _NEVER) for part in ("CaFiles", "CrlFiles")),
    Field("kvPoolConfig", "object", _NEVER),
    Field("layerwiseDisaggregated", "object", _NEVER),
    Field("ModelDeployConfig", "object"),
    Field("ScheduleConfig", "object"),
)
DEPLOY: tuple[Field, ...] = (
    Field("maxSeqLen", "uint32_t"),
    Field("maxInputTokenLen", "uint32_t"),
    Field("maxLoras", "uint32_t", _NEVER),
    Field("maxLoraRank", "uint32_t", _NEVER),
    Field("ModelConfig", "array"),
)
MODEL: tuple[Field, ...] = (
    Field("modelName", "string"),
    Field("modelWeightPath", "string"),
    Field("worldSize", "uint32_t"),
    Field("cpuMemSize", "uint32_t"),
    Field("npuMemSize", "int32_t"),
    Field("backendType", "string"),
    Field("modelInstanceType", "string", _NEVER),
    Field("pluginParams", "string", _NEVER),
    Field("trustRemoteCode", "bool"),
)
# Their ranges are in schedule_rules: the order counts there.
SCHEDULE: tuple[Field, ...] = (
    Field("templateType", "string"),
    Field("templateName", "string"),
    Field("cacheBlockSize", "uint32_t"),
    Field("decodeTimeMsPerReq", "uint32_t"),
    Field("maxBatchSize", "uint32_t"),
    Field("maxIterTimes", "uint32_t"),
    Field("maxPreemptCount", "uint32_t"),
    Field("maxPrefillTokens", "uint32_t"),
    Field("maxPrefillBatchSize", "uint32_t"),
    Field("maxQueueDelayMicroseconds", "uint32_t"),
    Field("maxFirstTokenWaitTime", "uint32_t", _NEVER),
    Field("prefillTimeMsPerReq", "uint32_t"),
    Field("prefillPolicyType", "uint32_t"),
    Field("decodePolicyType", "uint32_t"),
    Field("supportSelectBatch", "bool"),
    Field("policyType", "uint32_t", _NEVER),
    Field("maxN", "uint32_t", _NEVER),
    Field("stageSelectPolicy", "uint32_t", _NEVER),
    Field("prefillExpectedTime", "uint32_t", _NEVER),
    Field("decodeExpectedTime", "uint32_t", _NEVER),
    *(
        Field(name, "bool", _NEVER)
        for name in (
            "dynamicBatchSizeEnable",
            "enablePrefixCache",
            "enableSplit",
            "enablChunkedPrefill",
            "splitType",
            "splitStartType",
            "bufferResponseEnabled",
            "distributedEnable",
        )
    ),
    *(Field(name, "uint32_t", _NEVER) for name in ("splitChunkTokens", "splitStartBatchSize")),
    Field("layerwiseDisaggregated", "object", _NEVER),
)
# Switches that 3.0.0 reads without looking whether they are there: an exception of the JSON library, not a
# tidy refusal.
UNGUARDED = {
    "ServerConfig": ("distDPServerEnabled",),
    "BackendConfig": ("multiNodesInferEnabled", "interNodeTLSEnabled"),
}
