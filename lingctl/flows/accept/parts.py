"""The parts of an acceptance, each by the flow of the verb that does the same by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from lingctl.ascend.facts import NodeFacts
from lingctl.ascend.scope import Scope
from lingctl.ascend.unread import Unread
from lingctl.checks.remedies import bring_image
from lingctl.engines import engine_of
from lingctl.errors import ConnectError, UsageError
from lingctl.findings import Finding, Subject, Verdict
from lingctl.flows.accept.answers import proof_part, restart_part, smoke_part
from lingctl.flows.accept.heard import unknown_errors, unread_answers
from lingctl.flows.accept.load import measure, soak
from lingctl.flows.accept.protocol import Acceptance, AcceptancePart, Judged
from lingctl.flows.accept.weights import weights_part
from lingctl.flows.change.deploy import plan_deploy
from lingctl.flows.look.node_states import image_of
from lingctl.flows.look.status.cluster_status import NodeStatus, cluster_status
from lingctl.flows.network.check import CheckOptions, NetworkReport, check_network
from lingctl.flows.network.npu_check import NpuOptions, npu_check_nodes
from lingctl.flows.overlay.by_hand import look_at_overlay
from lingctl.flows.overlay.patch import PatchOptions
from lingctl.inventory.cluster import Cluster

# What is said of one version of something, and not of the ways between the cards.
_OF_VERSIONS = (
    *("driver", "firmware", "driver-same", "firmware-same", "runtime", "image", "image-same"),
    *("engine-version", "same-files"),
)
_CANNOT_COMPUTE = ("no-torch", "npu-no-container", "overlay-no-container", "no-python")


def network_part(given: Acceptance) -> Judged:
    """Every card of every node, and every card to every other."""
    report = _network(given, CheckOptions(mesh="full", mesh_seconds=3600.0))
    names = [node.name for node in report.scope.nodes]
    findings = tuple(one for one in report.findings if one.check not in _OF_VERSIONS)
    pings = f", {sum(hit.ok for hit in report.hits)} of {len(report.hits)} pings answered"
    what = f"{len(names)} nodes, {given.cluster.world_size} cards" + (pings if report.hits else "")
    broken = [
        [*hit.shot.source, *hit.shot.target] for hit in report.hits if not hit.ok
    ]  # node, card, node, card
    data = {**report.picture.as_json(), "broken_pings": broken}
    return Judged(what, findings, data, unread_answers(report))


def versions_part(given: Acceptance) -> Judged:
    """Drivers, firmware, runtime and image of every node, as they are now."""
    report = _network(given, CheckOptions(mesh="off"))
    findings = tuple(one for one in report.findings if one.check in _OF_VERSIONS)
    lost = tuple(report.lost.values())
    engine = engine_of(given.cluster).about
    image = image_of(given.cluster)
    table = {
        node.name: _versions_of(report.facts.get(node.name), len(node.cards)) for node in report.scope.nodes
    }
    images = tuple(of_image(seen, report.scope) for seen in report.facts.values())
    kinds = {row.get("image") for row in table.values()}
    same = "the same image on all" if len(kinds) == 1 and None not in kinds else "not one image on all"
    return Judged(
        f"{engine.title} {engine.version}, {image}: {same}",
        (*findings, *(one for one in images if one is not None), *lost),
        {"engine": {"name": engine.name, "version": engine.version}, "image": image, "nodes": table},
    )


def _versions_of(facts: NodeFacts | None, cards: int) -> dict[str, str | None]:
    """What one node is made of; None is what could not be read."""
    if facts is None:
        return dict.fromkeys(("hostname", "driver", "firmware", "cards", "runtime", "image"))
    chips = () if isinstance(facts.npus, Unread) else facts.npus.chips
    names = sorted({chip.name for chip in chips})
    return {
        "hostname": _known(facts.hostname),
        "driver": None if isinstance(facts.driver, Unread) else facts.driver.version,
        "firmware": None if isinstance(facts.firmware, Unread) else facts.firmware.version,
        "cards": f"{cards} x {', '.join(names)}" if names else None,
        "runtime": _known(facts.runtime),
        "image": _known(facts.image),
    }


def of_image(facts: NodeFacts, scope: Scope) -> Finding | None:
    """A container runs on although its image is gone; the next one could not be made. Pure."""
    of, remedy = Subject("image-there", facts.node), bring_image(scope, facts.node)
    if facts.image is None:
        return of.failure(f"{scope.image} is not there", remedy=remedy)
    if isinstance(facts.image, Unread):
        text = f"whether {scope.image} is there is not known"
        return of.unknown(text, evidence=facts.image.text, remedy=remedy)
    return None


def _known(value: str | Unread | None) -> str | None:
    return None if isinstance(value, Unread) else value


def _network(given: Acceptance, options: CheckOptions) -> NetworkReport:
    with given.connect() as group:
        return check_network(group, given.cluster, options, given.listener)


def overlay_part(given: Acceptance) -> Judged:
    """The model code that the engine runs, against the one as shipped."""
    report = look_at_overlay(given.cluster, "verify", PatchOptions())
    findings = unseen(report.findings, report.answers)
    good = sum(one.verdict <= Verdict.NOTE for one in findings)
    return Judged(f"{good} of {len(findings)} findings are good", findings)


def cards_part(given: Acceptance) -> Judged:
    """A product on every card, and a sum over all of them, beside the service."""
    with given.connect() as group:
        report = npu_check_nodes(group, given.cluster, NpuOptions(allow_running=True), given.listener)
    findings = unseen(report.findings, report.answers)
    passed = sum(finding.verdict is Verdict.PASS for finding in findings)
    data = {"nodes": report.as_json()["nodes"]}
    what = f"{passed} of {len(findings)} computations were right"
    return Judged(what, findings, data, unknown_errors(report))


def state_part(given: Acceptance) -> Judged:
    """That everything is as hosts.yaml asks, and runs."""
    with given.connect() as group:
        deployment = plan_deploy(group, given.cluster, given.listener)
        rows = cluster_status(group, given.cluster)
    changes = deployment.plan.changes
    findings = [
        Subject("deploy-state", step.node).failure(
            f"not as hosts.yaml asks: {step.title}", evidence=step.reason, remedy="lingctl deploy"
        )
        for step in changes
    ]
    findings += [finding for row in rows if (finding := of_status(row)) is not None]
    # What deploy sees of links, disks and clocks on its way, the part network has judged.
    release = sorted({row.release for row in rows if row.release})
    return Judged(
        f"{len(changes)} changes are wanted" if changes else "nothing to change",
        tuple(findings) or (Subject("deploy-state").passes("as hosts.yaml asks"),),
        {"release": release, "nodes": [row.as_json() for row in rows]},
    )


def of_status(row: NodeStatus) -> Finding | None:
    """What is wrong with what runs on a node; its cards' health and memory other parts judge. Pure."""
    own = [problem for problem in row.problems if problem not in row.card_problems]
    unknown = not row.reached or row.daemon == "unknown" or None in (row.processes, row.ports)
    runs = row.daemon == "running" and row.service in ("ready", "-")
    if not own and not unknown and runs:
        return None
    text = "; ".join(own) or ("not all of it could be seen" if unknown else "not healthy")
    verdict = Verdict.UNKNOWN if unknown else Verdict.FAILURE
    return Finding("status", verdict, text, row.node, remedy="lingctl status")


def unseen(findings: Iterable[Finding], answers: Mapping[str, object]) -> tuple[Finding, ...]:
    """The findings, where what could not be reached, or has nothing that could be looked at, is not
    known, and not wrong. Pure."""
    lost = {name for name, answer in answers.items() if isinstance(answer, ConnectError)}
    return tuple(
        replace(one, verdict=Verdict.UNKNOWN)
        if one.verdict is Verdict.FAILURE and (one.node in lost or one.check in _CANNOT_COMPUTE)
        else one
        for one in findings
    )


PARTS: tuple[AcceptancePart, ...] = (
    AcceptancePart("network", "lingctl check-network --mesh full", network_part),
    AcceptancePart("versions", "lingctl check-network", versions_part),
    AcceptancePart("weights", "lingctl verify-weights --full FOLDER (on each node)", weights_part),
    AcceptancePart("overlay", "lingctl patch verify", overlay_part),
    AcceptancePart("state", "lingctl deploy --dry-run", state_part),
    AcceptancePart("cards", "lingctl npu-check --allow-running", cards_part),
    AcceptancePart("smoke", "lingctl smoke-test", smoke_part),
    AcceptancePart("proof", "lingctl prove", proof_part, "smoke", "answers"),
    AcceptancePart("load", "lingctl bench --sweep", measure, "smoke", "streams"),
    AcceptancePart("soak", "lingctl bench", soak, "smoke", "streams"),
    AcceptancePart("restart", "lingctl restart", restart_part),
)


def not_for(cluster: Cluster) -> dict[str, str]:
    """Parts that say nothing of the cluster's engine, and why."""
    engine = engine_of(cluster)
    if engine.overlay.files:
        return {}
    return {"overlay": f"{engine.about.title} has the model's code itself"}


def need_known(names: tuple[str, ...]) -> None:
    """Refuse names that no part has. Raises UsageError: one is such."""
    known = [part.name for part in PARTS]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"there is no part {unknown[0]!r}", remedy=f"parts: {', '.join(known)}", code="accept-part"
        )
