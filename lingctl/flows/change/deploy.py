"""deploy: from hosts.yaml to tokens. Checks, a plan that is shown first, its execution, and the proof."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial

from lingctl.ascend.facts import device_addresses
from lingctl.checks.glance import UNSEEN
from lingctl.engines import engine_of
from lingctl.errors import ChecksFailed, NodeError
from lingctl.events import Event, Listener
from lingctl.findings import Finding, Verdict
from lingctl.flows.change.drift import need_no_drift
from lingctl.flows.change.ending import ChangeEnding
from lingctl.flows.change.preflight import Preflight, failed_checks, stop_on
from lingctl.flows.change.releases import new_recording
from lingctl.flows.look.daemon import DaemonSights
from lingctl.flows.look.first_look import first_look
from lingctl.flows.look.node_states import Look, look_of, node_states
from lingctl.flows.look.runtime import image_missing, need_runtime
from lingctl.flows.network.check import NetworkReport, glance
from lingctl.flows.run.change import Change
from lingctl.flows.run.execute import execute
from lingctl.flows.run.person import Person
from lingctl.flows.run.proposal import Outcome, Proposal
from lingctl.flows.run.story import carry_out
from lingctl.flows.weights.bring import bring_weights
from lingctl.inventory.cluster import Addresses, Cluster
from lingctl.inventory.models.catalogue import Shape
from lingctl.inventory.models.config_json import shape_of
from lingctl.inventory.runtime import Runtime
from lingctl.plan import Plan, Stage, plan_of
from lingctl.release.certificates import certificate_steps, encryption_remarks
from lingctl.release.planning import deploy_steps
from lingctl.release.record import record_steps
from lingctl.release.state import NodeState
from lingctl.release.wanted import wanted_release
from lingctl.release.weights_steps import Program, WeightsPlan, weights_plan
from lingctl.remote.group import Group
from lingctl.serving.smoke.report import SmokeReport


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a plan is made from, besides the nodes as they are."""

    cluster: Cluster
    look: Look  # how the nodes are looked at
    addresses: Addresses  # live address of every card; with several nodes only
    programs: Mapping[str, Program]  # how to run lingctl's own program on each node
    accepted: Collection[str]  # names of checks that may fail


@dataclass(frozen=True, slots=True)
class Deployment:
    """A plan, and what it was made from."""

    wanted: Wanted
    plan: Plan  # everything that will be done, as far as it can be known now
    settled: bool  # false while a download or conversion still decides the model's part
    states: Mapping[str, NodeState]  # the nodes as they were seen
    shape: Shape | None  # of the model's config.json, once the weights are settled
    # what the checks found, passes and notes left out; what is worse than a warning was accepted, or found by
    # a glance
    findings: tuple[Finding, ...] = ()
    glanced: bool = False  # whether a cluster that serves was only glanced at
    sights: DaemonSights | None = None  # the daemons, where all are alive

    @property
    def unfit(self) -> ChecksFailed | None:
        """What a start would be refused for; only a glance at a cluster that serves leaves any."""
        bad = [finding for finding in self.findings if finding.verdict >= Verdict.UNKNOWN]
        refused = [finding for finding in bad if finding.check not in self.wanted.accepted]
        return failed_checks(refused, waivable=True, what="serves, but would not be fit to start")


def deploy(
    cluster: Cluster,
    person: Person,
    *,
    accepted: Collection[str] = (),
    smoke: bool = True,
    dry_run: bool = False,
    lock_wait: float = 0.0,
) -> Outcome[SmokeReport]:
    """Bring every node to what hosts.yaml asks, start MindIE, and prove that it answers.

    Args:
        accepted: names of checks that may fail.

    Raises:
        ChecksFailed: the nodes are not fit to start, or the service answers wrongly.
    """

    def look(group: Group, listener: Listener) -> Proposal[SmokeReport]:
        deployment = plan_deploy(group, cluster, listener, accepted)
        end = ChangeEnding(cluster, deployment.states, deployment.sights)
        return Proposal(
            command="lingctl deploy",
            question="Do this?",
            plan=deployment.plan,
            run=partial(run_deploy, deployment),
            # The proof changes nothing, and the next deploy brings one that is missing: so nobody else has to
            # wait for it.
            locked=(end.wait, end.settle),
            afterwards=(end.prove,) if smoke else (),
            # An interrupted run may have left daemons that still load, or no proof.
            unchanged=(end.wait_from_there, end.settle, *((end.prove_if_lacking,) if smoke else ())),
            unfit=deployment.unfit,
            findings=deployment.findings,
            remarks=(
                *encryption_remarks(cluster),
                *engine_of(cluster).remarks(cluster),
                *((UNSEEN,) if deployment.glanced else ()),
            ),
        )

    return carry_out(cluster, person, look, dry_run=dry_run, lock_wait=lock_wait)


def plan_deploy(
    group: Group, cluster: Cluster, listener: Listener, accepted: Collection[str] = ()
) -> Deployment:
    """Look at all nodes, check them, and decide what to do. Changes nothing but lingctl's own program there.

    A cluster that serves as it should is not checked again but glanced at: a second run takes seconds and
    pings nobody.

    Args:
        accepted: names of checks that may fail.

    Raises:
        ChecksFailed: the network or the nodes are not fit to start.
        LingctlError: a node cannot be reached, or lacks what cannot be brought.
    """
    look = look_of(cluster)
    first = first_look(group, cluster, look, joined=_joined(cluster))
    preflight = Preflight(group, cluster, listener, accepted)
    seen = first.running
    report: NetworkReport | None = None
    addresses = seen.addresses if seen else {}
    if seen is None or not _complete(cluster, addresses):
        report = preflight.nodes()
        facts = report.facts
        addresses = {name: device_addresses(node) for name, node in facts.items()}
        engine_of(cluster).need_cards({name: facts[name].generation for name in facts})
    wanted = Wanted(cluster, look, addresses, first.programs(group), accepted)
    deployment = _plan(group, wanted, listener, seen.states if seen else None)
    if not deployment.plan.empty:
        report = report or preflight.nodes()
        preflight.capacity(report.facts, deployment.shape)
    found = report.findings if report else glance(cluster, seen.records if seen else {})
    bad = tuple(finding for finding in found if finding.verdict >= Verdict.WARNING)
    sights = seen.sights if seen else None
    deployment = replace(deployment, findings=bad, glanced=report is None, sights=sights)
    for name, state in deployment.states.items():
        if state.unfinished is not None:
            text = f"half-done before, gone on with now: {state.unfinished.description}"
            listener(Event("earlier change", "note", name, text))
    return deployment


def run_deploy(deployment: Deployment, group: Group, listener: Listener, change: Change) -> None:
    """Do what the plan says; after a download or conversion the rest is planned from what arrived.

    Args:
        change: the lock that is held and the journal that is kept meanwhile.

    Raises:
        NodeError: a node changed since the plan was made (code ``drifted``); nothing was done.
        LingctlError: a step failed; nothing later was begun.
    """
    wanted = deployment.wanted
    need_no_drift(group, wanted.look, deployment.states)
    tried = list[str]()
    while not deployment.settled:
        weights = [step for step in deployment.plan.changes if step.stage is Stage.WEIGHTS]
        waiting = [f"{step.node}: {step.title}" for step in weights]
        if waiting == tried:
            raise NodeError(
                "the weights are still not in place after their download or conversion",
                where=", ".join(waiting),
                code="weights-not-in-place",
            )
        bring_weights(deployment.plan, group, wanted.cluster, deployment.states, listener, change)
        tried = waiting
        deployment = _plan(group, wanted, listener)
    gates = {Stage.DAEMON: Preflight(group, wanted.cluster, listener, wanted.accepted).overlay}
    execute(deployment.plan, group, listener, change, gates=gates)


def _joined(cluster: Cluster) -> bool:
    """Whether several nodes are joined by their cards' addresses."""
    return cluster.multi_node and engine_of(cluster).about.joins_by_addresses


def _complete(cluster: Cluster, addresses: Addresses) -> bool:
    """Whether every card has an address, where several nodes are joined by them."""
    return not _joined(cluster) or all(
        set(addresses.get(node.name, ())) == set(node.devices) for node in cluster.nodes
    )


def _plan(
    group: Group, wanted: Wanted, listener: Listener, states: Mapping[str, NodeState] | None = None
) -> Deployment:
    """The plan for the nodes as they were just seen, or else are seen now."""
    cluster, engine = wanted.cluster, engine_of(wanted.cluster)
    addresses, programs = wanted.addresses, wanted.programs
    listener(Event("look at the nodes", "started"))
    states = states or node_states(group, wanted.look, programs)
    listener(Event("look at the nodes", "done"))
    _need_images(wanted.look.site.runtime, states, wanted.look.image)
    _need_own_container(wanted.look.site.container, states)
    weights = {name: weights_plan(cluster, state, programs[name]) for name, state in states.items()}
    _same_weights_folder(weights, engine.about.title)
    releases = {
        node.name: wanted_release(
            cluster, node, addresses, weights[node.name].model_config, weights[node.name].folder
        )
        for node in cluster.nodes
    }
    if cluster.multi_node:
        proof = engine.joint(cluster, addresses).findings
        stop_on([finding for finding in proof if finding.verdict >= Verdict.UNKNOWN])
    steps = [step for plan in weights.values() for step in plan.steps]
    settled = all(plan.settled for plan in weights.values())
    if settled:
        steps += record_steps(cluster, states, releases, new_recording(releases, states))
    steps += [step for state in states.values() for step in certificate_steps(cluster, state)]
    steps += deploy_steps(wanted.look.site, states, releases).steps
    shape = shape_of(weights[cluster.primary.name].model_config) if settled else None
    return Deployment(wanted, plan_of(steps), settled, states, shape)


def _need_images(runtime: Runtime, states: Mapping[str, NodeState], image: str) -> None:
    need_runtime(runtime, states.values())
    without = [state.node for state in states.values() if not state.image_present]
    if without:
        what = f"the image {image} is not there"
        raise image_missing(runtime, what, image, ", ".join(without), chosen=True)


def _need_own_container(name: str, states: Mapping[str, NodeState]) -> None:
    for state in states.values():
        if state.container is not None and not state.container.spec:
            raise NodeError(
                f"a container named {name} is there that lingctl did not make",
                where=state.node,
                code="container-foreign",
            )


def _same_weights_folder(weights: Mapping[str, WeightsPlan], engine: str) -> None:
    folders = {plan.folder for plan in weights.values()}
    if len(folders) > 1:
        raise NodeError(
            f"the nodes hold the weights in different forms: {engine} needs the same path everywhere",
            where=", ".join(f"{name}: {plan.folder}" for name, plan in weights.items()),
            remedy="make them equal: remove the odd copy, or convert on every node",
            code="weights-differ",
        )
