"""The first stage of a deploy: downloads for all nodes together, then what each node does by itself."""

from __future__ import annotations

import os
from collections.abc import Mapping

from lingctl.errors import LingctlError
from lingctl.events import Listener
from lingctl.flows.run.change import Change
from lingctl.flows.run.execute import execute
from lingctl.flows.weights.options import DownloadOptions
from lingctl.flows.weights.settings import hub_settings
from lingctl.flows.weights.spread.spread import download_on_nodes
from lingctl.flows.weights.wanted import WeightsSource, wanted_model
from lingctl.inventory.cluster import Cluster
from lingctl.plan import Download, Plan, Stage, Step
from lingctl.release.state import NodeState
from lingctl.release.weights_state import WeightsState
from lingctl.remote.group import Group


def bring_weights(
    plan: Plan,
    group: Group,
    cluster: Cluster,
    states: Mapping[str, NodeState],
    listener: Listener,
    change: Change,
) -> None:
    """Do the plan's stage WEIGHTS: downloads first, since conversions may wait for them.

    Weights that a node has already are given on to the others; only where no node has them the hub is asked.

    Raises:
        LingctlError: a node did not get what it should.
    """
    downloads = tuple(step for step in plan.changes if _download_of(step))
    if downloads:
        change.begin(Plan(downloads))
        outcome: LingctlError | None = None
        try:
            _download(downloads, group, cluster, states, listener)
        except LingctlError as error:
            outcome = error
        for step in downloads:
            change.steps(group[step.node], [step], outcome)
        if outcome:
            raise outcome
    rest = Plan(tuple(step for step in plan.steps if step not in downloads))
    execute(rest, group, listener, change, until=Stage.WEIGHTS)


def _download(
    steps: tuple[Step, ...],
    group: Group,
    cluster: Cluster,
    states: Mapping[str, NodeState],
    listener: Listener,
) -> None:
    (wanted,) = {_download_of(step) for step in steps}
    assert wanted is not None
    whole = any(isinstance(it := state.downloaded, WeightsState) and it.complete for state in states.values())
    options = DownloadOptions(
        model=wanted_model(wanted.repository),
        source=WeightsSource("node" if whole else "any"),
        settings=hub_settings("modelscope", os.environ, authorities=cluster.hub.ca),
        folder=wanted.folder,
    )
    download_on_nodes(group, cluster, options, listener)


def _download_of(step: Step) -> Download | None:
    return next((action for action in step.actions if isinstance(action, Download)), None)
