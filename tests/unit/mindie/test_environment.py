"""The daemon's environment, as a shell sees it after environment.sh."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lingctl.mindie.environment import variables
from lingctl.mindie.profile import profile_for
from tests.unit.mindie.samples import VERSIONS, make_cluster, render_environment

NAMES = ("RANKTABLEFILE", "RANK_TABLE_FILE", "MIES_RANKTABLEFILE")


def sourced(tmp_path: Path, cluster, **before: str) -> dict[str, str]:
    """What is exported once the file was sourced by bash, with vendors' scripts that do nothing."""
    profile = profile_for(cluster.mindie)
    text = render_environment(cluster, cluster.primary, profile)
    for number, script in enumerate(profile.set_env):
        own = tmp_path / f"set_env{number}.sh"
        own.write_text("export VENDOR=1\n")
        text = text.replace(f". {script}", f". {own}")
    (tmp_path / "environment.sh").write_text(text)
    done = subprocess.run(
        ["bash", "-c", ". ./environment.sh && env -0"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", **before},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    return dict(pair.split("=", 1) for pair in done.stdout.split("\0") if pair)


def test_3_0_0_gets_its_model_library_before_what_was_there(tmp_path):
    """MindIE-LLM v3.0.0's guide for several nodes exports both; no script of the package does."""
    seen = sourced(tmp_path, make_cluster(mindie="3.0.0"), LD_LIBRARY_PATH="/driver/lib64")
    own = "/usr/local/lib/python3.11/site-packages/atb_llm"
    assert seen["LD_LIBRARY_PATH"] == f"{own}/lib:/driver/lib64"
    assert seen["ATB_SPEED_HOME_PATH"] == own


@pytest.mark.parametrize("version", ["1.0.0", "2.3.0"])
def test_before_it_the_vendors_scripts_set_the_libraries(tmp_path, version):
    seen = sourced(tmp_path, make_cluster(mindie=version), LD_LIBRARY_PATH="/driver/lib64")
    assert seen["LD_LIBRARY_PATH"] == "/driver/lib64"
    assert "ATB_SPEED_HOME_PATH" not in seen


@pytest.mark.parametrize("version", VERSIONS)
def test_several_nodes_are_told_of_the_rank_table_by_every_name(tmp_path, version):
    seen = sourced(tmp_path, make_cluster("Ling-plus", version, 2))
    assert {seen[name] for name in NAMES} == {"/var/lib/lingctl/demo/release/rank_table.json"}
    assert seen["WORLD_SIZE"] == "16"
    assert seen["ATB_LLM_HCCL_ENABLE"] == "1"
    # HCCL takes 120 to 7200 seconds.
    assert seen["HCCL_CONNECT_TIMEOUT"] == "7200"
    assert seen["NPU_MEMORY_FRACTION"] == "0.95"


@pytest.mark.parametrize("version", VERSIONS)
def test_one_node_is_told_of_none_and_what_was_left_over_is_cleared(tmp_path, version):
    left = dict.fromkeys((*NAMES, "WORLD_SIZE", "HOST_IP", "http_proxy", "NPU_DEVICE_IDS"), "x")
    seen = sourced(tmp_path, make_cluster(mindie=version), **left)
    assert not set(left) & set(seen)
    assert seen["OMP_NUM_THREADS"] == "1"
    assert seen["MIES_CONTAINER_IP"] == "10.0.0.1"


@pytest.mark.parametrize(
    ("devices", "privileged", "nodes", "visible"),
    [
        ([4, 5, 6, 7], True, 1, "4,5,6,7"),
        ([4, 5, 6, 7], False, 1, None),
        ([0, 1, 2, 3], True, 1, None),
        ([4, 5, 6, 7], True, 2, None),
    ],
)
def test_cards_are_named_only_where_one_node_s_container_sees_more(devices, privileged, nodes, visible):
    listed = [{"address": f"10.0.0.{n}", "devices": devices} for n in range(1, nodes + 1)]
    cluster = make_cluster(node_list=listed, container={"privileged": privileged})
    seen = variables(cluster, cluster.primary, profile_for("3.0.0"))
    assert seen.get("ASCEND_RT_VISIBLE_DEVICES") == visible
