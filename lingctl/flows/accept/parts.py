"""The parts of an acceptance, each by the flow of the verb that does the same by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lingctl.ascend.facts import NodeFacts
from lingctl.ascend.unread import Unread
from lingctl.engines import engine_of
from lingctl.errors import LingctlError, UsageError, WeightsError
from lingctl.findings import Finding, Verdict
from lingctl.flows.accept.load import measure, soak
from lingctl.flows.accept.protocol import Acceptance, AcceptancePart, Judged
from lingctl.flows.change.deploy import plan_deploy
from lingctl.flows.change.restart import restart
from lingctl.flows.look.node_states import image_of, look_of, node_states
from lingctl.flows.look.status import cluster_status
from lingctl.flows.network.check import CheckOptions, NetworkReport, check_network
from lingctl.flows.network.npu_check import NpuOptions, npu_check_nodes
from lingctl.flows.overlay.by_hand import look_at_overlay
from lingctl.flows.overlay.patch import PatchOptions
from lingctl.flows.run.person import Unattended
from lingctl.flows.serve.prove import ProofOptions, prove_cluster
from lingctl.flows.serve.smoke_test import smoke_test_cluster
from lingctl.inventory.cluster import Cluster
from lingctl.program.node_program import NodeProgram
from lingctl.program.prepare import InImage, prepare
from lingctl.release.weights_steps import weights_plan
from lingctl.remote.connection import Connection
from lingctl.serving.smoke.report import SmokeOptions

# What is said of one version of something, and not of the ways between the cards.
_OF_VERSIONS = ("driver", "firmware", "driver-same", "firmware-same", "runtime", "image", "image-same")
_OF_VERSIONS_TOO = ("engine-version", "same-files")
_CANNOT_COMPUTE = ("no-torch", "npu-no-container", "no-python")
# Reading 580 GB at 0.1 GB/s, and as much again.
_VERIFY_SECONDS = 4 * 3600.0


def network_part(given: Acceptance) -> Judged:
    """Every card of every node, and every card to every other."""
    report = _network(given, CheckOptions(mesh="full", mesh_seconds=3600.0))
    names = [node.name for node in report.scope.nodes]
    findings = tuple(one for one in report.findings if one.check not in (*_OF_VERSIONS, *_OF_VERSIONS_TOO))
    pings = f", {sum(hit.ok for hit in report.hits)} of {len(report.hits)} pings answered"
    what = f"{len(names)} nodes, {given.cluster.world_size} cards" + (pings if report.hits else "")
    broken = [
        [*hit.shot.source, *hit.shot.target] for hit in report.hits if not hit.ok
    ]  # node, card, node, card
    return Judged(what, findings, {**report.picture.as_json(), "broken_pings": broken})


def versions_part(given: Acceptance) -> Judged:
    """Drivers, firmware, runtime and image of every node, as they are now."""
    report = _network(given, CheckOptions(mesh="off"))
    findings = tuple(one for one in report.findings if one.check in (*_OF_VERSIONS, *_OF_VERSIONS_TOO))
    lost = tuple(report.lost.values())
    engine = engine_of(given.cluster).about
    image = image_of(given.cluster)
    table = {
        node.name: _versions_of(report.facts.get(node.name), len(node.cards)) for node in report.scope.nodes
    }
    kinds = {row.get("image") for row in table.values()}
    same = "the same image on all" if len(kinds) == 1 and None not in kinds else "not one image on all"
    return Judged(
        f"{engine.title} {engine.version}, {image}: {same}",
        (*findings, *lost),
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


def _known(value: str | Unread | None) -> str | None:
    return None if isinstance(value, Unread) else value


def _network(given: Acceptance, options: CheckOptions) -> NetworkReport:
    with given.connect() as group:
        return check_network(group, given.cluster, options, given.listener)


@dataclass(frozen=True, slots=True)
class _Verified:
    """What the node program says of the weights of one node; see ``node.weights.verify``."""

    folder: str
    state: str
    form: str
    files: int
    tensors: int
    bytes: int
    full: bool
    digest: str
    problems: tuple[Mapping[str, Any], ...]
    in_the_way: tuple[Mapping[str, Any], ...]
    unknown: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]


def weights_part(given: Acceptance) -> Judged:
    """Every byte of the weights on every node, and the same weights everywhere."""
    cluster, look = given.cluster, look_of(given.cluster)
    with given.connect() as group:
        programs = group.all(lambda connection: _program(given, connection))
        states = node_states(group, look, {name: program.command for name, program in programs.items()})
        folders = {
            name: weights_plan(cluster, state, programs[name].command).folder
            for name, state in states.items()
        }

        def verify(connection: Connection) -> _Verified:
            words = ("weights", "verify", "--full", folders[connection.node])
            return programs[connection.node].ask(_Verified, *words, timeout=_VERIFY_SECONDS)

        answers = group.map(verify, together=True)
    findings = [finding for name, answer in answers.items() for finding in _of_weights(name, answer)]
    good = [answer for answer in answers.values() if isinstance(answer, _Verified)]
    digests = {answer.digest for answer in good}
    if len(digests) > 1 or "" in digests:
        known = ", ".join(
            f"{name}: {answer.digest[:12] or 'not known'}"
            for name, answer in answers.items()
            if isinstance(answer, _Verified)
        )
        verdict = Verdict.UNKNOWN if "" in digests else Verdict.FAILURE
        remedy = "bring the same weights to all: lingctl download --from NODE"
        what = "whether the nodes have the same weights is not known" if "" in digests else "weights differ"
        findings.append(Finding("weights-same", verdict, what, evidence=known, remedy=remedy))
    amount = f", {good[0].tensors} tensors, {good[0].bytes / 1e9:.1f} GB each" if good else ""
    return Judged(
        f"{len(good)} of {len(answers)} nodes read to the last byte{amount}",
        tuple(findings),
        {
            "nodes": {
                name: {
                    "folder": answer.folder,
                    "digest": answer.digest,
                    "bytes": answer.bytes,
                    "tensors": answer.tensors,
                    "form": answer.form,
                }
                for name, answer in answers.items()
                if isinstance(answer, _Verified)
            }
        },
    )


def _program(given: Acceptance, connection: Connection) -> NodeProgram:
    look, cluster = look_of(given.cluster), given.cluster
    models, state = cluster.paths.models, cluster.state_dir
    where = InImage(look.site.runtime, look.image, (f"{models}:{models}", f"{state}:{state}"))
    return prepare(connection, look.site.layout.program, where)


def _of_weights(name: str, answer: _Verified | LingctlError) -> list[Finding]:
    if isinstance(answer, LingctlError):
        evidence, remedy = answer.evidence, answer.remedy
        return [Finding("weights", Verdict.UNKNOWN, answer.what, name, None, evidence, remedy)]
    kinds = ((answer.problems, Verdict.FAILURE), (answer.unknown, Verdict.UNKNOWN))
    found = [
        Finding(
            "weights",
            verdict,
            str(trouble.get("what", "")),
            name,
            None,
            str(trouble.get("where", "")),
            str(trouble.get("remedy", "")),
        )
        for troubles, verdict in (*kinds, (answer.in_the_way, Verdict.WARNING))
        for trouble in troubles
    ]
    found += [Finding("weights", Verdict.NOTE, note, name) for note in answer.notes]
    return found or [Finding("weights", Verdict.PASS, f"{answer.folder} is sound", name)]


def overlay_part(given: Acceptance) -> Judged:
    """The model code that the engine runs, against the one as shipped."""
    report = look_at_overlay(given.cluster, "verify", PatchOptions())
    good = sum(one.verdict <= Verdict.NOTE for one in report.findings)
    return Judged(f"{good} of {len(report.findings)} findings are good", report.findings)


def cards_part(given: Acceptance) -> Judged:
    """A product on every card, and a sum over all of them, beside the service."""
    with given.connect() as group:
        report = npu_check_nodes(group, given.cluster, NpuOptions(allow_running=True), given.listener)
    # Where there is nothing that could compute, nothing was judged.
    findings = tuple(
        replace(one, verdict=Verdict.UNKNOWN) if one.check in _CANNOT_COMPUTE else one
        for one in report.findings
    )
    passed = sum(finding.verdict is Verdict.PASS for finding in findings)
    return Judged(f"{passed} of {len(findings)} computations were right", findings)


def state_part(given: Acceptance) -> Judged:
    """That everything is as hosts.yaml asks, and runs."""
    with given.connect() as group:
        deployment = plan_deploy(group, given.cluster, given.listener)
        rows = cluster_status(group, given.cluster)
    findings = [
        Finding(
            "deploy-state",
            Verdict.FAILURE,
            f"not as hosts.yaml asks: {step.title}",
            step.node,
            None,
            step.reason,
            "lingctl deploy",
        )
        for step in deployment.plan.changes
    ]
    findings += [
        Finding(
            "status",
            Verdict.FAILURE,
            "; ".join(row.problems) or "not healthy",
            row.node,
            remedy="lingctl status",
        )
        for row in rows
        if not row.healthy
    ]
    # What deploy sees of links, disks and clocks on its way, the part network has judged.
    release = sorted({row.release for row in rows if row.release})
    return Judged(
        "nothing to change"
        if deployment.plan.empty
        else f"{len(deployment.plan.changes)} changes are wanted",
        tuple(findings) or (Finding("deploy-state", Verdict.PASS, "as hosts.yaml asks"),),
        {"release": release, "nodes": [row.as_json() for row in rows]},
    )


def smoke_part(given: Acceptance) -> Judged:
    """The ladder from the port to the streamed answer."""
    with given.connect() as group:
        report = smoke_test_cluster(group, given.cluster, SmokeOptions(), given.listener)
    answers = any(one.check == "generate" and one.verdict <= Verdict.NOTE for one in report.findings)
    return Judged(
        f"{sum(one.verdict <= Verdict.NOTE for one in report.findings)} of {len(report.findings)} rungs",
        report.findings,
        {"answers": answers, "prompt": report.prompt, "answer": report.answer, "model": report.model},
    )


def proof_part(given: Acceptance) -> Judged:
    """Each token of some answers, against a reference that reads the weights itself."""
    try:
        with given.connect() as group:
            report = prove_cluster(group, given.cluster, ProofOptions(), given.listener)
    except WeightsError as error:
        # The reference cannot read them, .bin files say; whether they are whole the part before has told.
        finding = Finding(
            error.code, Verdict.UNKNOWN, error.what, error.where, None, error.evidence, error.remedy
        )
        return Judged(f"not judged: {error.what}", (finding,))
    told = [one.message for one in report.findings if one.check == "answers"]
    what = told[0] if told else "the answers could not be judged"
    return Judged(what, report.findings, {"reference": dict(report.costs)})


def restart_part(given: Acceptance) -> Judged:
    """Stop and start of all daemons, until the model answers again as before."""
    restart(given.cluster, Unattended(given.listener))
    after = smoke_part(given)
    return Judged(f"answers again: {after.what}", after.findings, after.data)


PARTS: tuple[AcceptancePart, ...] = (
    AcceptancePart("network", "lingctl check-network --mesh full", network_part),
    AcceptancePart("versions", "lingctl check-network", versions_part),
    AcceptancePart("weights", "lingctl verify-weights --full FOLDER (on each node)", weights_part),
    AcceptancePart("overlay", "lingctl patch verify", overlay_part),
    AcceptancePart("state", "lingctl deploy --dry-run", state_part),
    AcceptancePart("cards", "lingctl npu-check --allow-running", cards_part),
    AcceptancePart("smoke", "lingctl smoke-test", smoke_part),
    AcceptancePart("proof", "lingctl prove", proof_part, "smoke", "answers"),
    AcceptancePart("load", "lingctl bench --sweep", measure, "smoke", "answers"),
    AcceptancePart("soak", "lingctl bench", soak, "smoke", "answers"),
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
