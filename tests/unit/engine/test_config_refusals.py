"""Every rule of config.json refuses in MindIE's own words; read in this process, without a daemon around."""

from __future__ import annotations

import json
import os

import pytest

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.settings.sections import Refused
from lingctl.sandbox.engine.start.startup import configure
from lingctl.sandbox.engine.stock_config import stock_config

OLD, NEW = "1.0.0", "3.0.0"
BOTH = (OLD, NEW)
SETTLED = {
    "httpsEnabled": False,
    "interNodeTLSEnabled": False,
    "npuDeviceIds": [[0, 1, 2, 3, 4, 5, 6, 7]],
    "worldSize": 8,
    "modelName": "bailing_moe",
}
MISSING = object()


def replaced(value, key, new):
    """The document with a key replaced (or taken out) wherever it is."""
    if isinstance(value, list):
        return [replaced(item, key, new) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: new if name == key else replaced(inner, key, new)
        for name, inner in value.items()
        if not (name == key and new is MISSING)
    }


@pytest.fixture
def read(tmp_path, monkeypatch, capsys):
    """Reads a config.json as the daemon does; gives (refused, everything said)."""
    for name in ("MIES_CONTAINER_IP", "MIES_CONTAINER_MANAGEMENT_IP", "RANKTABLEFILE", "RANK_TABLE_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MINDIE_LOG_TO_STDOUT", "1")
    monkeypatch.setenv("MINDIE_LLM_PYTHON_LOG_TO_STDOUT", "1")
    weights = tmp_path / "weights"
    weights.mkdir(mode=0o750)
    (weights / "config.json").write_text("{}")
    (weights / "config.json").chmod(0o640)

    def read(version, changes=(), text=None, owner=None):
        document = json.loads(stock_config(version))
        for key, value in {**SETTLED, "modelWeightPath": str(weights), **dict(changes)}.items():
            document = replaced(document, key, value)
        path = tmp_path / "config.json"
        path.write_text(json.dumps(document) if text is None else text)
        path.chmod(0o640)
        if owner is not None:
            os.chown(path, owner, owner)
        try:
            configure(version, path, tmp_path, Console(version, tmp_path))
        except Refused:
            refused = True
        else:
            refused = False
        said = capsys.readouterr()
        return refused, said.out + said.err

    return read


@pytest.mark.parametrize("version", BOTH)
def test_a_good_configuration_is_taken(read, version):
    refused, said = read(version)
    assert not refused, said


NUMBERS = [
    ("port", 1023, "serverConfig.port [1023] is less than [1024]"),
    ("port", 65536, "serverConfig.port [65536] is out of bound [65535]"),
    ("managementPort", 80, "serverConfig.managementPort [80] is less than [1024]"),
    ("metricsPort", 80, "serverConfig.metricsPort [80] is less than [1024]"),
    ("maxLinkNum", 4097, "serverConfig.maxLinkNum [4097] is out of bound [4096]"),
    ("maxLinkNum", 0, "serverConfig.maxLinkNum [0] is less than [1]"),
    ("tokenizerProcessNumber", 33, "backendConfig.tokenizerProcessNumber [33] is out of bound [32]"),
    ("multiNodesInferPort", 1, "backendConfig.multiNodesInferPort [1] is less than [1024]"),
    ("cacheBlockSize", 129, "scheduleParam.cacheBlockSize [129] is out of bound [128]"),
    ("maxBatchSize", 0, "scheduleParam.maxBatchSize [0] is less than [1]"),
    ("maxPrefillBatchSize", 201, "scheduleParam.maxPrefillBatchSize [201] is out of bound [200]"),
    ("maxPrefillTokens", 4194305, "scheduleParam.maxPrefillTokens [4194305] is out of bound [4194304]"),
    ("prefillTimeMsPerReq", 1001, "scheduleParam.prefillTimeMsPerReq [1001] is out of bound [1000]"),
    ("maxQueueDelayMicroseconds", 499, "scheduleParam.maxQueueDelayMicroseconds [499] is less than [500]"),
    ("prefillPolicyType", 9, "scheduleParam.prefillPolicyType [9] is outside the expected schedule policy"),
    ("maxIterTimes", 0, "The value of ScheduleParam.maxIterTimes can not be 0."),
    ("maxPreemptCount", 201, "The maxPreemptCount cannot be set greater than maxBatchsize"),
    ("maxInputTokenLen", 0, "The value of modelParam.maxInputTokenLen should be in [1, 4194304]."),
    ("npuMemSize", 0, "The value of 'npuMemSize' in ModelDeployConfig in config.json is 0"),
    (
        "npuMemSize",
        -2,
        "The value of 'npuMemSize' in ModelDeployConfig in config.json is -2 it should be within "
        "(0, 4294967295] or -1please set 'npuMemSize' in config.json within (0, 4294967295] or -1",
    ),
]


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize(("key", "value", "words"), NUMBERS, ids=lambda value: str(value)[:30])
def test_ranges(read, version, key, value, words):
    refused, said = read(version, {key: value})
    assert refused
    assert words in said
    if version == NEW:
        assert said.rstrip().endswith("ConfigManager init exception: [ConfigManager] Checking Config Failed")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("tokenTimeout", 3601, "serverConfig.tokenTimeout [3601] is out of bound [3600]"),
        ("e2eTimeout", 0, "serverConfig.e2eTimeout [0] is less than [1]"),
        ("maxFirstTokenWaitTime", 3600001, "scheduleParam.maxFirstTokenWaitTime [3600001] is out of bound"),
    ],
)
def test_ranges_of_the_newer_fields(read, key, value, words):
    refused, said = read(NEW, {key: value})
    assert refused
    assert words in said


WORDS = [
    ("inferMode", "fast", "The inferMode should be standard or dmi"),
    ("backendType", "cuda", "Backend type only supports atb, ms, torch."),
    ("templateName", "LLM", "The templateName must be Standard_LLM, but is LLM"),
    ("modelName", "_ling", "The value of modelName must meet the following rules"),
    ("modelName", "", "The value of modelName must meet the following rules"),
    ("modelName", "a b", "The value of modelName must meet the following rules"),
    ("backendName", "Engine", "The pattern of backendName is invalid."),
    ("backendName", "a" * 51, "The length of backendName exceeds 50."),
    ("ipAddress", "0.0.0.0", "Input ipAddress [0.0.0.0] is invalid"),
    ("ipAddress", "localhost", "Input ipAddress [localhost] format is invalid (neither IPv4 nor IPv6)"),
    ("ipAddress", "", "Input ipAddress is empty"),
    ("managementIpAddress", "", "Input managementIpAddress is empty"),
    ("managementIpAddress", "10.0.0.256", "Input managementIpAddress [10.0.0.256] is invalid"),
    ("ipAddress", "1." * 20, "Input ipAddress format is invalid."),
]


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize(("key", "value", "words"), WORDS, ids=lambda value: str(value)[:30])
def test_words(read, version, key, value, words):
    refused, said = read(version, {key: value})
    assert refused
    assert words in said


def added(section, **values):
    """A change that adds keys to a section that the shipped file has."""
    document = json.loads(stock_config(NEW))
    part = document[section] if section in document else document["BackendConfig"][section]
    return {section: {**part, **SETTLED_IN.get(section, {}), **values}}


SETTLED_IN = {"ServerConfig": {"httpsEnabled": False}}
EARLY = [
    ("interCommPort", 1023, "serverConfig.interCommPort [1023] is less than [1024]"),
    ("interCommPort", 65536, "serverConfig.interCommPort [65536] is out of bound [65535]"),
    ("maxRequestLength", 101, "serverConfig.maxRequestLength [101] is out of bound [100]"),
    ("maxJsonDepth", 9, "serverConfig.maxJsonDepth [9] is less than [10]"),
    (
        "HealthCheckConfig",
        {"npuUsageThreshold": 101},
        "serverConfig.HealthCheckConfig.npuUsageThreshold [101] is out of bound [100]",
    ),
]


@pytest.mark.parametrize(("key", "value", "words"), EARLY, ids=lambda value: str(value)[:30])
def test_ranges_that_end_the_reading_of_their_section(read, key, value, words):
    refused, said = read(NEW, added("ServerConfig", **{key: value}))
    assert refused
    assert words in said
    assert said.rstrip().endswith(
        "ConfigManager init exception: Failed to initialize ServerConfig from JSON."
    )


SCHEDULED = [
    ({"maxNumPartialPrefills": 4}, "scheduleParam.maxLongPartialPrefills [8] is out of bound [4]"),
    ({"maxNumPartialPrefills": 0}, "scheduleParam.maxNumPartialPrefills [0] is less than [1]"),
    ({"maxLongPartialPrefills": 65}, "scheduleParam.maxLongPartialPrefills [65] is out of bound [64]"),
    ({"longPrefillTokenThreshold": 8193}, "scheduleParam.longPrefillTokenThreshold [8193] is out of bound"),
    ({"stageSelectPolicy": 3}, "scheduleParam.stageSelectPolicy [3] is out of bound [2]"),
    ({"decodeExpectedTime": 0}, "scheduleParam.decodeExpectedTime [0] is less than [1]"),
    ({"maxN": 201}, "The maxN cannot be set greater than maxBatchSize"),
]


@pytest.mark.parametrize(("values", "words"), SCHEDULED, ids=lambda value: str(value)[:40])
def test_optional_values_of_the_schedule(read, values, words):
    refused, said = read(NEW, added("ScheduleConfig", **values))
    assert refused
    assert words in said


@pytest.mark.parametrize(
    "values",
    [
        {"maxNumPartialPrefills": 8},
        {"maxNumPartialPrefills": 4, "maxLongPartialPrefills": 4},
        {"stageSelectPolicy": 3, "supportSelectBatch": True},
    ],
)
def test_optional_values_that_are_taken(read, values):
    refused, said = read(NEW, added("ScheduleConfig", **values))
    assert not refused, said


def test_of_the_schedule_s_ranges_the_first_alone_speaks(read):
    _, said = read(NEW, {"cacheBlockSize": 129, "maxQueueDelayMicroseconds": 1, "templateName": "LLM"})
    assert "scheduleParam.cacheBlockSize [129] is out of bound [128]" in said
    assert "maxQueueDelayMicroseconds" not in said
    assert "The templateName must be Standard_LLM, but is LLM" in said


PARALLEL = [
    ("dp", 0, "ConfigManager init exception: dp cannot be smaller than 1."),
    ("cp", "-2", "ConfigManager init exception: cp cannot be smaller than 1."),
    ("sp", "two", "ConfigManager Init exception: stoi"),
]


@pytest.mark.parametrize(("key", "value", "words"), PARALLEL)
def test_parallel_sizes(read, tmp_path, key, value, words):
    document = json.loads(stock_config(NEW))
    model = document["BackendConfig"]["ModelDeployConfig"]["ModelConfig"][0]
    refused, said = read(NEW, {"ModelConfig": [{**model, "worldSize": 8, key: value}]})
    assert refused
    assert said.rstrip().endswith(words)


@pytest.mark.parametrize("version", BOTH)
def test_an_unknown_kind_of_instance_ends_the_reading(read, version):
    document = json.loads(stock_config(version))
    model = document["BackendConfig"]["ModelDeployConfig"]["ModelConfig"][0]
    refused, said = read(version, {"ModelConfig": [{**model, "worldSize": 8, "modelInstanceType": "Mock"}]})
    assert refused
    known = "AssistantModel,Standard,StandardMock,TargetModel"
    assert f"Model instance type is invalid. supported values: [{known}]" in said


POOLS = [
    ({"backend": "redis"}, "Unknow kv pool backend."),
    ({"backend": "", "configPath": "x" * 501}, "The length of kvPool Config Path exceeds 500."),
    ({"configPath": 1}, "JSON error in ConfigManager: [json.exception.type_error.302] type must be string"),
]


@pytest.mark.parametrize(("pool", "words"), POOLS, ids=lambda value: str(value)[:40])
def test_the_pool_of_the_cache(read, pool, words):
    refused, said = read(NEW, {"kvPoolConfig": pool})
    assert refused
    assert words in said


BETWEEN_NODES = [
    ({"interNodeTlsCert": MISSING}, "type must be string, but is null"),
    ({"interNodeTlsCaFiles": []}, "interNodeTlsCaFiles size is invalid"),
    ({"interNodeTlsCrlFiles": ["a", "b", "c", "d"]}, "interNodeTlsCrlFiles size is invalid"),
    ({"interNodeTlsCaFiles": [1]}, "interNodeTlsCaFiles init error"),
]


@pytest.mark.parametrize(("changes", "words"), BETWEEN_NODES, ids=lambda value: str(value)[:40])
def test_names_of_certificates_between_nodes_are_read_on_one_node_too(read, changes, words):
    refused, said = read(NEW, {"interNodeTLSEnabled": True, **changes})
    assert refused
    assert words in said
    assert "Failed to init tls cfg" in said
    assert not read(NEW, {"interNodeTLSEnabled": True})[0]


CROSS = [
    ({"port": 1120}, "Endpoint port cannot be equal to multiNodesInferPort."),
    ({"maxPrefillTokens": 2000}, "The value of maxPrefillTokens should not be less than maxInputTokenLen."),
    ({"maxPreemptCount": 1, "cpuMemSize": 0}, "The value of modelParam.cpuMemSize can not be 0 when"),
    ({"worldSize": 4}, "The size of npuDeviceIds (subset) does not equal to worldSize"),
    ({"modelInstanceNumber": 2}, "The size of npuDeviceIds does not equal to modelInstanceNumber"),
    ({"npuDeviceIds": [[0, 0, 1, 2, 3, 4, 5, 6]]}, "npuDeviceID does not allow repetitive element"),
]


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize(("changes", "words"), CROSS, ids=lambda value: str(value)[:40])
def test_rules_across_fields(read, version, changes, words):
    refused, said = read(version, changes)
    assert refused
    assert words in said


def test_several_value_rules_are_named_at_once(read):
    _, said = read(NEW, {"maxIterTimes": 0, "inferMode": "fast", "npuMemSize": 0})
    for words in ("maxIterTimes can not be 0", "inferMode should be", "'npuMemSize'"):
        assert words in said


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize(
    "key", ["ipAddress", "port", "npuDeviceIds", "maxSeqLen", "modelName", "worldSize", "maxBatchSize"]
)
def test_a_missing_compulsory_field(read, version, key):
    refused, said = read(version, {key: MISSING})
    assert refused
    # worldSize is compared with the devices before it is looked for.
    if key == "worldSize":
        assert "does not equal to worldSize" in said
    else:
        assert f"[ParamChecker::CheckJsonParamType] {key}: missing compulsory field" in said


@pytest.mark.parametrize("key", ["tokenTimeout", "e2eTimeout", "metricsPort"])
def test_fields_that_only_the_newer_version_wants(read, key):
    refused, said = read(NEW, {key: MISSING})
    assert refused
    assert f"[ParamChecker::CheckJsonParamType] {key}: missing compulsory field" in said
    refused, _ = read(OLD, {key: MISSING})
    assert not refused


@pytest.mark.parametrize("key", ["distDPServerEnabled", "multiNodesInferEnabled", "interNodeTLSEnabled"])
def test_fields_that_are_read_without_a_look(read, key):
    refused, said = read(NEW, {key: MISSING})
    assert refused
    error = "[json.exception.type_error.302] type must be boolean, but is null"
    assert said.rstrip().endswith(f"JSON error in ConfigManager: {error}")


def test_the_published_file_of_the_old_version_is_refused_by_the_new(read):
    text = replaced(json.loads(stock_config(OLD)), "httpsEnabled", False)
    refused, said = read(NEW, text=json.dumps(text))
    assert refused
    assert "tokenTimeout: missing compulsory field" in said
    assert "ConfigManager init exception: Failed to initialize ServerConfig from JSON." in said


TYPES = [
    ({"port": "1025"}, "The type of param port should be int32_t, but got string"),
    ({"httpsEnabled": "false"}, "The type of param httpsEnabled should be bool, but got string"),
    ({"maxSeqLen": True}, "The type of param maxSeqLen should be uint32_t, but got boolean"),
    ({"npuDeviceIds": {}}, "The type of param npuDeviceIds should be array, but is object"),
    ({"maxBatchSize": -1}, "The value of param maxBatchSize for uint32_t is invalid."),
    ({"maxBatchSize": 2**32}, "The value of param maxBatchSize for uint32_t is invalid."),
    ({"npuDeviceIds": [["0"]]}, "does not match integer"),
]


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize(("changes", "words"), TYPES, ids=lambda value: str(value)[:40])
def test_types(read, version, changes, words):
    refused, said = read(version, changes)
    assert refused
    assert words in said


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1,}',
        '# comment\n{"a": 1}',
        "{'a': 1}",
        "",
        '{"ServerConfig": NaN}',
        "\uff02x\uff02",
        '{"ServerConfig": 1e400}',
        '{"ServerConfig": ' + "1" * 400 + "}",
        r'{"ServerConfig": "\ud800"}',
        r'{"ServerConfig": ["\udc00"]}',
        r'{"\ud800x": 1, "\ud800x": 2}',
    ],
    ids=lambda text: text[:24],
)
def test_what_is_not_json(read, version, text):
    refused, said = read(version, text=text)
    assert refused
    assert ("Read input file: config.json failed" if text == "" else "Please check json format! ") in said


def test_what_follows_the_document_is_not_looked_at(read):
    refused, said = read(NEW, text='{"a": 1} # comment')
    assert refused
    assert "key 'ServerConfig' not found" in said


@pytest.mark.parametrize("text", ["[]", "5", "null"])
def test_a_document_that_is_no_object(read, text):
    refused, said = read(NEW, text=text)
    assert refused
    assert "ServerConfig: [json.exception.type_error.304] cannot use at() with" in said


STRING, NUMBER, SWITCH = (f"type must be {kind}, but is" for kind in ("string", "number", "boolean"))
SPLIT = "layerwiseDisaggregated"
NESTED = [
    ("ServerConfig", {"interCommTlsCert": 5}, f"{STRING} number"),
    ("ServerConfig", {"interCommTLSEnabled": MISSING, "interCommPk": None}, f"{STRING} null"),
    ("ServerConfig", {"interCommTLSEnabled": None}, f"{SWITCH} null"),
    ("ServerConfig", {"interCommTlsCaFiles": [1]}, "interCommTlsCaFiles init error"),
    ("ServerConfig", {"HealthCheckConfig": {"npuUsageThreshold": "5"}}, f"{NUMBER} string"),
    ("ServerConfig", {SPLIT: True, f"{SPLIT}SlaveIpAddress": [1]}, "does not match string"),
    ("ServerConfig", {SPLIT: True, f"{SPLIT}CrtlPort": ["1"]}, "does not match integer"),
    ("ServerConfig", {SPLIT: True, "distDPServerEnabled": True}, "not incompatible with distDPServerEnabled"),
    ("BackendConfig", {SPLIT: {f"{SPLIT}MultiNodesInferEnabled": "x"}}, f"{SWITCH} string"),
    ("BackendConfig", {SPLIT: {f"{SPLIT}MultiNodesInferEnabled": False}}, f"{NUMBER} null"),
    ("BackendConfig", {"kvPoolConfig": {"asyncWrite": None}}, f"{SWITCH} null"),
    (
        "ScheduleConfig",
        {SPLIT: {"nextPHeadPrior": None}},
        "param nextPHeadPrior should be bool, but got null",
    ),
    ("ScheduleConfig", {"prefillChunkSize": "512"}, f"{NUMBER} string"),
    ("ScheduleConfig", {"prefillChunkSize": None}, f"{NUMBER} null"),
    ("ScheduleConfig", {"prefillChunkSize": True}, f"{NUMBER} boolean"),
    ("ScheduleConfig", {"distributedEnable": True}, "init rank table config error."),
    ("ModelDeployConfig", {"LoraModules": [None]}, "cannot use at() with null"),
    ("ModelDeployConfig", {"LoraModules": [{"name": "a"}]}, "key 'path' not found"),
    ("ModelDeployConfig", {"LoraModules": [{"name": "a", "path": 5}]}, f"{STRING} number"),
    ("ModelConfig", {"plugin_params": '{"plugin_type": 5}'}, f"{STRING} number"),
    ("ModelConfig", {"plugin_params": {"plugin_type": None}}, f"{STRING} null"),
    (
        "ModelConfig",
        {"plugin_params": '{"plugin_type": "mtp", "num_speculative_tokens": "1"}'},
        f"{NUMBER} string",
    ),
    ("ModelConfig", {"plugin_params": '{"a": 1e400}'}, "number overflow parsing '1e400'"),
]


@pytest.mark.parametrize(("section", "values", "words"), NESTED, ids=lambda value: str(value)[:40])
def test_what_is_read_beside_the_tables_of_fields(read, section, values, words):
    document = json.loads(stock_config(NEW))
    for key, value in SETTLED.items():
        document = replaced(document, key, value)
    backend = document["BackendConfig"]
    parts = {
        "ServerConfig": document["ServerConfig"],
        "BackendConfig": backend,
        "ScheduleConfig": backend["ScheduleConfig"],
        "ModelDeployConfig": backend["ModelDeployConfig"],
        "ModelConfig": backend["ModelDeployConfig"]["ModelConfig"][0],
    }
    for key, value in values.items():
        parts[section].pop(key, None)
        if value is not MISSING:
            parts[section][key] = value
    refused, said = read(NEW, text=json.dumps(document))
    assert refused
    assert words in said


def test_a_missing_section(read):
    refused, said = read(NEW, {"ServerConfig": MISSING})
    assert refused
    assert "ServerConfig: [json.exception.out_of_range.403] key 'ServerConfig' not found" in said


@pytest.mark.parametrize("version", BOTH)
def test_unknown_keys_are_passed_over(read, version):
    document = json.loads(stock_config(version))
    for key, value in SETTLED.items():
        document = replaced(document, key, value)
    document["ServerConfig"]["surprise"] = 1
    document["BackendConfig"]["ScheduleConfig"]["surprise"] = 1
    weights = json.dumps(document).replace("/data/atb_testdata/weights/llama1-65b-safetensors", "WEIGHTS")
    refused, said = read(version, text=weights)
    # Only the folder of weights is wrong.
    assert refused
    assert "surprise" not in said


@pytest.mark.parametrize("version", BOTH)
def test_two_models_in_a_standard_template(read, version):
    document = json.loads(stock_config(version))
    models = document["BackendConfig"]["ModelDeployConfig"]["ModelConfig"]
    refused, said = read(version, {"ModelConfig": models * 2, "npuDeviceIds": [[0, 1, 2, 3]]})
    assert refused
    assert "There should be one modelParam for Standard templateType." in said


def test_https_wants_its_files_in_the_older_version(read):
    refused, said = read(OLD, {"httpsEnabled": True})
    assert refused
    for name in ("serverConfig_.tlsCert", "serverConfig_.tlsPk", "ServerConfig.managementTlsCert"):
        assert f"The {name} path is invalid by: The path realpath parsing failed." in said
    assert "metricsTls" not in said


def test_https_wants_its_files(read):
    refused, said = read(NEW, {"httpsEnabled": True})
    assert refused
    missing = "path is invalid by: The input file: server.pem is not a regular file or not exists"
    for name in ("serverConfig_.tlsCert", "ServerConfig.managementTlsCert", "ServerConfig.metricsTlsCert"):
        assert f"The {name} {missing}" in said
    assert "The serverConfig_.tlsCaPath path is not a dir by:" in said
    assert "ERR: serverConfig_.managementTlsCaFile file not exit ." in said
    assert "ERR: serverConfig_.tlsCrlFiles file not exit ." in said
    refused, said = read(NEW, {"httpsEnabled": True, "tlsCaFile": [], "metricsTlsCaFile": ["a"] * 4})
    assert "ERR: serverConfig_.tlsCaFile size must in [1, 3] ." in said
    assert "ERR: serverConfig_.metricsTlsCaFile size must in [1, 3]." in said


def test_a_folder_of_authorities_is_joined_to_its_files_as_it_is(read, tmp_path):
    folder = tmp_path / "security"
    folder.mkdir()
    for name in ("ca.pem", "own.pem", "own.key"):
        (folder / name).write_text("x")
        (folder / name).chmod(0o600)
    files = {
        f"{prefix}{part}": value
        for prefix in ("tls", "managementTls", "metricsTls")
        for part, value in (
            ("Cert", "security/own.pem"),
            ("Pk", "security/own.key"),
            ("CaFile", ["ca.pem"]),
            ("CrlPath", ""),
        )
    }
    refused, said = read(NEW, {"httpsEnabled": True, "tlsCaPath": "security/", **files})
    assert not refused, said
    refused, said = read(NEW, {"httpsEnabled": True, "tlsCaPath": "security", **files})
    assert refused
    assert "The input file: securityca.pem is not a regular file or not exists" in said


def test_the_dynamic_timeouts_key_is_missed_aloud(read):
    refused, said = read(NEW, {"EnableDynamicAdjustTimeoutConfig": MISSING})
    assert not refused
    assert "The configName EnableDynamicAdjustTimeoutConfig is not found, using default value false." in said


WEIGHTS = [
    (lambda folder: (folder / "config.json").unlink(), "Path not found:", "not a regular file or not exists"),
    (lambda folder: (folder / "config.json").write_text("{,"), "is invalid. Please check it!", None),
]


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize(("spoil", "words", "old_words"), WEIGHTS)
def test_a_model_folder_without_a_good_config(read, tmp_path, version, spoil, words, old_words):
    spoil(tmp_path / "weights")
    refused, said = read(version)
    assert refused
    assert words in said or (old_words or words) in said
    assert ("take modelConfig.modelWeightPath to empty" in said) == (version == OLD)


@pytest.mark.skipif(os.getuid() != 0, reason="chown needs root")
def test_an_owner_that_is_not_exactly_the_daemons(read):
    refused, said = read(NEW, owner=1000)
    assert refused
    assert "by:owner id diff: current process user id is 0, file owner id is 1000" in said


def test_addresses_of_the_newer_kind_are_for_the_newer_version(read):
    for key in ("ipAddress", "managementIpAddress"):
        refused, said = read(OLD, {key: "fd00::1"})
        assert refused
        assert f"Input {key} [fd00::1] is invalid" in said
        assert not read(NEW, {key: "fd00::1"})[0]
