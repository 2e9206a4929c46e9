"""Our rules of config.json: each is caught by its own name, and nothing valid is refused."""

from __future__ import annotations

import copy
import json

import pytest

from lingctl.errors import ConfigurationError
from lingctl.findings import Verdict
from lingctl.mindie.profile import profile_for
from lingctl.mindie.rule_catalogue import RULES
from lingctl.mindie.rule_fields import FIELDS, LIMITS, Field
from lingctl.mindie.rules import check_config, parse_document
from lingctl.sandbox.engine.stock_config import stock_config
from tests.unit.mindie.samples import changed, document_of, make_cluster, part

GENERATION = {1: "1.0.0", 2: "2.3.0", 3: "3.0.0"}
WRONG_TYPES = {"string": 5, "bool": 1, "int32": "1", "uint32": 1.5, "array": "x", "object": []}
FIELD_CASES = [(field, version) for field in FIELDS for version in field.generations]
TLS = {"httpsEnabled": True, "tlsCaPath": "a/", "tlsCaFile": ["ca"], "tlsCert": "c", "tlsPk": "k"}
MANAGEMENT = {"managementTlsCaFile": ["ca"], "managementTlsCert": "c", "managementTlsPk": "k"}
METRICS = {"metricsTlsCaFile": ["ca"], "metricsTlsCert": "c", "metricsTlsPk": "k"}
BETWEEN = {
    "interNodeTLSEnabled": True,
    "interNodeTlsCaPath": "a/",
    "interNodeTlsCaFiles": ["ca"],
    "interNodeTlsCert": "c",
    "interNodeTlsPk": "k",
    "interNodeTlsCrlPath": "",
}
S, B, D, M, C = "ServerConfig", "BackendConfig", "ModelDeployConfig", "ModelConfig", "ScheduleConfig"
# For every rule of the catalogue: what breaks it, as (section, values) pairs, in each generation it is of.
BREAKS: dict[str, list[tuple[str, dict[str, object]]]] = {
    "config-addresses": [
        (S, {"ipAddress": "0.0.0.0"}),
        (S, {"managementIpAddress": "10.0.0.300"}),
        (S, {"ipAddress": "[10.0.0.1]"}),
    ],
    "config-ipv4": [(S, {"ipAddress": "fd00::1"})],
    "config-ports": [(S, {"port": 1120})],
    "config-device-lists": [(B, {"npuDeviceIds": [[0, 1, 2, 3, 4, 5, 6, "7"]]}), (B, {"npuDeviceIds": [5]})],
    "config-instances": [(B, {"modelInstanceNumber": 2})],
    "config-world-size": [(M, {"worldSize": 4})],
    "config-world-size-all": [("several", {"worldSize": 12})],
    "config-unique-devices": [(B, {"npuDeviceIds": [[0, 1, 2, 3, 4, 5, 6, 6]]})],
    "config-backend-name": [(B, {"backendName": "Engine"}), (B, {"backendName": "a" * 51})],
    "config-model-name": [(M, {"modelName": "_ling"}), (M, {"modelName": ""}), (M, {"modelName": "a\n"})],
    "config-weight-path": [(M, {"modelWeightPath": "/models/a b"}), (M, {"modelWeightPath": "/a" * 33})],
    "config-one-model": [(D, {"ModelConfig": "twice"})],
    "config-npu-memory": [(M, {"npuMemSize": 0}), (M, {"npuMemSize": -2})],
    "config-prefill-tokens": [(C, {"maxPrefillTokens": 100})],
    "config-prefill-batch": [(C, {"maxPrefillBatchSize": 201})],
    "config-preempt-count": [(C, {"maxPreemptCount": 201})],
    "config-max-n": [(C, {"maxN": 201})],
    "config-swap-memory": [("both", {"maxPreemptCount": 1, "cpuMemSize": 0})],
    "config-partial-prefills": [(C, {"maxNumPartialPrefills": 4}), (C, {"longPrefillTokenThreshold": 8193})],
    "config-cache-pool": [
        (B, {"kvPoolConfig": {"backend": "redis"}}),
        (B, {"kvPoolConfig": {"configPath": "a" * 501}}),
        (B, {"kvPoolConfig": {"asyncWrite": "yes"}}),
    ],
    "config-health-threshold": [(S, {"HealthCheckConfig": {"npuUsageThreshold": 101}})],
    "config-stage-policy": [(C, {"stageSelectPolicy": 3})],
    "config-lora": [
        (D, {"LoraModules": [{"name": "a", "path": "/a"}]}),
        (D, {"LoraModules": [{"name": "a", "path": "/a", "baseModelName": "other"}]}),
        (D, {"LoraModules": 5}),
    ],
    "config-parallel-size": [(M, {"dp": 0}), (M, {"sp": "x"}), (M, {"cp": 2**32})],
    "config-layerwise": [(S, {"layerwiseDisaggregated": True, "distDPServerEnabled": True})],
    "config-layerwise-role": [(S, {"layerwiseDisaggregated": True})],
    "config-inter-node-tls": [
        (B, BETWEEN | {"interNodeTlsCaFiles": []}),
        (B, BETWEEN | {"interNodeTlsCert": None}),
        (B, BETWEEN | {"interNodeTlsCrlFiles": ["1", "2", "3", "4"]}),
    ],
    "config-inter-node-revocation": [
        (B, BETWEEN | {"interNodeTlsCrlPath": "certs/", "multiNodesInferEnabled": True})
    ],
    "config-inter-comm-tls": [(S, {"interCommTLSEnabled": True, "interCommTlsCert": 5})],
    "config-https": [
        (S, TLS | MANAGEMENT | METRICS | {"tlsPk": ""}),
        (S, TLS | MANAGEMENT | METRICS | {"tlsCaFile": ["1", "2", "3", "4"]}),
        (S, TLS | MANAGEMENT | METRICS | {"tlsCrlPath": "c/", "tlsCrlFiles": ["1", "2", "3", "4"]}),
    ],
    "config-https-management": [(S, TLS | METRICS | MANAGEMENT | {"managementTlsCert": ""})],
    "config-https-metrics": [(S, TLS | MANAGEMENT)],
    "config-tls-folder": [(S, TLS | MANAGEMENT | METRICS | {"tlsCaPath": "security/ca"})],
    "config-truncation": [(D, {"truncation": "yes"})],
    "config-sequence": [(D, {"maxSeqLen": 8191})],
    "config-iterations": [(C, {"maxIterTimes": 14001})],
    "config-parallel": [(M, {"tp": 4})],
}
RULE_CASES = [
    (rule, generation, index)
    for rule in RULES
    for generation in rule.generations
    for index in range(len(BREAKS[rule.check]))
]


def checks(document, version, worst_than=Verdict.NOTE):
    return {f.check for f in check_config(document, profile_for(version)) if f.verdict > worst_than}


def good(version):
    return document_of(make_cluster(mindie=version))


@pytest.mark.parametrize("version", GENERATION.values())
@pytest.mark.parametrize(("model", "nodes"), [("Ling-lite", 1), ("Ling-plus", 2), ("Ling-plus", 4)])
def test_what_we_render_is_accepted(version, model, nodes):
    found = check_config(document_of(make_cluster(model, version, nodes)), profile_for(version))
    assert [(f.check, f.verdict) for f in found] == [("config", Verdict.PASS)]


@pytest.mark.parametrize("version", ["1.0.0", "3.0.0"])
def test_the_file_that_a_version_is_shipped_with_is_accepted(version):
    assert not checks(parse_document(stock_config(version)), version)


@pytest.mark.parametrize(("field", "generation"), FIELD_CASES, ids=lambda v: getattr(v, "path", v))
def test_every_field_of_a_wrong_type_is_caught_by_name(field: Field, generation):
    document = changed(good(GENERATION[generation]), field.section, **{field.name: WRONG_TYPES[field.kind]})
    assert field.check in checks(document, GENERATION[generation])


@pytest.mark.parametrize(("field", "generation"), FIELD_CASES, ids=lambda v: getattr(v, "path", v))
def test_every_field_out_of_range_is_caught_by_name_and_its_bounds_are_not(field: Field, generation):
    version = GENERATION[generation]
    for value in (field.low, field.high):
        if value is not None:
            document = changed(good(version), field.section, **{field.name: value})
            assert field.check not in checks(document, version), value
    low, high = LIMITS.get(field.kind, (None, None))
    low = low if field.low is None else field.low
    high = high if field.high is None else field.high
    outside = [] if low is None or high is None else [low - 1, high + 1]
    if field.choices:
        outside = ["nonsense" if isinstance(field.choices[0], str) else 1]
        for value in field.choices:
            document = changed(good(version), field.section, **{field.name: value})
            assert field.check not in checks(document, version), value
    for value in outside:
        document = changed(good(version), field.section, **{field.name: value})
        assert field.check in checks(document, version), value


@pytest.mark.parametrize("field", [field for field in FIELDS if field.required], ids=lambda v: v.path)
def test_a_missing_compulsory_field_is_a_failure_where_the_code_was_read_and_a_warning_elsewhere(
    field: Field,
):
    for generation in field.generations:
        document = copy.deepcopy(good(GENERATION[generation]))
        if field.name in ("ModelDeployConfig", "ScheduleConfig", "ModelConfig"):
            continue  # a section of its own: the next test
        del part(document, field.section)[field.name]
        verdicts = {
            f.verdict
            for f in check_config(document, profile_for(GENERATION[generation]))
            if f.check == field.check
        }
        assert verdicts == {Verdict.FAILURE if generation == 3 else Verdict.WARNING}


@pytest.mark.parametrize("path", [(S,), (B,), (B, D), (B, D, M), (B, C)])
@pytest.mark.parametrize("value", [None, [], "x"])
def test_a_missing_section_is_named(path, value):
    document = good("3.0.0")
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    assert f"config-{path[-1]}" in checks(document, "3.0.0")


def test_every_rule_has_a_case():
    assert set(BREAKS) == {rule.check for rule in RULES}


@pytest.mark.parametrize(("rule", "generation", "index"), RULE_CASES, ids=lambda v: getattr(v, "check", v))
def test_every_broken_rule_is_caught_by_name_and_alone(rule, generation, index):
    section, values = BREAKS[rule.check][index]
    version = GENERATION[generation]
    document = copy.deepcopy(good(version))
    if section == "both":
        part(document, C)["maxPreemptCount"] = values["maxPreemptCount"]
        part(document, M)["cpuMemSize"] = values["cpuMemSize"]
    elif section == "several":
        part(document, B)["multiNodesInferEnabled"] = True
        part(document, M).update(values)
    elif values.get("ModelConfig") == "twice":
        part(document, D)["ModelConfig"].append(copy.deepcopy(part(document, M)))
    else:
        part(document, section).update(values)
    found = [f for f in check_config(document, profile_for(version)) if f.check == rule.check]
    assert found
    assert {f.verdict for f in found} == {rule.verdict}
    assert all(f.evidence and f.remedy for f in found)
    # Some values break their field's own type or several rules at once; nothing unrelated may be named.
    related = {
        "config-addresses": {"config-ipv4"},
        "config-device-lists": {"config-world-size", "config-unique-devices"},
        "config-layerwise": {"config-layerwise-role"},
        "config-inter-node-tls": {"config-interNodeTlsCert"},
        "config-https-management": {"config-https-metrics"},
        "config-parallel-size": {"config-parallel"},
        "config-preempt-count": {"config-swap-memory"},
    }
    assert checks(document, version) <= {rule.check} | related.get(rule.check, set())


@pytest.mark.parametrize(
    "values",
    [
        (C, {"templateType": "Mix", "maxPrefillTokens": 100}),
        (C, {"maxPrefillBatchSize": 0}),
        (C, {"stageSelectPolicy": 9, "supportSelectBatch": True}),
        (C, {"maxNumPartialPrefills": 4, "maxLongPartialPrefills": 4}),
        (C, {"maxPreemptCount": 0}),
        (D, {"truncation": True}),
        (D, {"truncation": -1}),
        (M, {"npuMemSize": 30}),
        (S, {"ipAddress": "0.0.0.0", "allowAllZeroIpListening": True}),
        (S, {"ipAddress": "fd00::1", "managementIpAddress": "::1"}),
        (S, {"ipAddress": "[fd00::1]", "managementIpAddress": "[::1]"}),
        (S, {"managementPort": 1025, "metricsPort": 1025}),
        (S, {"somethingNew": 5}),
        (S, TLS | MANAGEMENT | METRICS),
        (S, TLS | {"managementPort": 1025, "metricsPort": 1025}),
        (S, {"interCommTLSEnabled": False, "interCommTlsCert": 5}),
        (B, BETWEEN),
        (B, BETWEEN | {"multiNodesInferEnabled": True}),
        (B, {"npuDeviceIds": [[0, 0, 1, 2, 3, 4, 5, 6]], "multiNodesInferEnabled": True}),
    ],
)
def test_what_the_code_accepts_is_not_refused(values):
    section, fields = values
    assert not checks(changed(good("3.0.0"), section, **fields), "3.0.0", Verdict.WARNING)


def test_the_second_model_is_checked_too():
    document = good("3.0.0")
    part(document, C)["templateType"] = "Mix"
    part(document, D)["ModelConfig"].append({"modelName": "b"})
    found = check_config(document, profile_for("3.0.0"))
    assert any("ModelConfig[1].worldSize is missing" in f.message for f in found)


def test_a_longer_sequence_than_the_window_is_refused_for_a_known_model():
    cluster = make_cluster()
    document = changed(document_of(cluster), D, maxSeqLen=20000)
    found = check_config(document, profile_for("3.0.0"), cluster)
    assert [(f.check, f.verdict) for f in found] == [("config-context", Verdict.FAILURE)]
    assert "16384" in found[0].message


@pytest.mark.parametrize(("nodes", "fine"), [(1, True), (2, True), (3, False), (4, True), (5, False)])
def test_a_number_of_ranks_that_the_model_cannot_be_cut_into_is_refused(nodes, fine):
    cluster = make_cluster("Ling-plus", nodes=nodes)
    found = check_config(document_of(cluster), profile_for("3.0.0"), cluster)
    assert ([f.check for f in found] == ["config-ranks"]) is not fine


@pytest.mark.parametrize(
    ("first", "second", "privileged", "fine"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3], False, True),
        ([0, 1, 2, 3], [4, 5, 6, 7], False, False),
        ([1, 2, 3, 4], [1, 2, 3, 4], False, False),
        ([0, 1, 2, 3], [4, 5, 6, 7], True, True),
    ],
)
def test_cards_that_a_container_would_number_anew_are_refused_with_several_nodes(
    first, second, privileged, fine
):
    nodes = [
        {"address": "10.0.0.1", "name": "node1", "devices": first},
        {"address": "10.0.0.2", "name": "node2", "devices": second},
    ]
    cluster = make_cluster(node_list=nodes, container={"privileged": privileged})
    found = check_config(document_of(cluster), profile_for("3.0.0"), cluster)
    refused = [f for f in found if f.verdict is Verdict.FAILURE]
    assert {f.check for f in refused} == (set() if fine else {"config-device-subset"})
    assert fine or "node2 is to use cards" in refused[-1].message


def test_one_node_may_use_any_of_its_cards():
    cluster = make_cluster(node_list=[{"address": "10.0.0.1", "devices": [4, 5, 6, 7]}])
    found = check_config(document_of(cluster), profile_for("3.0.0"), cluster)
    assert all(f.verdict < Verdict.UNKNOWN for f in found)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "5", '{"a": 1,}', '{"a": NaN}', "{'a': 1}", '{"a": 1} // x', "[" * 100000, '{"a": ' * 5000],
)
def test_what_is_not_json_is_refused_in_words(text):
    with pytest.raises(ConfigurationError) as caught:
        parse_document(text)
    assert caught.value.code == "config-json"


def test_a_byte_order_mark_is_read_over():
    assert parse_document("\ufeff{}") == {}


def test_a_file_of_more_than_ten_megabytes_is_refused():
    with pytest.raises(ConfigurationError):
        parse_document(json.dumps({"a": "x" * 10 * 1024 * 1024}))
