"""Versions of vLLM: known rows, rules of the nearest earlier one, what is too old, drivers and images."""

from __future__ import annotations

import json

import pytest

from lingctl.cli.weights.engines import engines
from lingctl.engines import engine_of, engine_rows
from lingctl.errors import ConfigurationError, UsageError
from lingctl.vllm.profile import VLLM_PROFILES, vllm_profile_for
from lingctl.vllm.versions import version_of_vllm_image
from tests.unit.vllm.samples import vllm_cluster


def test_profiles_are_in_the_order_of_versions_and_each_says_where_it_is_from():
    places = [profile.place for profile in VLLM_PROFILES]
    assert places == sorted(places)
    assert all(profile.source and profile.checked_against for profile in VLLM_PROFILES)
    assert all(bool(profile.driver) == bool(profile.driver_source) for profile in VLLM_PROFILES)


@pytest.mark.parametrize(
    ("version", "rules", "norm_head", "kv_replication", "nodes"),
    [
        ("0.11.0", "", False, False, False),
        ("0.12.0", "0.11.0", False, True, True),
        ("0.13.0", "", False, True, True),
        ("0.17.0rc1", "0.13.0", False, True, True),
        ("0.23.0", "", False, True, True),
        ("0.26.0rc1", "0.25.1rc1", True, True, True),
        ("0.30.0", "0.25.1rc1", True, True, True),
        ("0.32.0", "", True, True, True),
        ("0.40.1", "0.32.0", True, True, True),
    ],
)
def test_a_version_has_its_own_rules_or_those_of_the_nearest_earlier(
    version, rules, norm_head, kv_replication, nodes
):
    found = vllm_profile_for(version)
    assert (found.version, found.taken_from) == (version, rules)
    assert (found.norm_head, found.kv_replication, found.nodes) == (norm_head, kv_replication, nodes)


def test_a_version_for_processors_alone_is_taken_over_for_cards():
    """What is taken over from it is of an image of vllm-ascend, where CANN has to be found."""
    alone, later = vllm_profile_for("0.32.0"), vllm_profile_for("0.40.1")
    assert (alone.ascend, alone.set_env) == (False, ())
    assert later.ascend and later.set_env == vllm_profile_for("0.23.0").set_env != ()


@pytest.mark.parametrize(
    ("version", "code", "word"),
    [
        ("0.9.1", "vllm-too-old", "BailingMoeForCausalLM"),
        ("0.7.3.post1", "vllm-too-old", "BailingMoeForCausalLM"),
        ("0.10.2", "vllm-too-old", "no rules"),
        ("latest.1", "unknown-vllm", "no version"),
        ("1.0.RC1", "unknown-vllm", "no version"),
    ],
)
def test_a_version_that_cannot_serve_is_refused_with_the_reason(version, code, word):
    with pytest.raises(ConfigurationError) as told:
        vllm_profile_for(version)
    assert told.value.code == code and word in told.value.what
    assert "0.23.0" in told.value.remedy


@pytest.mark.parametrize(
    ("engine", "image"),
    [
        ({"name": "vllm"}, "quay.io/ascend/vllm-ascend:v0.23.0"),
        ({"name": "vllm", "system": "openeuler"}, "quay.io/ascend/vllm-ascend:v0.23.0-openeuler"),
        (
            {"name": "vllm", "version": "0.18.0", "hardware": "a3"},
            "quay.io/ascend/vllm-ascend:v0.18.0-a3",
        ),
        (
            {"name": "vllm", "hardware": "a3", "system": "openeuler"},
            "quay.io/ascend/vllm-ascend:v0.23.0-a3-openeuler",
        ),
    ],
)
def test_the_image_is_the_vendor_s_for_these_machines(engine, image):
    assert engine_of(vllm_cluster(engine=engine)).about.image == image


def test_nodes_of_another_kind_than_the_image_s_are_refused():
    with pytest.raises(ConfigurationError) as told:
        engine_of(vllm_cluster()).need_cards({"node1": "A3"})
    assert told.value.code == "vllm-hardware" and "hardware: a3" in told.value.remedy
    engine_of(vllm_cluster()).need_cards({"node1": "A2", "node2": ""})


def remarks(engine: object = "vllm", **more: object) -> str:
    cluster = vllm_cluster(engine=engine, **more)
    return "\n".join(engine_of(cluster).remarks(cluster))


def test_a_plan_says_what_is_not_known_of_the_version():
    assert "never tried on a card" in remarks()
    assert "no source says which driver" in remarks({"name": "vllm", "version": "0.11.0"})
    assert "no source says" not in remarks()
    taken = remarks({"name": "vllm", "version": "0.27.0"})
    assert "0.25.1rc1" in taken and "nothing of 0.27.0 was checked" in taken
    assert "no release 0.32.0" in remarks({"name": "vllm", "version": "0.32.0"})
    other = remarks(container={"image": "mirror.example/vllm-ascend:v0.18.0-a3"})
    assert "says vLLM 0.18.0" in other and "the rules of 0.23.0" in other
    assert "for Atlas A3 by its tag" in other
    assert "by its tag" not in remarks(container={"image": "mirror.example/vllm-ascend:v0.23.0-openeuler"})
    assert "by its tag" not in remarks(container={"image": "mirror.example/mine:1"})
    assert "MindIE's by its name" in remarks(container={"image": "registry.example/mindie:2.1.RC2"})
    assert "vLLM's by its name" in remarks(
        "mindie", container={"image": "quay.io/ascend/vllm-ascend:v0.23.0"}
    )


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("quay.io/ascend/vllm-ascend:v0.23.0", "0.23.0"),
        ("quay.io/ascend/vllm-ascend:v0.25.1rc1-a3-openeuler", "0.25.1rc1"),
        ("registry:5000/vllm-ascend", None),
        ("registry.example/mindie:2.1.RC2", None),
    ],
)
def test_an_image_s_tag_tells_its_version(image, version):
    found = version_of_vllm_image(image)
    assert (found and found.text) == version


def test_every_version_of_both_engines_is_listed_with_what_it_can():
    rows = engine_rows()
    assert {row.name for row in rows} == {"mindie", "vllm"}
    assert [row.version for row in rows if row.usual] == ["1.0.0", "0.23.0"]
    assert all(row.lite and row.plus and row.norm_head and row.verified and row.source for row in rows)
    by_version = {row.version: row for row in rows if row.name == "vllm"}
    assert by_version["0.11.0"].lite.startswith("1, 2, 4 cards")
    assert by_version["0.23.0"].lite.startswith("1, 2, 4, 8 cards")


def test_the_verb_lists_one_engine_or_all_and_knows_no_other(capsys):
    engines("vllm", as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert {row["title"] for row in document["engines"]} == {"vLLM"}
    assert all(row["driver_source"] for row in document["engines"] if row["driver"])
    engines()
    shown = capsys.readouterr().out
    assert "0.23.0 (usual)" in shown and "1.0.0 (usual)" in shown and "never tried on a card" in shown
    with pytest.raises(UsageError, match="no engine"):
        engines("sglang")
