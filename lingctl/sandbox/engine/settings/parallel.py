"""How 3.0.0 cuts a model over cards and nodes: from tp, dp, cp and the rest, as executor and atb_llm do.

Seen on the real 3.0.0: two nodes without ``tp``, with tp 1, and with tp of all cards. The other cases are
read in its source (executor/executor.cpp, executor/communicator.cpp; atb_llm/utils/mapping.py). Whatever the
cut, the emulated arithmetic is that of tensor parallelism over all ranks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_OUT_OF_RANGE = (
    "terminate called after throwing an instance of 'std::out_of_range'",
    "  what():  unordered_map::at",
)
_ABORT, _DIVISION = 6, 8


class Aborted(Exception):
    """The executor ends the daemon.

    Attributes:
        words: what the C++ runtime says on standard error.
        signal: 6 for an abort, 8 for a division by nought, which nobody handles.
    """

    def __init__(self, words: tuple[str, ...] = (), signal: int = _ABORT) -> None:
        super().__init__(*words)
        self.words, self.signal = words, signal


def not_initialised(rank: int = 0) -> Aborted:
    """The abort of an executor that could not be brought up."""
    return Aborted(
        (
            "terminate called after throwing an instance of 'std::runtime_error'",
            f"  what():  ExecutorInstanceInit failed for rank {rank}",
        )
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """The executors of one node."""

    groups: int  # data parallel groups on this node, each with its segments and workers
    group_cards: int  # ``--npu_num_per_dp``: cards of one group, over all nodes
    remote: int = -1  # remoteDPRankIdx, -1 for none
    registers: bool = False  # whether the nodes meet over the registration port at all
    error: str = ""  # the ERROR line of the plan, empty if it is fine


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands."""

    cards: int  # of this node
    nodes: int = 1  # in all
    number: int = 0  # 0 for the master


def sizes_of(model: Mapping[str, object]) -> dict[str, int]:
    """The parallel sizes that an entry of ModelConfig names, as numbers; text counts as its digits."""
    found = {}
    for name in ("tp", "dp", "cp", "sp", "pp", "moe_tp", "moe_ep"):
        value = model.get(name)
        if isinstance(value, bool) or value is None:
            continue
        if isinstance(value, int | float) or (isinstance(value, str) and value.strip().isdecimal()):
            found[name] = int(value)
    return found


def plan_executors(sizes: Mapping[str, int], place: Place) -> Plan:
    """What the first executor of a node makes of the sizes."""
    cards = sizes["tp"] * sizes.get("cp", 1) if "tp" in sizes else place.cards
    groups = -(-place.cards // max(1, cards))
    if place.nodes == 1:
        return Plan(groups, cards)
    if cards > place.cards:
        return Plan(1, cards, 0, registers=True)
    per_node = sizes.get("dp", 1) // place.nodes
    if per_node < 1:
        return Plan(groups, cards, error=f"Invalid DP number per node: {per_node}")
    remote = -1 if place.number == 0 else place.number * per_node
    return Plan(groups, cards, remote, registers=True)


def check_plan(plan: Plan, sizes: Mapping[str, int], place: Place) -> None:
    """The end of a master whose plan is wrong; a follower goes on and waits for ranks that never come.

    Raises:
        Aborted: the master's communicator looks up what is not there, or divides by nought.
    """
    if plan.error and place.number == 0:
        raise Aborted(signal=_DIVISION) if "dp" in sizes else Aborted(_OUT_OF_RANGE)


def mapping_fault(sizes: Mapping[str, int], world: int, nodes: int) -> str:
    """The exception of a worker whose sizes do not make up the world; empty if they do.

    Args:
        world: cards of all nodes.
        nodes: server_count of RANK_TABLE_FILE, 1 where that is not set.
    """
    if world % nodes:
        return (
            "ValueError: World size should be multiple of the number of nodes."
            " Please check `world_size` and `ranktablefile`."
        )
    tp, pp = sizes.get("tp", world), sizes.get("pp", 1)
    dp, cp, sp = sizes.get("dp", 1), sizes.get("cp", 1), sizes.get("sp", 1)
    cannot = "ValueError: The attention module cannot support"
    if cp != 1 and dp != 1:
        return f"{cannot} context parallel and data parallel simultaneously. Please check `cp` and `dp`."
    if pp != 1 and dp != 1:
        return f"{cannot} data parallel and pipeline parallel simultaneously. Please check `dp` and `pp`."
    if pp > 1:
        if tp * pp == world:
            return ""
        return (
            f"ValueError: World size must equal to attention's tp_size * pp_size. pp_size is {pp}. pp's"
            f" tp_size is {tp}. World size is {world}. Please check `tp`, `pp` and `world_size`."
        )
    if tp * cp * dp != world:
        return (
            "ValueError: World size must equal to attention's dp_size * attention's cp_size * attention's"
            f" tp_size. Attention's tp_size is {tp}. Attention's dp_size is {dp}. Attention's cp_size is"
            f" {cp}. World size is {world}. Please check `dp`, `cp`, `tp` and `world_size`."
        )
    local = world // nodes
    if local < tp != world:
        return _too_wide("Attention's", tp, world, local, "tp")
    fault = _experts_fault(sizes, tp, world, local)
    if not fault and sp > 1 and sp != tp:
        return (
            "ValueError: Attention's sp_size must equal to attention's tp_size. Attention's sp_size is"
            f" {sp}. Attention's tp_size is {tp}. Please check `attn_sp` and `attn_tp`."
        )
    return fault


def _experts_fault(sizes: Mapping[str, int], tp: int, world: int, local: int) -> str:
    moe_tp, moe_ep = sizes.get("moe_tp", tp), sizes.get("moe_ep", 1)
    if moe_ep > 1:
        if moe_tp * moe_ep != world:
            return (
                f"ValueError: World size must equal to MoE's ep_size * MoE's tp_size. MoE's tp_size is"
                f" {moe_tp}. MoE's dp_size is {moe_ep}. World size is {world}."
                " Please check `moe_tp`, `moe_ep` and `world_size`."
            )
        return _too_wide("MoE's", moe_tp, world, local, "moe_tp") if local < moe_tp != world else ""
    if moe_tp != world:
        return (
            f"ValueError: World size must equal to MoE's tp_size. MoE's tp_size is {moe_tp}."
            f" World size is {world}. Please check `tp`, `moe_tp` and `world_size`."
        )
    return ""


def _too_wide(whose: str, size: int, world: int, local: int, name: str) -> str:
    return (
        f"ValueError: {whose} tp_size should be no greater than local world size, or equal to world size."
        f" {whose} tp_size is {size}. World size is {world}. Local world size is {local}."
        f" Please check `{name}`, `world_size` and `ranktablefile`."
    )
