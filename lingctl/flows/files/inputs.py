"""What render and capacity have to know of the nodes: from the nodes, from saved facts, or assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lingctl.ascend.facts import device_addresses
from lingctl.engine.interface import Engine
from lingctl.engines import engine_of
from lingctl.errors import WeightsError
from lingctl.events import Event, Listener
from lingctl.flows.look.node_states import look_of, node_programs, node_states
from lingctl.flows.look.running import live_addresses
from lingctl.flows.network.saved import judge_saved
from lingctl.inventory.cluster import Addresses, Cluster
from lingctl.release.state import NodeState
from lingctl.release.weights_state import WeightsState
from lingctl.release.weights_steps import Program, WeightsPlan, weights_plan
from lingctl.remote.group import Group


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the nodes."""

    weights: str  # folder of the weights on the nodes
    # live address of every card, by node name and physical id; none where nobody was asked
    addresses: Addresses = field(default_factory=dict)
    model_config: Mapping[str, Any] | None = None  # the downloaded config.json of the model, if known
    found: WeightsState | None = None  # what the first node says of that folder, if it does
    notes: tuple[str, ...] = ()  # what had to be assumed

    def loadable(self, engine: Engine) -> tuple[dict[str, Any], list[str]] | None:
        """config.json as the engine can load it, and what was changed and why; None where it is not known."""
        if self.model_config is None:
            return None
        rows, columns = (self.found.qkv_rows, self.found.dense_columns) if self.found else (None, None)
        return engine.model_config(self.model_config, rows=rows, columns=columns)


def known_offline(
    cluster: Cluster,
    model_config: Mapping[str, Any] | None = None,
    weights: str = "",
    facts: Path | None = None,
) -> Known:
    """What follows from hosts.yaml, and from the facts that ``check-network --save`` wrote, where there are.

    Raises:
        ConfigurationError: the facts cannot be read.
    """
    addresses = saved_addresses(facts, cluster) if facts else {}
    if weights:
        return Known(weights, addresses, model_config)
    other = (
        f"a converted copy in {cluster.converted_weights} would be read before them"
        if "bin" in engine_of(cluster).about.reads
        else f"where deploy converts .bin files it uses {cluster.converted_weights}"
    )
    folds = engine_of(cluster).folds_head(model_config or {})
    folder = cluster.folded_weights if folds else cluster.downloaded_weights
    note = f"The weights are taken to be in {folder}; {other}. --weights FOLDER names another."
    return Known(folder, addresses, model_config, notes=(note,))


def saved_addresses(path: Path, cluster: Cluster) -> dict[str, dict[int, str]]:
    """Live device addresses by node and physical id, as they were when the facts were saved.

    Raises:
        ConfigurationError: there are no such facts, or the engine cannot join nodes with such cards.
    """
    saved = judge_saved(path).facts
    engine_of(cluster).need_cards({name: facts.generation for name, facts in saved.items()})
    return {name: device_addresses(facts) for name, facts in saved.items()}


def ask_nodes(
    group: Group,
    cluster: Cluster,
    listener: Listener,
    model_config: Mapping[str, Any] | None = None,
    weights: str = "",
) -> Known:
    """What the nodes say, asked as deploy asks; changes nothing there but lingctl's own program.

    Raises:
        LingctlError: a node cannot be asked, or holds no weights that could be served.
    """
    listener(Event("look at the nodes", "started"))
    look = look_of(cluster)
    joined = cluster.multi_node and engine_of(cluster).about.joins_by_addresses
    addresses = live_addresses(group, look.site) if joined else {}
    programs = node_programs(group, cluster, look)
    states = node_states(group, look, programs)
    listener(Event("look at the nodes", "done"))
    plan, note = _weights(cluster, states, programs)
    folder = plan.folder if plan else cluster.downloaded_weights
    found = found_weights(cluster, states[cluster.primary.name], folder)
    return Known(
        weights=weights or folder,
        addresses=addresses,
        model_config=model_config or (found.config if found else None),
        found=found,
        notes=(note,) if note else (),
    )


def _weights(
    cluster: Cluster, states: Mapping[str, NodeState], programs: Mapping[str, Program]
) -> tuple[WeightsPlan | None, str]:
    """What deploy would do about the weights, and what has to be said about it."""
    try:
        plans = {name: weights_plan(cluster, state, programs[name]) for name, state in states.items()}
    except WeightsError as error:
        return None, f"{error}; taken to be in {cluster.downloaded_weights}"
    first = plans[cluster.primary.name]
    if {plan.folder for plan in plans.values()} != {first.folder}:
        where = ", ".join(f"{name}: {plan.folder}" for name, plan in plans.items())
        return first, f"the nodes hold the weights in different forms, which deploy refuses: {where}"
    return first, "" if first.settled else f"the weights are not yet in place in {first.folder}"


def found_weights(cluster: Cluster, state: NodeState, folder: str) -> WeightsState | None:
    """What a node says of the folder that the engine will read; None where it does not say."""
    others = {cluster.converted_weights: state.converted, cluster.folded_weights: state.folded}
    found = others.get(folder, state.downloaded)
    return found if isinstance(found, WeightsState) else None
