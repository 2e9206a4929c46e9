"""Our rules of config.json: each is caught by its own name, and nothing valid is refused."""

from __future__ import annotations

import copy
import json

import pytest

from lingctl.errors import ConfigurationError
from lingctl.findings import Verdict
from lingctl.mindie.profile import profile_for
from lingctl.mindie.rules.catalogue import RULES
from lingctl.mindie.rules.check import check_config, parse_document
from lingctl.mindie.rules.fields import FIELDS, LIMITS, Field
from lingctl.sandbox.engine.stock_config import stock_config
from tests.unit.mindie.samples import changed, document_of, make_cluster, part

GENERATION = {1: "1.0.0", 2: "2.3.0", 3: "3.0.0"}
WRONG_TYPES = {"string": 5, "bool": 1, "int32": "1", "uint32": 1.5, "array": "x", "object": []}
FIELD_CASES = [(field, version) for field in FIELDS for version in field.generations]
SEVERAL = {"multiNodesInferEnabled": True}
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
SPLIT = {"layerwiseDisaggregated": True, "layerwiseDisaggregatedRoleType": "master"}
LAYERWISE = "layerwiseDisaggregatedMultiNodes"
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
    "config-partial-prefills": [
        (C, {"maxNumPartialPrefills": 4}),
        (C, {"longPrefillTokenThreshold": 8193}),
        (C, {"prefillChunkSize": "512"}),
        (C, {"prefillChunkSize": None}),
        (C, {"maxNumPartialPrefills": True}),
    ],
    "config-cache-pool": [
        (B, {"kvPoolConfig": {"backend": "redis"}}),
        (B, {"kvPoolConfig": {"configPath": "a" * 501}}),
        (B, {"kvPoolConfig": {"asyncWrite": "yes"}}),
    ],
    "config-health-threshold": [
        (S, {"HealthCheckConfig": {"npuUsageThreshold": 101}}),
        (S, {"HealthCheckConfig": {"npuUsageThreshold": None}}),
        (S, {"HealthCheckConfig": {"npuUsageThreshold": "5"}}),
    ],
    "config-inter-comm-port": [(S, {"interCommPort": 80}), (S, {"interCommPort": None})],
    "config-stage-policy": [(C, {"stageSelectPolicy": 3})],
    "config-lora": [
        (D, {"LoraModules": [{"name": "a", "path": "/a"}]}),
        (D, {"LoraModules": [{"name": "a", "path": "/a", "baseModelName": "other"}]}),
        (D, {"LoraModules": 5}),
        (D, {"LoraModules": [None]}),
        (D, {"LoraModules": [{"name": "a", "path": "/a" * 129, "baseModelName": "bailing_moe"}]}),
    ],
    "config-parallel-size": [
        (M, {"dp": 0}),
        (M, {"sp": "x"}),
        (M, {"cp": 2**32}),
        (M, {"cp": "9" * 5000}),
        (M, {"dp": "\u0661"}),
        (M, {"sp": 1e30}),
    ],
    "config-plugin-params": [
        (M, {"plugin_params": '{"plugin_type": "mtp", "num_speculative_tokens": "1"}'}),
        (M, {"plugin_params": '{"plugin_type": "mtp", "num_speculative_tokens": null}'}),
        (M, {"plugin_params": '{"plugin_type": 5}'}),
        (M, {"plugin_params": {"plugin_type": None}}),
        (M, {"plugin_params": {"plugin_type": "la,mtp", "num_speculative_tokens": [1]}}),
        (M, {"plugin_params": '{"a": 1e400}'}),
    ],
    "config-rank-table-wanted": [(C, {"distributedEnable": True})],
    "config-layerwise-types": [
        (B, {"layerwiseDisaggregated": {f"{LAYERWISE}InferEnabled": "true", f"{LAYERWISE}CtrlPort": 2000}}),
        (B, {"layerwiseDisaggregated": {f"{LAYERWISE}InferEnabled": False}}),
        (B, {"layerwiseDisaggregated": {f"{LAYERWISE}InferEnabled": False, f"{LAYERWISE}CtrlPort": "1"}}),
        (B, {"layerwiseDisaggregated": {f"{LAYERWISE}InferEnabled": True, f"{LAYERWISE}CtrlPort": 1}}),
        (C, {"layerwiseDisaggregated": {"nextPHeadPrior": None}}),
    ],
    "config-layerwise-lists": [
        (S, SPLIT | {"layerwiseDisaggregatedSlaveIpAddress": [1]}),
        (S, SPLIT | {"layerwiseDisaggregatedCrtlPort": ["1"]}),
        (S, SPLIT | {"layerwiseDisaggregatedCrtlPort": [2**31]}),
    ],
    "config-layerwise": [
        (S, {"layerwiseDisaggregated": True, "distDPServerEnabled": True}),
        ("split", {"plugin_type": "splitfuse"}),
        ("split", {"dp": 2}),
    ],
    "config-layerwise-role": [(S, {"layerwiseDisaggregated": True})],
    "config-inter-node-tls": [
        (B, BETWEEN | {"interNodeTlsCaFiles": []}),
        (B, BETWEEN | {"interNodeTlsCert": None}),
        (B, BETWEEN | {"interNodeTlsCrlFiles": ["1", "2", "3", "4"]}),
    ],
    "config-inter-node-revocation": [
        (B, BETWEEN | {"interNodeTlsCrlPath": "certs/", "multiNodesInferEnabled": True})
    ],
    "config-inter-comm-tls": [
        (S, {"interCommTLSEnabled": True, "interCommTlsCert": 5}),
        (S, {"interCommTLSEnabled": "left out", "interCommTlsCert": None}),
        (S, {"interCommTLSEnabled": "left out", "interCommTlsCrlFiles": [None]}),
    ],
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
    "config-tensor-parallel": [(B, {"multiNodesInferEnabled": True})],
    "config-parallel": [
        (M, {"tp": 4}),
        (M, {"tp": "x"}),
        (M, {"tp": 8, "dp": 2}),
        ("several", {"tp": 8}),
        ("several", {"tp": 12}),
        ("several", {"tp": 2, "cp": 2}),
    ],
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


# One test: of hundreds, each would cost more than what it looks at.
def test_every_field_of_a_wrong_type_is_caught_by_name():
    for field, generation in FIELD_CASES:
        wrong = {field.name: WRONG_TYPES[field.kind]}
        document = changed(good(GENERATION[generation]), field.section, **wrong)
        assert field.check in checks(document, GENERATION[generation]), (field.path, generation)


@pytest.mark.parametrize("generation", list(GENERATION))
def test_every_field_out_of_range_is_caught_by_name_and_its_bounds_are_not(generation):
    for field, of in FIELD_CASES:
        if of == generation:
            _range_is_known(field, generation)


def _range_is_known(field: Field, generation):
    version = GENERATION[generation]
    for value in (field.low, field.high):
        if value is not None:
            document = changed(good(version), field.section, **{field.name: value})
            assert field.check not in checks(document, version), (field.path, value)
    low, high = LIMITS.get(field.kind, (None, None))
    low = low if field.low is None else field.low
    high = high if field.high is None else field.high
    outside = [] if low is None or high is None else [low - 1, high + 1]
    if field.choices:
        outside = ["nonsense" if isinstance(field.choices[0], str) else 1]
        for value in field.choices:
            document = changed(good(version), field.section, **{field.name: value})
            assert field.check not in checks(document, version), (field.path, value)
    for value in outside:
        document = changed(good(version), field.section, **{field.name: value})
        assert field.check in checks(document, version), (field.path, value)


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
    elif section == "split":
        part(document, S).update(SPLIT)
        part(document, M).update(values)
    elif values.get("ModelConfig") == "twice":
        part(document, D)["ModelConfig"].append(copy.deepcopy(part(document, M)))
    else:
        part(document, section).update(values)
    if values.get("interCommTLSEnabled") == "left out":
        del part(document, S)["interCommTLSEnabled"]
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
        "config-world-size-all": {"config-tensor-parallel"},
        "config-inter-node-revocation": {"config-tensor-parallel"},
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
        (S, TLS | MANAGEMENT | METRICS | {"tlsCrlFiles": ["1", "2", "3", "4"]}),
        (S, {"interCommTLSEnabled": False, "interCommTlsCert": 5}),
        (B, BETWEEN),
        (B, BETWEEN | SEVERAL),
        (B, SEVERAL | {"npuDeviceIds": [[0, 0, 1, 2, 3, 4, 5, 6]]}),
        (S, {"interCommPort": 2000.5}),
        (S, {"interCommTLSEnabled": True, "interCommTlsCaFiles": {"a": "b"}}),
        (S, {"HealthCheckConfig": {"npuUsageThreshold": True}}),
        (S, {"HealthCheckConfig": "x"}),
        (C, {"prefillChunkSize": 2.5}),
        (B, {"layerwiseDisaggregated": {f"{LAYERWISE}InferEnabled": False, f"{LAYERWISE}CtrlPort": 1.5}}),
        (M, {"plugin_params": "no JSON"}),
        (M, {"plugin_params": '{"plugin_type": "mtp", "num_speculative_tokens": 1.5}'}),
        (M, {"plugin_params": '{"plugin_type": "la", "num_speculative_tokens": "1"}'}),
        (M, {"plugin_params": None}),
        (M, {"tp": 8}),
        (M, {"tp": "4", "dp": 2, "cp": None}),
        (M, {"dp": None, "sp": [], "cp": {}}),
        (D, {"speculationGamma": "x"}),
    ],
)
def test_what_the_code_accepts_is_not_refused(values):
    section, fields = values
    document = changed(good("3.0.0"), section, **fields)
    if "multiNodesInferEnabled" in fields:
        part(document, M)["tp"] = 16
    assert not checks(document, "3.0.0", Verdict.WARNING)


def test_the_second_model_is_checked_too():
    document = good("3.0.0")
    part(document, C)["templateType"] = "Mix"
    part(document, D)["ModelConfig"].append({"modelName": "b"})
    found = check_config(document, profile_for("3.0.0"))
    assert any("ModelConfig[1].worldSize is missing" in f.message for f in found)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"modelName": ""}, "config-model-name"),
        ({"npuMemSize": 0}, "config-npu-memory"),
        ({"dp": 0}, "config-parallel-size"),
        ({"plugin_params": {"plugin_type": 5}}, "config-plugin-params"),
        ({"modelWeightPath": "/a b"}, "config-weight-path"),
    ],
)
def test_the_second_model_s_values_are_checked_too(values, name):
    document = good("3.0.0")
    part(document, C)["templateType"] = "Mix"
    part(document, D)["ModelConfig"].append({**part(document, M), **values})
    found = [f for f in check_config(document, profile_for("3.0.0")) if f.check == name]
    assert found and "ModelConfig[1]: " in found[0].message


@pytest.mark.parametrize(
    ("values", "alone", "in_the_cluster"),
    [
        ({"tp": 16}, set(), set()),
        ({"tp": "16"}, set(), set()),
        ({"tp": 8, "dp": 2}, set(), set()),
        ({"dp": 2}, set(), set()),
        ({"tp": 8}, {"config-parallel"}, {"config-parallel"}),
        ({"tp": 1}, {"config-parallel"}, {"config-parallel"}),
        ({"tp": 0}, {"config-parallel"}, {"config-parallel"}),
        ({"tp": None}, {"config-tensor-parallel"}, {"config-tensor-parallel"}),
        ({}, {"config-tensor-parallel"}, {"config-tensor-parallel"}),
        # A file alone does not tell how many nodes there are.
        ({"tp": 24}, set(), {"config-parallel"}),
        ({"tp": 8, "dp": 3}, set(), {"config-parallel"}),
    ],
)
def test_with_several_nodes_the_sizes_multiply_to_all_cards(values, alone, in_the_cluster):
    cluster = make_cluster("Ling-plus", nodes=2)
    document = document_of(cluster)
    part(document, M).pop("tp", None)
    part(document, M).update(values)
    assert checks(document, "3.0.0") == alone
    found = check_config(document, profile_for("3.0.0"), cluster)
    assert {f.check for f in found if f.verdict is Verdict.FAILURE} == in_the_cluster


def test_whether_2_x_needs_tp_is_said_to_be_unknown():
    document = document_of(make_cluster("Ling-plus", "2.3.0", nodes=2))
    part(document, M).pop("tp", None)
    found = [f for f in check_config(document, profile_for("2.3.0")) if f.verdict > Verdict.PASS]
    assert [(f.check, f.verdict) for f in found] == [("config-tensor-parallel", Verdict.UNKNOWN)]
    assert "not known" in found[0].message


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
    [
        "",
        "[]",
        "5",
        '{"a": 1,}',
        '{"a": NaN}',
        "{'a': 1}",
        '{"a": 1} // x',
        "[" * 100000,
        '{"a": ' * 5000,
        '{"a": 1e400}',
        '{"a": [-1e400]}',
        '{"a": ' + "1" * 400 + "}",
        '{"a": ' + "1" * 5000 + "}",
        '{"a": 1e400, "a": 1}',
        r'{"a": "\ud800"}',
        r'{"a": "\udc00x"}',
        r'{"\ud800": 1}',
        r'{"a": {"b": [["\ud83dx"]]}}',
        r'{"a": "\ud800", "a": 1}',
        "\ufeff\ufeff{}",
        '{"a": 01}',
        '{"a": "\t"}',
    ],
)
def test_what_is_not_json_is_refused_in_words(text):
    with pytest.raises(ConfigurationError) as caught:
        parse_document(text)
    assert caught.value.code == "config-json"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", float(2**64)),
        ("-9223372036854775808", -(2**63)),
        ("-9223372036854775809", -float(2**63)),
        ("1e308", 1e308),
        ("1e-400", 0.0),
        (r'"\ud83d\ude00"', "\U0001f600"),
        (r'"\u0000"', "\0"),
    ],
)
def test_numbers_and_texts_are_read_as_the_engine_reads_them(text, value):
    read = parse_document(f'{{"a": 0, "a": {text}}}')["a"]
    assert (type(read), read) == (type(value), value)


def test_a_byte_order_mark_is_read_over():
    assert parse_document("\ufeff{}") == {}


def test_a_file_of_more_than_ten_megabytes_is_refused():
    with pytest.raises(ConfigurationError):
        parse_document(json.dumps({"a": "x" * 10 * 1024 * 1024}))
