"""Rules of the edge-cloud split (layerwiseDisaggregated), with which Ling is not served.

Source: MindIE-LLM v3.0.0 src/config_manager, server_config.cpp, backend_config.cpp, schedule_config.cpp and
config_manager_impl.cpp. With the split on the code forgets the faults of single values that it has found, but
not those of types.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lingctl.findings import Verdict
from lingctl.mindie.json_text import as_integer
from lingctl.mindie.rules.config.parallel import size_of
from lingctl.mindie.rules.rule import CODE, Parts, rule_of_3, several

_NODES = "layerwiseDisaggregatedMultiNodesInferEnabled"
_PORT = "layerwiseDisaggregatedMultiNodesCtrlPort"
_PEERS, _PORTS = "layerwiseDisaggregatedSlaveIpAddress", "layerwiseDisaggregatedCrtlPort"
_ROLE = "layerwiseDisaggregatedRoleType"


def _inside(part: dict[str, Any]) -> dict[str, Any]:
    value = part.get("layerwiseDisaggregated")
    return value if isinstance(value, dict) else {}


def _on(parts: Parts) -> bool:
    return parts["ServerConfig"].get("layerwiseDisaggregated") is True


@rule_of_3(
    "config-rank-table-wanted",
    "distributedEnable, and a slave of an edge-cloud split of several nodes, want a rank table",
    source=f"{CODE}config_manager_impl.cpp",
    remedy="set distributedEnable to false: one node has no rank table",
)
def _rank_table(parts: Parts) -> Iterator[str]:
    if several(parts):
        return
    if parts["ScheduleConfig"].get("distributedEnable") is True:
        yield "distributedEnable is true"
    slave = _on(parts) and parts["ServerConfig"].get(_ROLE) == "slave"
    if slave and _inside(parts["BackendConfig"]).get(_NODES) is True:
        yield f"{_NODES} is true for a slave"


@rule_of_3(
    "config-layerwise-types",
    "inside layerwiseDisaggregated switches are true or false, the control port 1024 to 65535",
    source=f"{CODE}backend_config.cpp, schedule_config.cpp",
    remedy="remove layerwiseDisaggregated, unless you mean to serve over edge and cloud",
)
def _switches(parts: Parts) -> Iterator[str]:
    # Read whether the split is on or off.
    backend, schedule = _inside(parts["BackendConfig"]), _inside(parts["ScheduleConfig"])
    if _NODES in backend:
        enabled, port = backend[_NODES], as_integer(backend.get(_PORT), 32, signed=True)
        if type(enabled) is not bool:
            yield f"{_NODES} is {enabled!r}"
        elif port is None or (enabled and not 1024 <= port <= 65535):
            yield f"{_PORT} is {backend.get(_PORT)!r}"
    if type(schedule.get("nextPHeadPrior", False)) is not bool:
        yield f"nextPHeadPrior is {schedule['nextPHeadPrior']!r}"


@rule_of_3(
    "config-layerwise-lists",
    "with layerwiseDisaggregated its addresses are texts and its ports whole numbers",
    source=f"{CODE}server_config.cpp",
    remedy="set layerwiseDisaggregated to false, unless you mean to serve over edge and cloud",
)
def _lists(parts: Parts) -> Iterator[str]:
    server = parts["ServerConfig"]
    if not _on(parts):
        return
    peers, ports = server.get(_PEERS), server.get(_PORTS)
    if isinstance(peers, list) and not all(isinstance(one, str) for one in peers):
        yield f"{_PEERS} is {peers!r}"
    if isinstance(ports, list) and not all(type(one) is int and -(2**31) <= one < 2**31 for one in ports):
        yield f"{_PORTS} is {ports!r}"


@rule_of_3(
    "config-layerwise",
    "layerwiseDisaggregated excludes several nodes, distDPServerEnabled, select batch, Mix and more",
    source=f"{CODE}config_manager_impl.cpp",
    remedy="set layerwiseDisaggregated to false",
)
def _excluded(parts: Parts) -> Iterator[str]:
    if not _on(parts):
        return
    server, backend, schedule = parts["ServerConfig"], parts["BackendConfig"], parts["ScheduleConfig"]
    model = parts["ModelConfig"]
    given = (
        ("multiNodesInferEnabled", backend.get("multiNodesInferEnabled") is True),
        ("distDPServerEnabled", server.get("distDPServerEnabled") is True),
        ("supportSelectBatch", schedule.get("supportSelectBatch") is True),
        ("bufferResponseEnabled", schedule.get("bufferResponseEnabled") is True),
        ("templateType Mix", schedule.get("templateType") == "Mix"),
        ("another backendType than atb", model.get("backendType") != "atb"),
        ("plugin_type splitfuse", model.get("plugin_type") == "splitfuse"),
    )
    yield from (f"together with {name}" for name, wrong in given if wrong)
    yield from _parallel(server, backend, model)


@rule_of_3(
    "config-layerwise-role",
    "layerwiseDisaggregatedRoleType is master or slave where layerwiseDisaggregated is on",
    source=f"{CODE}server_config.cpp",
    remedy="set layerwiseDisaggregated to false, unless you mean to serve over edge and cloud",
    verdict=Verdict.WARNING,
)
def _role(parts: Parts) -> Iterator[str]:
    # The code sees it, and then forgets it.
    given = parts["ServerConfig"].get(_ROLE)
    if _on(parts) and given not in ("master", "slave"):
        yield f"{_ROLE} is {given!r}"


def _parallel(server: dict[str, Any], backend: dict[str, Any], model: dict[str, Any]) -> Iterator[str]:
    size, dp = size_of(model, "dp"), model.get("dp")
    if _inside(backend).get(_NODES) is not True:
        if size not in (None, 1):
            yield f"together with dp {dp!r}"
        return
    peers = server.get(_PEERS)
    if not isinstance(peers, list) or len(peers) != 2:
        yield f"{_NODES} without two addresses in {_PEERS}"
    if size not in (1, 2):
        yield f"{_NODES} with dp {dp!r}"
