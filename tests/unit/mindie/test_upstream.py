"""The four config.json that the Ling repository publishes, rebuilt by value: exactly their known defects."""

from __future__ import annotations

import copy

import pytest

from lingctl.findings import Verdict
from lingctl.mindie.profile import PROFILES, profile_for
from lingctl.mindie.rules.check import check_config
from tests.unit.mindie.samples import document_of, make_cluster, part

LATER = {"config-tokenTimeout", "config-e2eTimeout", "config-distDPServerEnabled"}
# Read by older servers, left by 3.0.0: passwords of keys, the key store, and the logs' settings.
UNUSED = {
    "config-tlsPkPwd",
    "config-managementTlsPkPwd",
    "config-kmcKsfMaster",
    "config-kmcKsfStandby",
    "config-interCommPkPwd",
    "config-interNodeTlsPkPwd",
    "config-interNodeKmcKsfMaster",
    "config-interNodeKmcKsfStandby",
    "config-logLevel",
    "config-logFileSize",
    "config-logFileNum",
    "config-logPath",
}


def published(size, weights):
    """What sets the published files apart from what we render for 1.0.0."""
    nodes = {"lite": 1, "plus": 2}[size]
    document = copy.deepcopy(document_of(make_cluster(f"Ling-{size}", "1.0.0", nodes)))
    part(document, "ServerConfig").update(ipAddress="127.0.0.1", managementIpAddress="127.0.0.2")
    part(document, "ServerConfig")["interCommTLSEnabled"] = size == "lite"
    part(document, "BackendConfig")["interNodeTLSEnabled"] = size == "lite"
    part(document, "ModelConfig")["modelWeightPath"] = f"/home/HwHiAiUser/Ascend/{weights}"
    return document


FILES = {
    "lite/config.json": ("lite", "Ling_lite_safetensor"),
    "lite/config.base.json": ("lite", "Ling_lite_base_safetensor"),
    "plus/config.json": ("plus", "Ling_plus"),
    "plus/config.base.json": ("plus", "Ling_plus_base"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("version", [profile.version for profile in PROFILES])
def test_exactly_the_known_defects(name, version):
    size, weights = FILES[name]
    found = check_config(published(size, weights), profile_for(version))
    failures = {f.check for f in found if f.verdict is Verdict.FAILURE}
    expected = set()
    if version.startswith("3."):
        expected |= LATER
    if size == "plus" and version != "1.0.0":
        expected.add("config-world-size")
    # Made for 1.0.0, which has no tp.
    unknown = set()
    if size == "plus" and version.startswith("3."):
        expected.add("config-tensor-parallel")
    elif size == "plus" and version != "1.0.0":
        unknown.add("config-tensor-parallel")
    assert failures == expected
    assert {f.check for f in found if f.verdict in (Verdict.WARNING, Verdict.UNKNOWN)} == unknown
    notes = {f.check for f in found if f.verdict is Verdict.NOTE}
    assert notes == (UNUSED if version.startswith("3.") else set())


def test_the_preset_is_upstream_s():
    schedule = part(published("lite", "x"), "ScheduleConfig")
    deploy = part(published("lite", "x"), "ModelDeployConfig")
    assert (deploy["maxSeqLen"], deploy["maxInputTokenLen"]) == (14000, 8192)
    assert (schedule["maxPrefillTokens"], schedule["maxIterTimes"]) == (8192, 4096)
    assert (schedule["maxBatchSize"], schedule["maxPrefillBatchSize"]) == (200, 50)
    assert part(published("plus", "x"), "ModelConfig")["worldSize"] == 16
