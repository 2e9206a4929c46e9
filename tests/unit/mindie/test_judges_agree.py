"""Two judges that share no code: our rules, and the emulated server's own reading of config.json.

Random configurations are rendered, then altered. Where the two differ, the reason stands in ``NOT_READ``.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lingctl.errors import ConfigurationError
from lingctl.findings import Verdict
from lingctl.mindie.files.config import config_document, render_config
from lingctl.mindie.files.rank_table import prove, rank_table
from lingctl.mindie.profile import profile_for
from lingctl.mindie.rules.check import check_config
from lingctl.mindie.rules.fields import FIELDS
from lingctl.mindie.rules.rank_table import check_rank_table
from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.settings import fields
from lingctl.sandbox.engine.settings.rank_table import check_values, read_rank_table
from lingctl.sandbox.engine.settings.sections import Refused
from lingctl.sandbox.engine.settings.server_config import read_config
from lingctl.sandbox.engine.settings.value_rules import values_fit
from tests.unit.mindie.samples import addresses_of, make_cluster, part, table_of

# The same examples in every run: a new one is a find for whoever looks for it, not a surprise in CI.
QUICK = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
# What our rules know and the emulated server does not read: each is a rule of the public code of 3.0.0, or a
# limit in the documents of 1.0.0, and was seen there.
NOT_READ = {
    "config-tensor-parallel": "what starts the workers refuses it",
    "config-parallel": "what starts the workers refuses it",
    "config-weight-path": "the emulated server resolves the path first",
    "config-ipv4": "the emulated 1.0.0 listens on IPv6 too",
    "config-maxBatchSize": "1.0.0's documents say 5000; its emulation keeps the limit of 3.0.0",
}
# Fields that the emulated server judges in another way than the public code, whose checker was run on them;
# httpsEnabled and the containers of other fields would need more than a value.
LEFT_OUT = {
    "modelWeightPath": "a path that exists is needed",
    "httpsEnabled": "files that exist are needed",
    "ModelConfig": "a section",
    "ModelDeployConfig": "a section",
    "ScheduleConfig": "a section",
    "layerwiseDisaggregated": "a switch in one section, a section in two; cases by hand instead",
}
SECTIONS = {
    "ServerConfig": fields.SERVER,
    "BackendConfig": fields.BACKEND,
    "ModelDeployConfig": fields.DEPLOY,
    "ModelConfig": fields.MODEL,
    "ScheduleConfig": fields.SCHEDULE,
}
# Fields whose type the server does not look at before it uses them.
UNTYPED = {
    "ServerConfig": ("interCommPort", "interCommTlsCert", "interCommTlsCaFiles", "HealthCheckConfig"),
    "ModelConfig": ("dp", "sp", "cp", "plugin_params"),
    "ScheduleConfig": (
        "prefillChunkSize",
        "maxNumPartialPrefills",
        "maxLongPartialPrefills",
        "longPrefillTokenThreshold",
    ),
}
KNOWN = {n: {(f.section, f.name) for f in FIELDS if n in f.generations} for n in (1, 3)}
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        [-2, -1, 0, 1, 2, 8, 128, 129, 200, 201, 499, 500, 1000, 1001, 1023, 1024, 1120, 4096, 4097]
    ),
    st.sampled_from([5001, 65535, 65536, 819200, 819201, 1000001, 3600001, 4194304, 4194305, 2**31, 2**32]),
    st.sampled_from(
        ["", "Standard", "Mix", "dmi", "atb", "0.0.0.0", "10.0.0.300", "::1", "a_b", "A b", "x" * 257]
    ),
    st.floats(0, 5),
    st.sampled_from([[], [[0, 1]], [[0] * 8], [["0"]], [[-1]], [list(range(8)), list(range(8))]]),
)


@st.composite
def clusters(draw, mindie=None):
    nodes = draw(st.integers(1, 4))
    cards = draw(st.sampled_from([1, 2, 4, 8]))
    first = draw(st.integers(0, 8 - cards))
    listed = [
        {"address": f"10.0.0.{n}", "devices": list(range(first, first + cards))} for n in range(1, nodes + 1)
    ]
    ports = draw(st.lists(st.integers(1024, 65535), min_size=4, max_size=4))
    names = ("port", "management_port", "metrics_port", "inter_node_port")
    serving = dict(zip(names, ports, strict=True))
    for name, most in (("max_seq_len", 16384), ("max_input_tokens", 16384), ("max_output_tokens", 16384)):
        if draw(st.booleans()):
            serving[name] = draw(st.integers(1, most))
    if draw(st.booleans()):
        serving["max_batch_size"] = draw(st.integers(1, 5000))
    if draw(st.booleans()):
        serving["max_prefill_tokens"] = draw(st.integers(1, 4194304))
    version = mindie or draw(st.sampled_from(["1.0.0", "2.0.RC1", "2.1.RC2", "2.2.RC1", "2.3.0", "3.0.0"]))
    model = draw(st.sampled_from(["Ling-lite", "Ling-lite-1.5", "Ling-plus", "Ling-plus-base"]))
    try:
        return make_cluster(model, version, node_list=listed, serving=serving)
    except ValidationError:
        reject()  # what hosts.yaml may not say at all is rendered by nobody


@QUICK
@given(clusters())
def test_what_is_rendered_passes_our_own_rules_or_is_refused_with_a_remedy(cluster):
    profile = profile_for(cluster.mindie)
    try:
        text = render_config(cluster, cluster.primary, profile, cluster.downloaded_weights)
    except ConfigurationError as error:
        assert error.remedy
        return
    assert all(f.verdict < Verdict.UNKNOWN for f in check_config(json.loads(text), profile, cluster))
    if cluster.multi_node:
        table = rank_table(cluster, addresses_of(cluster))
        assert [f.verdict for f in check_rank_table(json.loads(table), profile)] == [Verdict.PASS]
        assert [f.verdict for f in prove(table, cluster, addresses_of(cluster))] == [Verdict.PASS]


@pytest.mark.parametrize("version", ["1.0.0", "3.0.0"])
@QUICK
@given(st.data())
def test_what_is_rendered_is_judged_alike(version, data):
    cluster = data.draw(clusters(version))
    document = config_document(cluster, cluster.primary, profile_for(version), "/weights")
    _agree(document, version)


@pytest.mark.parametrize("version", ["1.0.0", "3.0.0"])
@settings(QUICK, max_examples=200)
@given(st.data())
def test_what_is_altered_is_judged_alike(version, data):
    cluster = data.draw(
        st.sampled_from([make_cluster(mindie=version), make_cluster("Ling-plus", version, 2)])
    )
    document = config_document(cluster, cluster.primary, profile_for(version), "/weights")
    for _ in range(data.draw(st.integers(1, 2))):
        section = data.draw(st.sampled_from(sorted(SECTIONS)))
        field = data.draw(st.sampled_from([*(f.name for f in SECTIONS[section]), *UNTYPED.get(section, ())]))
        # 1.0.0 has fewer fields than its emulation, which looks at those of 3.0.0.
        known = (section, field) in KNOWN[profile_for(version).generation]
        if not (known or (version == "3.0.0" and field in UNTYPED.get(section, ()))) or field in LEFT_OUT:
            continue
        if data.draw(st.booleans()):
            part(document, section).pop(field, None)
        else:
            part(document, section)[field] = data.draw(VALUES)
    _agree(document, version)


TABLE_VALUES = st.sampled_from(
    [None, 0, "0", "1", "15", "16", "63", "64", "512", "10.0.0.1", "0.0.0.0", "x", ""]
)


@settings(QUICK, max_examples=150)
@given(st.data())
def test_a_rank_table_that_the_server_refuses_is_refused_by_us(data):
    """The other way round ours is stricter: HCCL and atb_llm look at what the server does not."""
    cluster = make_cluster("Ling-plus", nodes=2)
    table = table_of(cluster)
    server = data.draw(st.sampled_from(table["server_list"]))
    device = data.draw(st.sampled_from(server["device"]))
    holder = data.draw(st.sampled_from([table, server, device]))
    key = data.draw(st.sampled_from(sorted(set(holder) - {"server_list", "device"})))
    if data.draw(st.booleans()):
        holder[key] = data.draw(TABLE_VALUES)
    else:
        server["device"].remove(device)
    ours = all(f.verdict < Verdict.UNKNOWN for f in check_rank_table(table, profile_for("3.0.0")))
    theirs, said = _server_takes_table(table)
    assert theirs or not ours, said


def _agree(document, version):
    found = check_config(document, profile_for(version))
    refusing = {f.check for f in found if f.verdict >= Verdict.FAILURE}
    theirs, said = _server_takes(document, version)
    if theirs:
        assert refusing <= set(NOT_READ), f"the server accepts it; ours: {refusing}"
    elif version == "3.0.0":
        assert refusing, f"ours accepts it; the server: {said}"
    else:
        # What nobody outside has read of 1.0.0 is a warning of ours, and the emulation's inference.
        assert any(f.verdict >= Verdict.WARNING for f in found), said


def _server_takes(document, version):
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()) as said:
        home = Path(name)
        weights = home / "weights"
        weights.mkdir(mode=0o750)
        (weights / "config.json").write_text("{}")
        (weights / "config.json").chmod(0o640)
        config = home / "config.json"
        text = json.dumps(document).replace('"/weights"', json.dumps(str(weights)))
        config.write_text(text)
        config.chmod(0o640)
        console = Console(version, home)
        with contextlib.redirect_stderr(io.StringIO()):
            try:
                raw = read_config(config, version, console)
                # With several nodes the rank table's cards take the place of the config's.
                cards = range(8) if raw.multi_node else raw.backend["npuDeviceIds"][0]
                world = 8 if raw.multi_node else raw.model["worldSize"]
                fit = values_fit(raw, version, console, home, devices=cards, world=world)
            except Refused:
                fit = False
    return fit, said.getvalue()


def _server_takes_table(table):
    with (
        tempfile.TemporaryDirectory() as name,
        contextlib.redirect_stdout(io.StringIO()) as said,
        pytest.MonkeyPatch.context() as patch,
    ):
        path = Path(name) / "rank_table.json"
        path.write_text(json.dumps(table))
        path.chmod(0o640)
        patch.setenv("RANK_TABLE_FILE", str(path))
        patch.setenv("MIES_CONTAINER_IP", "10.0.0.1")
        console = Console("3.0.0", Path(name))
        try:
            accepted = check_values(read_rank_table("3.0.0", console), console)
        except Refused:
            accepted = False
    return accepted, said.getvalue()
