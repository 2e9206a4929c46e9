"""How a model is cut over the cards of one node or several.

Sources: vLLM's config checks (attention heads divide by the tensor-parallel size; KV heads divide it or are
divided by it, the latter from 0.12), vllm-ascend docs pipeline_parallel.md and its multi-node recipes.
"""

from __future__ import annotations

from dataclasses import dataclass

from lingctl.errors import ConfigurationError
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.inventory.models.catalogue import Shape
from lingctl.vllm.profile import VllmProfile


@dataclass(frozen=True, slots=True)
class Cut:
    """The sizes of the three ways to share a model; their product is the number of cards."""

    tensor: int  # every layer is cut over so many cards
    pipeline: int = 1  # so many groups of layers
    data: int = 1  # so many copies of the attention, experts over all

    @property
    def words(self) -> str:
        """As people write it."""
        parts = [f"TP {self.tensor}"]
        if self.pipeline > 1:
            parts.append(f"PP {self.pipeline}")
        if self.data > 1:
            parts.append(f"DP {self.data} with experts over all cards")
        return ", ".join(parts)


def cut_of(cluster: Cluster, profile: VllmProfile, shape: Shape | None = None) -> Cut:
    """The sizes that follow from hosts.yaml; see ``cut_for``.

    Args:
        shape: of the downloaded config.json, if known; else the catalogue's.
    """
    shape = shape or cluster.catalogue_model.shape
    return cut_for(shape, profile, cluster.world_size, len(cluster.primary.devices), cluster.engine)


def cut_for(shape: Shape, profile: VllmProfile, ranks: int, cards: int, choice: EngineChoice) -> Cut:
    """The sizes for so many ranks on nodes of so many ``cards``.

    Layers are cut over all cards of one node, and inside each node where there are several, as far as the
    model lets them: what is left of the cards makes groups of layers, or copies of the attention.
    """
    way = choice.parallel or ("pipeline" if ranks > cards else "tensor")
    if way == "tensor":
        return Cut(ranks)
    inside = min(cards, ranks)
    possible = (n for n in range(inside, 0, -1) if inside % n == 0)
    tensor = next((n for n in possible if not why_uneven(shape, Cut(n), profile)), inside)
    groups = ranks // tensor
    return Cut(tensor, data=groups) if way == "data" else Cut(tensor, pipeline=groups)


def why_uneven(shape: Shape, cut: Cut, profile: VllmProfile) -> str:
    """Why the model cannot be cut so; empty if it can."""
    ranks = cut.tensor
    if shape.heads % ranks:
        return f"{shape.heads} attention heads do not divide by tensor-parallel size {ranks}"
    if not profile.kv_replication and shape.kv_heads % ranks:
        return (
            f"{shape.kv_heads} KV heads do not divide by tensor-parallel size {ranks}, and vLLM "
            f"{profile.version} does not repeat them (0.12 and later do)"
        )
    if shape.kv_heads % ranks and ranks % shape.kv_heads:
        return f"{shape.kv_heads} KV heads and tensor-parallel size {ranks} do not divide each other"
    if shape.moe_intermediate % ranks:
        return f"an expert's width, {shape.moe_intermediate}, does not divide by tensor-parallel size {ranks}"
    if cut.pipeline > shape.layers:
        return f"{shape.layers} layers cannot be put on {cut.pipeline} nodes"
    return ""


def need_cut(cluster: Cluster, shape: Shape, profile: VllmProfile) -> Cut:
    """The sizes, if the model can be cut so, by this version.

    Raises:
        ConfigurationError: it cannot; says which numbers of cards can.
    """
    cut = cut_of(cluster, profile, shape)
    _need_way(cut, cluster.engine, len(cluster.nodes), profile)
    why = why_uneven(shape, cut, profile)
    if not why:
        return cut
    most = len(cluster.primary.devices)
    possible = [n for n in range(1, most + 1) if not why_uneven(shape, Cut(n), profile)]
    in_groups = cluster.engine.model_copy(update={"parallel": "pipeline"})
    grouped = cut_of(cluster.served_by(in_groups), profile, shape)
    other = "" if why_uneven(shape, grouped, profile) else f"; or parallel: pipeline ({grouped.words})"
    raise ConfigurationError(
        f"{cluster.model} cannot be cut into {cut.words}: {why}",
        where="nodes, devices and engine.parallel in hosts.yaml",
        remedy=f"use {', '.join(map(str, possible))} cards of each node{other}",
        code="vllm-uneven",
    )


def _need_way(cut: Cut, choice: EngineChoice, nodes: int, profile: VllmProfile) -> None:
    """Refuse a way over cards and nodes that this version does not go."""

    def refusal(what: str, where: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(
            what, where=f"engine.{where} in hosts.yaml", remedy=remedy, code="vllm-several-nodes"
        )

    if nodes == 1 and choice.distributed == "ray":
        raise refusal("Ray joins several nodes, and there is one", "distributed", "leave it out")
    if cut.pipeline > 1 and not profile.ascend:
        raise refusal(
            f"vLLM {profile.version} for processors fails with pipelines at the first request (it was tried)",
            "parallel",
            "take parallel: tensor",
        )
    if cut.data > 1 and not profile.ascend:
        raise refusal(
            f"vLLM {profile.version} for processors cannot deal experts out over several (all_gatherv is not "
            "there; it was tried)",
            "parallel",
            "take parallel: tensor",
        )
    if cut.data > 1 and choice.distributed == "ray":
        raise refusal(
            "experts over all cards (parallel: data) are started by vLLM itself, and not through Ray",
            "distributed",
            "leave distributed out, or take parallel: pipeline",
        )
    if cut.data > 1 and not profile.nodes:
        raise refusal(
            f"vLLM {profile.version} adds up the experts of Ling wrongly where they are spread (vLLM 28277)",
            "parallel",
            "take 0.13.0 or later, or parallel: pipeline",
        )
    if nodes > 1 and choice.distributed == "mp" and not profile.nodes:
        raise refusal(
            f"vLLM {profile.version} cannot start a part of several nodes by itself: --nnodes came with 0.12",
            "version",
            "take 0.13.0 or later, or distributed: ray where Ray runs on the nodes already",
        )
