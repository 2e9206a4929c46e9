"""What deploy sends is what it sent yesterday, byte for byte."""

from __future__ import annotations

import json

import pytest

from lingctl.flows.files.inputs import Known
from lingctl.flows.files.render import rendered
from lingctl.mindie.profile import PROFILES
from lingctl.release.wanted import wanted_release
from tests.golden.make import CONFIGS, MODELS, cluster_of, golden_texts
from tests.golden.recorded import difference, recorded, recorded_files
from tests.unit.mindie.samples import addresses_of

GOLDEN = golden_texts()


@pytest.mark.parametrize("name", GOLDEN)
def test_the_files_are_as_they_were(name):
    changed = difference("recorded", recorded(name), "now", GOLDEN[name])
    assert not changed, f"if it is meant: python -m tests.golden.make\n{changed}"


def test_no_golden_file_is_left_over():
    kept = [f"{path.parent.name}/{path.stem}" for path in recorded_files()]
    assert sorted(kept) == sorted(GOLDEN)


@pytest.mark.parametrize("version", [profile.version for profile in PROFILES])
@pytest.mark.parametrize("model", MODELS)
def test_render_writes_what_deploy_sends(model, version):
    cluster = cluster_of(model, version)
    addresses = addresses_of(cluster)
    weights = "/root/models/elsewhere"
    files = rendered(cluster, "all", Known(weights, addresses, CONFIGS[model]))
    for node in cluster.nodes:
        release = wanted_release(cluster, node, addresses, {}, weights)
        ours = {f.path: (f.content, f.mode) for f in files if f.node == node.name and "/release/" in f.path}
        assert ours == {f.path: (f.content, f.mode) for f in release.files}


def test_nodes_differ_only_where_they_must():
    text = GOLDEN["3.0.0/Ling-plus"]
    first, second = (text[text.index(f"==> {node}") :] for node in ("node1", "node2"))
    config = "release/config.json (0640) <==\n"
    one, two = (json.JSONDecoder().raw_decode(part.split(config, 1)[1])[0] for part in (first, second))
    assert one == two
