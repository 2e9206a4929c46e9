"""How the models are cut over cards and nodes: what is possible, and what is refused with the numbers."""

from __future__ import annotations

import pytest

from lingctl.engines import engine_of
from lingctl.errors import ConfigurationError
from lingctl.inventory.models.catalogue import LITE, PLUS
from lingctl.vllm.launch.parallel import Cut, cut_of, why_uneven
from lingctl.vllm.profile import vllm_profile_for
from tests.unit.vllm.samples import LITE_CONFIG, PLUS_CONFIG, start_line, vllm_cluster

OLD, NEW = vllm_profile_for("0.11.0"), vllm_profile_for("0.23.0")


@pytest.mark.parametrize(
    ("shape", "cut", "profile", "word"),
    [
        (LITE, Cut(1), NEW, ""),
        (LITE, Cut(8), NEW, ""),
        (LITE, Cut(16), NEW, ""),
        (LITE, Cut(6), NEW, "16 attention heads"),
        (LITE, Cut(8), OLD, "does not repeat them"),
        (LITE, Cut(4), OLD, ""),
        (PLUS, Cut(8), OLD, ""),
        (PLUS, Cut(16), NEW, "56 attention heads"),
        (PLUS, Cut(14), NEW, "KV heads and tensor-parallel size 14"),
        (PLUS, Cut(8, pipeline=2), NEW, ""),
        (PLUS, Cut(8, data=2), NEW, ""),
        (LITE, Cut(1, pipeline=29), NEW, "28 layers"),
    ],
)
def test_heads_kv_heads_widths_and_layers_decide(shape, cut, profile, word):
    why = why_uneven(shape, cut, profile)
    assert word in why if word else why == ""


@pytest.mark.parametrize(
    ("model", "nodes", "cards", "parallel", "cut"),
    [
        ("Ling-lite", 1, 8, None, Cut(8)),
        ("Ling-lite", 2, 8, None, Cut(8, pipeline=2)),
        ("Ling-lite", 2, 8, "tensor", Cut(16)),
        ("Ling-lite", 2, 8, "data", Cut(8, data=2)),
        ("Ling-lite", 3, 8, "pipeline", Cut(8, pipeline=3)),
        ("Ling-plus", 1, 16, None, Cut(16)),
        ("Ling-plus", 1, 16, "pipeline", Cut(8, pipeline=2)),
        ("Ling-plus", 1, 16, "data", Cut(8, data=2)),
        ("Ling-plus", 2, 16, None, Cut(8, pipeline=4)),
        ("Ling-lite", 1, 6, "pipeline", Cut(2, pipeline=3)),
    ],
)
def test_the_cut_follows_from_nodes_devices_and_the_choice(model, nodes, cards, parallel, cut):
    listed = [{"address": f"10.0.0.{n}", "devices": list(range(cards))} for n in range(1, nodes + 1)]
    engine = {"name": "vllm", **({"parallel": parallel} if parallel else {})}
    cluster = vllm_cluster(model, engine=engine, node_list=listed)
    assert cut_of(cluster, NEW) == cut


def test_sixteen_cards_of_one_machine_hold_the_large_model_in_two_groups():
    sixteen = [{"address": "10.0.0.1", "devices": list(range(16))}]
    with pytest.raises(ConfigurationError) as told:
        start_line(vllm_cluster("Ling-plus", engine={"name": "vllm", "hardware": "a3"}, node_list=sixteen))
    assert "parallel: pipeline (TP 8, PP 2)" in told.value.remedy
    for way, words in (
        ("pipeline", "--tensor-parallel-size 8 --pipeline-parallel-size 2"),
        ("data", "--tensor-parallel-size 8 --enable-expert-parallel --data-parallel-size 2"),
    ):
        engine = {"name": "vllm", "hardware": "a3", "parallel": way}
        assert start_line(vllm_cluster("Ling-plus", engine=engine, node_list=sixteen)).endswith(words)


def test_experts_over_all_cards_are_started_with_one_copy_on_each_node():
    cluster = vllm_cluster("Ling-plus", 2, {"name": "vllm", "parallel": "data"})
    first, second = start_line(cluster), start_line(cluster, 1)
    shared = (
        "--tensor-parallel-size 8 --enable-expert-parallel --data-parallel-size 2 "
        "--data-parallel-size-local 1 --data-parallel-address 10.0.0.1 --data-parallel-rpc-port 1120"
    )
    assert first.endswith(shared)
    assert second.endswith(f"{shared} --headless --data-parallel-start-rank 1")


def test_a_site_s_ray_is_used_and_nothing_is_started_beside_it():
    engine = {"name": "vllm", "distributed": "ray", "ray_address": "10.0.0.9:6380"}
    cluster = vllm_cluster("Ling-plus", 2, engine)
    assert start_line(cluster).endswith("--pipeline-parallel-size 2 --distributed-executor-backend ray")
    assert start_line(cluster, 1) == "sleep infinity"
    told = engine_of(cluster).environment(cluster, cluster.primary).variables
    assert told["RAY_ADDRESS"] == "10.0.0.9:6380"
    assert "neither starts nor stops" in " ".join(engine_of(cluster).remarks(cluster))


@pytest.mark.parametrize(
    ("model", "nodes", "engine", "code", "word"),
    [
        ("Ling-plus", 2, {"name": "vllm", "parallel": "tensor"}, "vllm-uneven", "parallel: pipeline"),
        ("Ling-plus", 2, {"name": "vllm", "version": "0.11.0"}, "vllm-several-nodes", "distributed: ray"),
        ("Ling-lite", 1, {"name": "vllm", "version": "0.11.0"}, "vllm-uneven", "use 1, 2, 4 cards"),
        ("Ling-lite", 1, {"name": "vllm", "distributed": "ray"}, "vllm-several-nodes", "leave it out"),
        ("Ling-lite", 2, {"name": "vllm", "version": "0.32.0"}, "vllm-several-nodes", "parallel: tensor"),
        (
            "Ling-lite",
            2,
            {"name": "vllm", "version": "0.32.0", "parallel": "data"},
            "vllm-several-nodes",
            "parallel: tensor",
        ),
        (
            "Ling-plus",
            2,
            {"name": "vllm", "parallel": "data", "distributed": "ray"},
            "vllm-several-nodes",
            "parallel: pipeline",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_says_what_can(model, nodes, engine, code, word):
    with pytest.raises(ConfigurationError) as told:
        start_line(vllm_cluster(model, nodes, engine))
    assert told.value.code == code and word in told.value.remedy


def test_the_downloaded_config_counts_before_the_catalogue():
    six_heads = LITE_CONFIG | {"num_attention_heads": 12, "num_key_value_heads": 4}
    with pytest.raises(ConfigurationError, match="12 attention heads do not divide"):
        start_line(vllm_cluster(), config=six_heads)
    assert "--max-model-len 32768" in start_line(
        vllm_cluster(), config=LITE_CONFIG | {"max_position_embeddings": 32768}
    )
    assert "--tensor-parallel-size 8" in start_line(vllm_cluster("Ling-plus", 2), config=PLUS_CONFIG)


def test_reports_against_a_way_are_told_in_the_plan():
    def said(**engine: object) -> str:
        cluster = vllm_cluster("Ling-plus", 2, {"name": "vllm", **engine})
        return " ".join(engine_of(cluster).remarks(cluster))

    assert "16608" in said() and "parallel: data" in said()
    assert "10910" in said(parallel="data") and "16608" not in said(parallel="data")


def test_a_node_says_its_interface_by_its_address_and_which_cards():
    cluster = vllm_cluster("Ling-lite", 2)
    start = engine_of(cluster).start(cluster, cluster.nodes[1], "/root/models/Ling_lite", None)
    assert start.interface is not None
    assert start.interface.address == "10.0.0.2"
    assert start.interface.variables == ("HCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME", "TP_SOCKET_IFNAME")
    told = engine_of(cluster).environment(cluster, cluster.nodes[1]).variables
    assert (told["HCCL_IF_IP"], told["VLLM_HOST_IP"]) == ("10.0.0.2", "10.0.0.2")
    one = vllm_cluster(node_list=[{"address": "10.0.0.1", "devices": [4, 5]}])
    assert engine_of(one).start(one, one.primary, "/root/models/x", None).interface is None
    assert engine_of(one).environment(one, one.primary).variables["ASCEND_RT_VISIBLE_DEVICES"] == "0,1"
    privileged = one.model_copy(update={"container": one.container.model_copy(update={"privileged": True})})
    told = engine_of(privileged).environment(privileged, privileged.primary).variables
    assert told["ASCEND_RT_VISIBLE_DEVICES"] == "4,5"
