"""deploy: from hosts.yaml to tokens. Checks, a plan that is shown first, its execution, and the proof."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lingctl.ascend.facts import NodeFacts, device_addresses
from lingctl.errors import ChecksFailed, NodeError
from lingctl.events import Event, Listener
from lingctl.findings import Finding, Verdict, worst_first
from lingctl.flows.change import Change
from lingctl.flows.check_network import CheckOptions, check_network
from lingctl.flows.drift import need_no_drift
from lingctl.flows.execute import execute
from lingctl.flows.gather import image_of, node_states
from lingctl.flows.node_program import prepare_program
from lingctl.flows.releases import new_recording
from lingctl.flows.running import all_daemons_run, live_addresses
from lingctl.inventory.cluster import Cluster
from lingctl.mindie.profile import Profile, profile_for
from lingctl.mindie.rank_table import RankTable, prove
from lingctl.plan import Plan, Stage, plan_of
from lingctl.release.certificates import certificate_steps
from lingctl.release.planning import deploy_steps
from lingctl.release.record import record_steps
from lingctl.release.state import NodeState
from lingctl.release.wanted import Addresses, wanted_release
from lingctl.release.weights_steps import Program, WeightsPlan, weights_plan
from lingctl.remote.group import Group


@dataclass(frozen=True, slots=True)
class Deployment:
    """A plan, and what it was made from.

    Attributes:
        plan: everything that will be done, as far as it can be known now.
        settled: false while a download or conversion still decides the model's part.
        states: the nodes as they were seen.
        findings: of the checks that were made first.
    """

    cluster: Cluster
    profile: Profile
    plan: Plan
    settled: bool
    states: Mapping[str, NodeState]
    findings: tuple[Finding, ...]
    addresses: Addresses
    programs: Mapping[str, Program]


def plan_deploy(
    group: Group, cluster: Cluster, listener: Listener, accepted: Collection[str] = ()
) -> Deployment:
    """Look at all nodes, check them, and decide what to do. Changes nothing but lingctl's own program there.

    A cluster that serves as it should is not checked again: a second run takes seconds and pings nobody.

    Args:
        group: connections to all nodes.
        cluster: what is wanted.
        listener: hears what is looked at.
        accepted: names of checks that may fail.

    Raises:
        ChecksFailed: the network or the nodes are not fit to start.
        LingctlError: a node cannot be reached, or lacks what cannot be brought.
    """
    _need_all(group)
    profile = profile_for(cluster.mindie)
    findings: tuple[Finding, ...] = ()
    serves = all_daemons_run(group, cluster)
    addresses = live_addresses(group, cluster) if serves and cluster.multi_node else {}
    if not serves or not _complete(cluster, addresses):
        findings, addresses = _checked(group, cluster, listener, accepted)
    programs = group.all(lambda node: prepare_program(node, cluster, image_of(cluster, profile)))
    plan, settled, states = _plan(group, cluster, profile, addresses, programs, listener)
    if not findings and not plan.empty:
        findings, addresses = _checked(group, cluster, listener, accepted)
    for name, state in states.items():
        if state.unfinished is not None:
            text = f"half-done before, gone on with now: {state.unfinished.description}"
            listener(Event("earlier change", "note", name, text))
    return Deployment(cluster, profile, plan, settled, states, findings, addresses, programs)


def run_deploy(group: Group, deployment: Deployment, listener: Listener, change: Change) -> None:
    """Do what the plan says; after a download or conversion the rest is planned from what arrived.

    Args:
        group: connections to all nodes.
        deployment: the plan, and what it was made from.
        listener: hears each step.
        change: the lock that is held and the journal that is kept meanwhile.

    Raises:
        NodeError: a node changed since the plan was made (code ``drifted``); nothing was done.
        LingctlError: a step failed; nothing later was begun.
    """
    cluster, profile, plan = deployment.cluster, deployment.profile, deployment.plan
    need_no_drift(group, cluster, profile, deployment.states, image_of(cluster, profile))
    settled, tried = deployment.settled, list[str]()
    while not settled:
        waiting = [f"{step.node}: {step.title}" for step in plan.changes if step.stage is Stage.WEIGHTS]
        if waiting == tried:
            raise NodeError(
                "the weights are still not in place after their download or conversion",
                where=", ".join(waiting),
                remedy="look at them: lingctl verify-weights DIR",
                code="weights-not-in-place",
            )
        execute(plan, group, listener, until=Stage.WEIGHTS, change=change)
        tried = waiting
        plan, settled, _ = _plan(group, cluster, profile, deployment.addresses, deployment.programs, listener)
    execute(plan, group, listener, change=change)


def _need_all(group: Group) -> None:
    group.all(lambda connection: connection.node)


def _complete(cluster: Cluster, addresses: Addresses) -> bool:
    """Whether every card of a cluster of several nodes has an address; one node needs none."""
    return not cluster.multi_node or all(
        set(addresses.get(node.name, ())) == set(node.devices) for node in cluster.nodes
    )


def _checked(
    group: Group, cluster: Cluster, listener: Listener, accepted: Collection[str]
) -> tuple[tuple[Finding, ...], Addresses]:
    report = check_network(group, cluster, CheckOptions(), listener)
    unfit = [finding for finding in report.findings if finding.verdict >= Verdict.UNKNOWN]
    for finding in unfit:
        if finding.check in accepted:
            text = f"{finding.verdict.word}, accepted: {finding.message}"
            listener(Event(finding.check, "note", finding.where, text))
    _stop_on([finding for finding in unfit if finding.check not in accepted], waivable=True)
    return tuple(report.findings), _addresses(cluster, report.facts)


def _addresses(cluster: Cluster, facts: Mapping[str, NodeFacts]) -> Addresses:
    return {node.name: device_addresses(facts[node.name]) for node in cluster.nodes if node.name in facts}


def _stop_on(findings: Sequence[Finding], *, waivable: bool = False) -> None:
    bad = [finding for finding in worst_first(findings) if finding.verdict >= Verdict.UNKNOWN]
    if not bad:
        return
    first = bad[0]
    waive = f"\nor, if you know better: lingctl deploy --accept {first.check}" if waivable else ""
    more = f" (and {len(bad) - 1} more: lingctl check-network shows all)" if len(bad) > 1 else ""
    raise ChecksFailed(
        f"not fit to start: {first.message}{more}",
        where=first.where,
        evidence="\n".join(f"{f.verdict.word} {f.check} {f.where}: {f.message}" for f in bad[1:8])
        or first.evidence,
        remedy=f"{first.remedy}{waive}".lstrip(),
        code=f"check-{first.check}",
    )


def _plan(
    group: Group,
    cluster: Cluster,
    profile: Profile,
    addresses: Addresses,
    programs: Mapping[str, Program],
    listener: Listener,
) -> tuple[Plan, bool, dict[str, NodeState]]:
    listener(Event("look at the nodes", "started"))
    states = node_states(group, cluster, profile, programs)
    listener(Event("look at the nodes", "done"))
    _need_images(states, image_of(cluster, profile))
    _need_own_container(cluster, states)
    weights = {name: weights_plan(cluster, state, programs[name]) for name, state in states.items()}
    _same_weights_folder(weights)
    releases = {
        node.name: wanted_release(
            cluster, node, profile, addresses, weights[node.name].model_config, weights[node.name].folder
        )
        for node in cluster.nodes
    }
    if cluster.multi_node:
        _stop_on(prove(RankTable.build(cluster, addresses).text, cluster, addresses))
    steps = [step for plan in weights.values() for step in plan.steps]
    settled = all(plan.settled for plan in weights.values())
    if settled:
        steps += record_steps(cluster, states, releases, new_recording(releases, states))
    steps += [step for state in states.values() for step in certificate_steps(cluster, state, profile)]
    steps += deploy_steps(cluster, states, releases).steps
    return plan_of(steps), settled, states


def _need_images(states: Mapping[str, NodeState], image: str) -> None:
    for state in states.values():
        if state.docker_problem:
            raise NodeError(
                "docker does not answer",
                where=state.node,
                evidence=state.docker_problem,
                remedy="systemctl start docker; docker version",
                code="docker-down",
            )
    without = [state.node for state in states.values() if not state.image_present]
    if without:
        raise NodeError(
            f"the image {image} is not there",
            where=", ".join(without),
            remedy=f"docker pull {image}\nor, without a network: docker load -i FILE",
            code="image-missing",
        )


def _need_own_container(cluster: Cluster, states: Mapping[str, NodeState]) -> None:
    for state in states.values():
        if state.container is not None and not state.container.spec:
            raise NodeError(
                f"a container named {cluster.container_name} is there that lingctl did not make",
                where=state.node,
                remedy="give ours another name (container: {name: ...} in hosts.yaml), or remove that one",
                code="container-foreign",
            )


def _same_weights_folder(weights: Mapping[str, WeightsPlan]) -> None:
    folders = {plan.folder for plan in weights.values()}
    if len(folders) > 1:
        raise NodeError(
            "the nodes hold the weights in different forms: MindIE needs the same path everywhere",
            where=", ".join(f"{name}: {plan.folder}" for name, plan in weights.items()),
            remedy="make them equal: remove the odd copy, or convert on every node",
            code="weights-differ",
        )
