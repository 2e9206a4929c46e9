"""Versions of MindIE as people run them: their order, whose rules each takes, and what a tag says."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from lingctl.engine.versions import read_version
from lingctl.engines import engine_of
from lingctl.errors import ConfigurationError
from lingctl.flows.network.check import judged, scope_of
from lingctl.inventory.cluster import Cluster
from lingctl.mindie.profile import PROFILES, profile_for
from lingctl.mindie.versions import version_of_image
from tests.unit.mindie.samples import make_cluster
from tests.unit.vllm.samples import vllm_cluster

# As they were published; each line's source is in lingctl/engine/versions.py.
PUBLISHED = (
    "1.0.RC1",
    "1.0.RC2",
    "1.0.RC3",
    "1.0.0",
    "2.0.POC1",
    "2.0.T3",
    "2.0.T3.1",
    "2.0.T6",
    "2.0.T9",
    "2.0.T9.B020",
    "2.0.T10.B060",
    "2.0.T17.B010",
    "2.0.T18.B010",
    "2.0.RC1",
    "2.0.RC1.B091",
    "2.0.RC1.SPC1",
    "2.0.RC2",
    "2.0",
    "2.0.0.SPC2",
    "2.0.1",
    "2.1.T4",
    "2.1.RC1",
    "2.1.RC2",
    "2.2.T10",
    "2.2.T30",
    "2.2.RC1",
    "2.3.0",
    "2.3.1.B020",
    "3.0.0.dev202603270000",
    "3.0.0.beta.1",
    "3.0.0b2",
    "3.0.0.beta.3",
    "3.0.RC1",
    "3.0.0",
    "3.0.0.post1",
    "3.0.0.1",
    "3.1.0",
    "3.2.0.dev202609040106",
    "3.2.0",
    "3.10.0",
    "10.0.0",
)


def test_versions_are_ordered_as_they_were_published() -> None:
    places = [read_version(text) for text in PUBLISHED]
    assert None not in places
    assert all(one < other for one, other in itertools.pairwise(places))


@pytest.mark.parametrize(
    "same",
    [
        ("2.0.RC1", "2.0.rc1", "v2.0.RC1", "2.0.0rc1", "2.0.0.RC.1"),
        ("3.0.0", "3.0", "v3.0.0"),
        ("3.0.0b2", "3.0.0.beta.2", "3.0b2"),
        ("2.3.1.B020", "2.3.1.b020"),
    ],
)
def test_spellings_of_one_version_are_one_version(same: tuple[str, ...]) -> None:
    assert len({replace(found, text="") for text in same if (found := read_version(text))}) == 1
    assert all(read_version(text) for text in same)


@pytest.mark.parametrize(
    "text",
    [
        *("", "2", "latest", "2.0.FOO1", "2..0", "2.0.", ".2.0", "2.0.RC1RC2", "2.0.RC1.x", "2.0 RC1"),
        *("2.0-RC1", "2.0.RC1\n", "２.0", "1" * 5000, "2.0.RC" + "1" * 5000, "2." * 5000),
    ],
)
def test_what_is_no_version_is_none(text: str) -> None:
    assert read_version(text) is None
    with pytest.raises(ConfigurationError) as caught:
        profile_for(text)
    assert (caught.value.code, "known: 1.0.0" in caught.value.remedy) == ("unknown-mindie", True)


def test_profiles_stand_in_the_order_of_their_versions() -> None:
    assert list(PROFILES) == sorted(PROFILES, key=lambda profile: profile.place)
    assert all(profile_for(profile.version) is profile for profile in PROFILES)


@pytest.mark.parametrize(
    ("version", "basis"),
    [
        ("1.0.1", "1.0.0"),
        ("2.0.T3.1", "2.0.T3"),
        ("2.0.T18.B010", "2.0.T3"),
        ("2.0.RC1.B091", "2.0.RC1"),
        ("2.0.RC2", "2.0.RC1"),
        ("2.0", "2.0.RC1"),
        ("2.1.RC1", "2.0.RC1"),
        ("2.1.RC3", "2.1.RC2"),
        ("2.2.T30", "2.1.RC2"),
        ("2.3.1.B020", "2.3.0"),
        ("2.9.0", "2.3.0"),
        ("3.0.0.post1", "3.0.0"),
        ("3.1.RC1", "3.0.0"),
        ("3.2.0.dev202609040106", "3.1.0"),
    ],
)
def test_a_version_without_rules_takes_the_nearest_earlier_ones_of_its_line(version: str, basis: str) -> None:
    taken, known = profile_for(version), profile_for(basis)
    assert (taken.version, taken.taken_from) == (version, basis)
    assert "nothing of its own" in taken.checked_against
    assert version in taken.image
    own = {"version", "taken_from", "checked_against", "image"}
    assert {name: getattr(taken, name) for name in taken.__slots__ if name not in own} == {
        name: getattr(known, name) for name in known.__slots__ if name not in own
    }


@pytest.mark.parametrize(
    ("version", "code", "words"),
    [
        ("1.0.RC3", "mindie-too-old", ['mindie: "1.0.0"']),
        ("0.9", "mindie-too-old", ['mindie: "1.0.0"']),
        ("2.0.POC1", "unknown-mindie", ['mindie: "1.0.0"', 'mindie: "2.0.T3"']),
        ("3.0.RC1", "unknown-mindie", ['mindie: "2.3.0"', 'mindie: "3.0.0"', "container.image"]),
        ("3.0.0b2", "unknown-mindie", ['mindie: "2.3.0"', 'mindie: "3.0.0"']),
        ("4.0.0", "unknown-mindie", ['mindie: "3.1.0"']),
    ],
)
def test_no_version_takes_rules_across_a_change_of_rules(version: str, code: str, words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        profile_for(version)
    assert caught.value.code == code
    assert all(word in caught.value.remedy for word in words)
    assert "did you mean" not in caught.value.remedy


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("registry.example/hub/mindie:2.0.T3-20250212-800I-A2-py311-openeuler24.03-lts", "2.0.T3"),
        ("mindie:2.0.T10.B060-800I-A2-py3.11-openeuler24.03-lts-aarch64", "2.0.T10.B060"),
        ("registry.example:5000/mindie:dev-2.0.RC1.B091-800I-A2-py311-ubuntu22.04", "2.0.RC1.B091"),
        ("gpustack/runner:cann8.2-910b-mindie2.1.rc2", "2.1.rc2"),
        ("quay.io/ascend/mindie:3.1.0-cann9.1.0-torch_npu2.9.0.post6-950-py3.11", "3.1.0"),
        ("mindie-llm:3.0.0-800I-A2-py3.11-ubuntu24.04-x86_64", "3.0.0"),
        ("mindie:2.2.RC1@sha256:" + "0" * 64, "2.2.RC1"),
        ("mindie:3.0.0b2-300I-Duo-py311-openeuler24.03-lts", "3.0.0b2"),
        ("registry.example:5000/mindie", None),
        ("mindie@sha256:" + "0" * 64, None),
        ("mindie:latest", None),
        ("quay.io/ascend/vllm-ascend:v0.14.0rc1", None),
        ("ling:2.0", None),
        ("", None),
    ],
)
def test_a_version_is_read_from_a_tag_that_says_one(image: str, version: str | None) -> None:
    found = version_of_image(image)
    assert (found.text if found else None) == version


def _remarks(version: str, image: str | None = None) -> tuple[str, ...]:
    cluster = _cluster(version, image)
    return engine_of(cluster).remarks(cluster)


def _cluster(version: str, image: str | None = None) -> Cluster:
    container = {"container": {"image": image}} if image else {}
    return make_cluster(mindie=version, **container)


@pytest.mark.parametrize(
    ("version", "image", "words"),
    [
        ("2.0.RC2", None, [("2.0.RC2 has no rules", "2.0.RC1, are used", "container.image")]),
        ("3.1.0", None, [("checked against the release notes", "as in 3.0.0")]),
        ("2.0.RC1", "mindie:2.0.RC1-800I-A2", []),
        ("2.0.RC1", "mindie:2.0.RC1.B091-800I-A2", []),
        ("2.0.RC1", "mindie:2.1.RC2-800I-A2", [("says MindIE 2.1.RC2", "rules of 2.0.RC1 are used")]),
        ("2.0.RC1", "my/own:tag", []),
        ("2.0", "mindie:2.0.RC2", [("2.0 has no rules", "container.image's"), ("says MindIE 2.0.RC2",)]),
        ("1.0.0", None, []),
    ],
)
def test_what_is_taken_over_and_what_an_image_says_is_told(
    version: str, image: str | None, words: list[tuple[str, ...]]
) -> None:
    told = _remarks(version, image)
    assert len(told) == len(words)
    for remark, wanted in zip(told, words, strict=True):
        assert all(word in remark for word in wanted), remark


def test_what_is_taken_over_is_a_note_of_the_checks() -> None:
    findings = judged(scope_of(_cluster("2.0.RC2")), {}).findings
    assert [(f.check, f.verdict.word) for f in findings] == [("engine-version", "note")]
    assert not judged(scope_of(_cluster("1.0.0")), {}).findings


def test_a_large_value_is_shown_to_its_last_digit() -> None:
    cluster = make_cluster(serving={"max_input_tokens": 1234567})
    shown = {one.name: one.value for one in engine_of(cluster).shown(cluster, {})}
    assert shown["serving.max_input_tokens"] == "1234567"


def test_an_image_of_both_engines_by_its_name_is_neither_s_alone() -> None:
    cluster = make_cluster(container={"image": "registry.example/vllm-mindie:latest"})
    assert not engine_of(cluster).remarks(cluster)


@pytest.mark.parametrize("cluster_with", [make_cluster, vllm_cluster])
def test_what_lies_between_nodes_is_told_of_where_there_are_several(
    cluster_with: Callable[..., Cluster],
) -> None:
    one, two = (cluster_with(nodes=nodes) for nodes in (1, 2))
    assert [what for what, _ in engine_of(one).encryption(one).words] == ["HTTPS"]
    assert [what for what, _ in engine_of(two).encryption(two).words] == ["HTTPS", "TLS between nodes"]


def test_a_shown_value_says_what_set_it() -> None:
    cluster = make_cluster(serving={"port": 2000}, container={"image": "registry.example/mindie:3.0.0"})
    sources = {one.name: one.source for one in engine_of(cluster).shown(cluster, {"mindie": "--mindie"})}
    assert (sources["mindie"], sources["serving.port"]) == ("--mindie", "hosts.yaml")
    assert (sources["container.image"], sources["container.privileged"]) == ("hosts.yaml", "default")


def test_what_is_taken_over_is_among_the_shown_values() -> None:
    cluster = _cluster("2.0.RC2")
    shown = {one.name: one.value for one in engine_of(cluster).shown(cluster, {})}
    assert (shown["mindie"], shown["rules of"]) == ("2.0.RC2", "2.0.RC1")
    cluster = _cluster("2.0.RC1")
    assert "rules of" not in {one.name for one in engine_of(cluster).shown(cluster, {})}
