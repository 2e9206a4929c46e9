"""The third judge: MindIE 3.0.0's own checker, compiled from its public source (see build.sh)."""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from lingctl.findings import Verdict
from lingctl.inventory.load import load_cluster
from lingctl.mindie.config import config_document
from lingctl.mindie.profile import profile_for
from lingctl.mindie.rules import check_config, check_rank_table
from lingctl.mindie.tls import certificate_files, certificates_folder
from tests.unit.mindie.samples import document_of, make_cluster, part, table_of

JUDGE = os.environ.get("LINGCTL_MINDIE_CHECKER", "")
pytestmark = pytest.mark.skipif(
    not JUDGE, reason="LINGCTL_MINDIE_CHECKER names no checker; tests/mindie_checker/build.sh makes one"
)
V3 = profile_for("3.0.0")
SECTIONS = ("ServerConfig", "BackendConfig", "ModelDeployConfig", "ModelConfig", "ScheduleConfig")
# Fields that the shipped file leaves out, and what they may hold.
OPTIONAL = {
    "ServerConfig": {
        "maxRequestLength": 40,
        "maxJsonDepth": 10,
        "HealthCheckConfig": {"npuUsageThreshold": 5},
        "npuUsageThreshold": 1,
        "interCommTlsCert": "x",
        "interCommTlsCaFiles": ["a"],
    },
    "BackendConfig": {
        "kvPoolConfig": {"backend": "mooncake", "asyncWrite": True},
        "multiNodesInferPort": 1025,
    },
    "ModelDeployConfig": {"maxLoras": 2, "truncation": True, "LoraModules": []},
    "ModelConfig": {"dp": 1, "sp": 2, "cp": 0, "pluginParams": "", "tp": 8},
    "ScheduleConfig": {
        "maxFirstTokenWaitTime": 0,
        "policyType": 4,
        "maxN": 1,
        "stageSelectPolicy": 2,
        "prefillExpectedTime": 1,
        "decodeExpectedTime": 1,
        "maxNumPartialPrefills": 4,
        "maxLongPartialPrefills": 2,
        "longPrefillTokenThreshold": 1,
        "splitType": True,
        "dynamicBatchSizeEnable": True,
    },
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
    lines = []
    for number, (config, table) in enumerate(pairs):
        paths = []
        for name, document in (("config", config), ("table", table)):
            path = folder / f"{name}-{number}.json"
            path.write_text(json.dumps(document))
            path.chmod(0o640)
            paths.append(str(path))
        lines.append("\t".join(paths))
    environment = {**os.environ, "MINDIE_LLM_HOME_PATH": str(folder / "home"), "HOST_IP": "10.0.0.1"}
    said = subprocess.run(
        [JUDGE], input="\n".join(lines) + "\n", capture_output=True, text=True, env=environment, check=True
    ).stdout
    texts = said.split("\x1e")
    results = [(after.split("\n", 1)[0] == "0", before) for before, after in pairwise(texts)]
    assert len(results) == len(lines)
    return results


def ours(findings) -> bool:
    return all(finding.verdict < Verdict.UNKNOWN for finding in findings)


@pytest.mark.parametrize(("model", "nodes"), [("Ling-lite", 1), ("Ling-plus", 2), ("Ling-plus", 4)])
def test_it_accepts_what_is_rendered(place, model, nodes):
    cluster = make_cluster(model, nodes=nodes)
    document = config_document(cluster, cluster.primary, V3, str(place / "weights"))
    table = table_of(make_cluster("Ling-plus", nodes=max(nodes, 2)))
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
        relative = file.path.removeprefix(certificates_folder(cluster)).lstrip("/")
        target = place / "home/security/lingctl" / relative
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copy(file.source, target)
        target.chmod(file.mode)
    document = config_document(cluster, cluster.primary, V3, str(place / "weights"))
    ((accepted, said),) = judged(place, [(document, table_of(cluster))])
    assert accepted, said


@pytest.mark.parametrize("seed", range(8))
def test_altered_configs_are_judged_alike(place, seed):
    chance = random.Random(seed)
    table = table_of(make_cluster("Ling-plus", nodes=2))
    documents = [_altered(chance, place) for _ in range(500)]
    for document, (theirs, said) in zip(
        documents, judged(place, [(d, table) for d in documents]), strict=True
    ):
        found = check_config(document, V3)
        assert ours(found) == theirs, f"{json.dumps(document)}\n{said}\n{[f.check for f in found]}"


def test_a_rank_table_that_it_refuses_is_refused(place):
    chance = random.Random(1)
    cluster = make_cluster("Ling-plus", nodes=2)
    document = config_document(cluster, cluster.primary, V3, str(place / "weights"))
    tables = [_altered_table(chance, table_of(cluster)) for _ in range(300)]
    for table, (theirs, said) in zip(tables, judged(place, [(document, t) for t in tables]), strict=True):
        assert theirs or not ours(check_rank_table(table, V3)), f"{json.dumps(table)}\n{said}"


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
