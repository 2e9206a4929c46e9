"""The third judge: a checker of MindIE 3.0.0 itself, an executable that somebody names.

It reads lines "config.json<TAB>rank_table.json" of paths, the second empty where there is none, and judges
each as MindIE would with these files. After what it has to say of one comes a line of a record separator
(0x1e) and 0 if it accepts.
"""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lingctl.errors import ConfigurationError
from lingctl.findings import Verdict
from lingctl.inventory.load import load_cluster
from lingctl.mindie.files.config import config_document
from lingctl.mindie.profile import profile_for
from lingctl.mindie.rules.check import check_config, parse_document
from lingctl.mindie.rules.rank_table import check_rank_table
from lingctl.mindie.tls import certificate_files
from tests.mindie_checker.mutations import (
    ODD_TEXTS,
    ODD_VALUES,
    doubled,
    places,
    removed,
    replaced,
    with_text,
)
from tests.unit.mindie.samples import document_of, make_cluster, part, table_of

JUDGE = os.environ.get("LINGCTL_MINDIE_CHECKER", "")
# MindIE's own checker is not ours to ship or to build; whoever has one names it.
pytestmark = pytest.mark.skipif(not JUDGE, reason="no checker is named: LINGCTL_MINDIE_CHECKER=FILE")
V3 = profile_for("3.0.0")
SECTIONS = ("ServerConfig", "BackendConfig", "ModelDeployConfig", "ModelConfig", "ScheduleConfig")
# Said of the workers, which the checker does not start.
BEYOND_THE_CHECKER = {"config-parallel", "config-tensor-parallel"}
LAYERWISE = "layerwiseDisaggregated"
# Fields that the shipped file leaves out, and what they may hold.
OPTIONAL: dict[str, dict[str, Any]] = {
    "ServerConfig": {
        "fullTextEnabled": False,
        "maxRequestLength": 40,
        "maxJsonDepth": 10,
        "HealthCheckConfig": {"npuUsageThreshold": 5},
        "npuUsageThreshold": 1,
        "interCommTLSEnabled": True,
        "interCommPort": 1121,
        "interCommTlsCert": "x",
        "interCommTlsCaPath": "x",
        "interCommPk": "x",
        "interCommTlsCrlPath": "x",
        "interCommTlsCaFiles": ["a"],
        "interCommTlsCrlFiles": ["a"],
        "openAiSupport": "vllm",
        "tlsCrlFiles": ["a"],
        "managementTlsCaFile": ["a"],
        "metricsTlsCert": "x",
        LAYERWISE: False,
        f"{LAYERWISE}RoleType": "master",
        f"{LAYERWISE}MasterIpAddress": "10.0.0.1",
        f"{LAYERWISE}SlaveIpAddress": ["10.0.0.2"],
        f"{LAYERWISE}DataPort": 2000,
        f"{LAYERWISE}CrtlPort": [2001],
    },
    "BackendConfig": {
        "kvPoolConfig": {"backend": "mooncake", "configPath": "x", "asyncWrite": True},
        "multiNodesInferPort": 1125,
        LAYERWISE: {
            f"{LAYERWISE}MultiNodesInferEnabled": False,
            f"{LAYERWISE}MultiNodesCtrlPort": 2002,
        },
        "interNodeTlsCert": "x",
        "interNodeTlsCaFiles": ["a"],
    },
    "ModelDeployConfig": {
        "maxLoras": 2,
        "maxLoraRank": 3,
        "truncation": True,
        "LoraModules": [],
        "speculationGamma": 0,
    },
    "ModelConfig": {
        "dp": 1,
        "sp": 2,
        "cp": 1,
        "tp": 8,
        "moe_ep": 1,
        "pluginParams": "",
        "plugin_params": {"plugin_type": "mtp", "num_speculative_tokens": 1},
        "plugin_type": "x",
        "models": {"a": 1},
    },
    "ScheduleConfig": {
        "maxFirstTokenWaitTime": 0,
        "policyType": 4,
        "maxN": 1,
        "stageSelectPolicy": 2,
        "prefillExpectedTime": 1,
        "decodeExpectedTime": 1,
        "prefillChunkSize": 5,
        "maxNumPartialPrefills": 4,
        "maxLongPartialPrefills": 2,
        "longPrefillTokenThreshold": 1,
        "splitType": True,
        "splitChunkTokens": 1,
        "dynamicBatchSizeEnable": True,
        "bufferResponseEnabled": False,
        "distributedEnable": False,
        LAYERWISE: {"nextPHeadPrior": True},
    },
}
# Numbers beyond every whole type: what C++ makes of them where it does not look depends on the machine.
UNDEFINED = {
    "1" * 25,
    "1" + "0" * 308,
    "18446744073709551616",
    "-9223372036854775809",
}
NUMBERS = [
    -2,
    -1,
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    9,
    10,
    50,
    100,
    101,
    128,
    129,
    200,
    201,
    499,
    500,
    1000,
    1001,
    1023,
    1024,
]
NUMBERS += [1025, 1120, 3600, 3601, 4096, 4097, 8192, 8193, 65535, 65536, 819200, 819201, 1000000, 1000001]
NUMBERS += [3600000, 3600001, 4194304, 4194305, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64, 1.0, 2.5]
TEXTS = [
    "",
    "a",
    "Standard",
    "Mix",
    "dmi",
    "1",
    "a-b",
    "_a",
    "a" * 51,
    "a" * 257,
    "0.0.0.0",
    "::",
    "::1",
    "atb",
]
TEXTS += [
    "10.0.0.300",
    "10.0.0.1",
    "fe80::1%eth0",
    "::ffff:1.2.3.4",
    "01.2.3.4",
    "1.2.3.4 ",
    "mooncake",
    "a\n",
]
LISTS = [[], [1], ["a"], ["a"] * 4, ["a", "b", "c", "d"], [[0, 1]], [[0] * 8], [[0, 1.5]], [[-1]], [["0"]]]
VALUES = [None, True, False, {}, {"a": 1}, *NUMBERS, *TEXTS, *LISTS]


@pytest.fixture
def place(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "__init__.py").touch()
    weights = tmp_path / "weights"
    weights.mkdir(mode=0o750)
    (weights / "config.json").write_text('{"model_type": "bailing_moe", "vocab_size": 126464}')
    (weights / "config.json").chmod(0o640)
    return tmp_path


def judged(folder: Path, pairs) -> list[tuple[bool, str]]:
    """What the checker thinks of each config.json (data or text) with a rank table, or with none."""
    lines = []
    for number, pair in enumerate(pairs):
        paths = []
        for name, document in zip(("config", "table"), pair, strict=True):
            path = folder / f"{name}-{number}.json"
            if document is not None:
                text = document if isinstance(document, str) else json.dumps(document)
                path.write_bytes(text.encode())
                path.chmod(0o640)
            paths.append("" if document is None else str(path))
        lines.append("\t".join(paths))
    environment = {name: value for name, value in os.environ.items() if name != "RANK_TABLE_FILE"}
    environment |= {"MINDIE_LLM_HOME_PATH": str(folder / "home"), "HOST_IP": "10.0.0.1"}
    said = subprocess.run(
        [JUDGE], input="\n".join(lines).encode() + b"\n", capture_output=True, env=environment, check=True
    ).stdout.decode(errors="replace")
    texts = said.split("\x1e")
    results = [(after.split("\n", 1)[0] == "0", before) for before, after in pairwise(texts)]
    assert len(results) == len(lines)
    return results


def ours(findings) -> bool:
    return not [f for f in findings if f.verdict >= Verdict.UNKNOWN and f.check not in BEYOND_THE_CHECKER]


def ours_of_text(text: str, check) -> tuple[bool, object]:
    """Our verdict on a file's text, and why."""
    try:
        found = check(parse_document(text), V3)
    except ConfigurationError as error:
        return False, error.what
    return ours(found), [f.message for f in found if f.verdict >= Verdict.UNKNOWN]


def table_for(document, table):
    """The rank table where there are several nodes; one node has none."""
    try:
        data = json.loads(document) if isinstance(document, str) else document
        return table if data["BackendConfig"]["multiNodesInferEnabled"] is True else None
    except (ValueError, KeyError, TypeError):
        return None


def disagreements(place, documents, *, stricter=lambda document: False):
    """Where the two judges differ; ``stricter`` tells where ours may refuse what the checker takes."""
    table = table_of(make_cluster("Ling-plus", nodes=2))
    verdicts = judged(place, [(document, table_for(document, table)) for document in documents])
    for document, (theirs, said) in zip(documents, verdicts, strict=True):
        text = document if isinstance(document, str) else json.dumps(document)
        mine, why = ours_of_text(text, check_config)
        if mine != theirs and not (theirs and stricter(document)):
            yield f"{text}\n{said}\nours: {why}"


def full(nodes: int, place: Path):
    """A rendered document with every field that it may have."""
    document = document_of(make_cluster("Ling-plus" if nodes > 1 else "Ling-lite", nodes=nodes))
    for section in SECTIONS:
        part(document, section).update(copy.deepcopy(OPTIONAL[section]))
    part(document, "ModelConfig")["modelWeightPath"] = str(place / "weights")
    return document


def altered_places(document):
    """Places that need no file to be right."""
    left_out = ("modelWeightPath", "httpsEnabled")
    return [
        path for path in places(document) if path[-1] not in left_out and path != ("ServerConfig", LAYERWISE)
    ]


@pytest.mark.parametrize(("model", "nodes"), [("Ling-lite", 1), ("Ling-plus", 2), ("Ling-plus", 4)])
def test_it_accepts_what_is_rendered(place, model, nodes):
    cluster = make_cluster(model, nodes=nodes)
    document = config_document(cluster, cluster.primary, V3, str(place / "weights"))
    table = table_of(cluster) if nodes > 1 else None
    ((accepted, said),) = judged(place, [(document, table)])
    assert accepted, said


def test_it_accepts_certificates_where_they_are_placed(place):
    for name in ("server.pem", "server.key", "ca.pem"):
        (place / name).write_text("-----BEGIN X-----\n")
    files = "{cert: server.pem, key: server.key, ca: ca.pem}"
    nodes = "[{address: 10.0.0.1}, {address: 10.0.0.2}]"
    text = f"name: demo\nmodel: Ling-plus\nmindie: '3.0.0'\nnodes: {nodes}\n"
    text += f"https: {files}\ninter_node_tls: {files}\n"
    (place / "hosts.yaml").write_text(text)
    cluster = load_cluster(place / "hosts.yaml", {})
    for file in certificate_files(cluster, V3):
        relative = file.path.removeprefix(cluster.layout.certificates).lstrip("/")
        target = place / "home/security/lingctl" / relative
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copy(file.source, target)
        target.chmod(file.mode)
    document = config_document(cluster, cluster.primary, V3, str(place / "weights"))
    ((accepted, said),) = judged(place, [(document, table_of(cluster))])
    assert accepted, said


@pytest.mark.parametrize("nodes", [1, 2])
def test_every_value_in_every_place_is_judged_alike(place, nodes):
    document = full(nodes, place)
    spots = altered_places(document)
    changed = [replaced(document, spot, value) for spot in spots for value in ODD_VALUES]
    changed += [removed(document, spot) for spot in spots]
    assert not list(disagreements(place, changed))


@pytest.mark.parametrize("nodes", [1, 2])
def test_every_odd_text_in_every_place_is_judged_alike(place, nodes):
    document = full(nodes, place)
    spots = altered_places(document)
    changed = {with_text(document, spot, text): text for spot in spots for text in ODD_TEXTS}
    differ = disagreements(place, list(changed), stricter=lambda text: changed[text] in UNDEFINED)
    assert not list(differ)


def test_keys_that_stand_there_twice_are_judged_alike(place):
    document = full(1, place)
    spots = [spot for spot in altered_places(document) if isinstance(spot[-1], str)]
    others = ("null", '"x"', "1e400", "{}", r'"\ud800"')
    changed = [
        doubled(document, spot, text, first=f) for spot in spots for text in others for f in (True, False)
    ]
    assert not list(disagreements(place, changed))


PLUGINS = [
    "",
    "abc",
    "5",
    "null",
    '{"plugin_type":null}',
    '{"plugin_type":"mtp"}',
    '{"plugin_type":"la,mtp","num_speculative_tokens":"1"}',
    '{"plugin_type":"la","num_speculative_tokens":"1"}',
    '{"plugin_type":"mtp","num_speculative_tokens":null}',
    '{"plugin_type":"mtp","num_speculative_tokens":true}',
    '{"plugin_type":"mtp","num_speculative_tokens":1.5}',
    '{"plugin_type":"mtp","num_speculative_tokens":-1}',
    '{"plugin_type":"mtp","num_speculative_tokens":[1]}',
    '{"plugin_type":"mtp","num_speculative_tokens":"x","num_speculative_tokens":1}',
    '{"plugin_type":"a","plugin_type":5}',
    '{"plugin_type":5,"plugin_type":"a"}',
    '{"a":1e400}',
    '{"a":bad,"b":1e400}',
    '{"plugin_type":5} x',
    '{"plugin_type":5}\0garbage',
    '{"plugin_type":"\0"}',
    '\ufeff{"plugin_type":5}',
    r'{"plugin_type":"\ud800"}',
    '{"x":' + "[" * 20 + "]" * 20 + ',"plugin_type":5}',
    "1" * 400,
]
SIZES = [
    "1",
    "0",
    "-1",
    "+1",
    " 1",
    "\v1",
    "\u00a01",
    "\u0661",
    "1.5",
    "0x1",
    "2147483648",
    "9" * 400,
    "00001",
]
SIZES += ["\0" + "1", "- 1", "", None, [], {}, True, False, 1.9, 0.9, -0.5, 2**32 + 1, -(2**32) + 1, 2**31]


def test_plug_ins_and_parallel_sizes_are_judged_alike(place):
    document = full(1, place)
    model = ("BackendConfig", "ModelDeployConfig", "ModelConfig", 0)
    changed = [replaced(document, (*model, "plugin_params"), value) for value in PLUGINS]
    changed += [replaced(document, (*model, name), size) for name in ("dp", "sp", "cp") for size in SIZES]
    assert not list(disagreements(place, changed))


def test_with_the_edge_cloud_split_what_it_refuses_is_refused(place):
    """The other way round ours is stricter: the code forgets what it has found."""
    document = full(1, place)
    part(document, "ServerConfig")[LAYERWISE] = True
    several = copy.deepcopy(document)
    part(several, "ServerConfig")[f"{LAYERWISE}SlaveIpAddress"] = ["10.0.0.2", "10.0.0.3"]
    part(several, "BackendConfig")[LAYERWISE][f"{LAYERWISE}MultiNodesInferEnabled"] = True
    for base in (document, several):
        assert not list(disagreements(place, [base]))
        spots = altered_places(base)
        changed = [replaced(base, spot, value) for spot in spots for value in ODD_VALUES]
        changed += [removed(base, spot) for spot in spots]
        assert not list(disagreements(place, changed, stricter=lambda one: True))


@pytest.mark.parametrize("seed", range(8))
def test_altered_configs_are_judged_alike(place, seed):
    chance = random.Random(seed)
    assert not list(disagreements(place, [_altered(chance, place) for _ in range(500)]))


def test_a_rank_table_that_it_refuses_is_refused(place):
    """The other way round ours is stricter: HCCL and atb_llm look at what the server does not."""
    chance = random.Random(1)
    cluster = make_cluster("Ling-plus", nodes=2)
    document = config_document(cluster, cluster.primary, V3, str(place / "weights"))
    table = table_of(cluster)
    # Of each node the first and the last card: the others are judged by the same lines.
    spots = [spot for spot in places(table) if len(spot) < 4 or spot[3] in (0, 7)]
    tables: list[Any] = [_altered_table(chance, table_of(cluster)) for _ in range(300)]
    tables += [replaced(table, spot, value) for spot in spots for value in ODD_VALUES]
    tables += [removed(table, spot) for spot in spots]
    tables += [with_text(table, spot, text) for spot in spots for text in ODD_TEXTS]
    for changed, (theirs, said) in zip(tables, judged(place, [(document, t) for t in tables]), strict=True):
        text = changed if isinstance(changed, str) else json.dumps(changed)
        mine, _ = ours_of_text(text, check_rank_table)
        assert theirs or not mine, f"{text}\n{said}"


def _altered(chance: random.Random, place: Path):
    cluster = chance.choice([make_cluster(), make_cluster("Ling-plus", nodes=2)])
    document = copy.deepcopy(document_of(cluster))
    part(document, "ModelConfig")["modelWeightPath"] = str(place / "weights")
    for _ in range(chance.choice([1, 1, 2, 3])):
        section = chance.choice(SECTIONS)
        try:
            values = part(document, section)
        except (KeyError, TypeError, IndexError, AttributeError):
            continue  # an earlier change took the section away
        if not isinstance(values, dict) or not values:
            continue
        optional = OPTIONAL[section]
        name = chance.choice([*values, *optional])
        # These need files, or hide what else is wrong.
        if name in ("modelWeightPath", "httpsEnabled", "layerwiseDisaggregated"):
            continue
        action = chance.random()
        if action < 0.2:
            values.pop(name, None)
        elif action < 0.4 and name in optional:
            values[name] = copy.deepcopy(optional[name])
        else:
            values[name] = copy.deepcopy(chance.choice(VALUES))
    return document


def _altered_table(chance: random.Random, table):
    server = chance.choice(table["server_list"])
    device = chance.choice(server["device"])
    if chance.random() < 0.3:
        server["device"].remove(device)
        return table
    # Not the servers' addresses: they decide whose node this is, which is not what is judged here.
    holder = chance.choice([table, device])
    names = [name for name in holder if name != "server_list"]
    holder[chance.choice(names)] = chance.choice(
        [None, 0, "", "0", "1", "15", "63", "64", "-1", "512", "x", []]
    )
    return table
