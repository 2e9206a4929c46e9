"""prove: greedy answers of a service, held against a reference that reads the weights itself."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lingctl.engines import engine_of
from lingctl.errors import LingctlError
from lingctl.events import Event, Listener
from lingctl.findings import Finding, Subject, proof_status, worst
from lingctl.flows.serve.asked_service import ClusterService, UrlService
from lingctl.flows.serve.proof_node import ProofNode, here, on_node, request_name
from lingctl.flows.serve.proof_shares import BegunProof, already_begun, begin, reckon
from lingctl.flows.serve.proof_texts import ProofOptions, ask_service
from lingctl.remote.group import raise_failures
from lingctl.serving.endpoint import Endpoint
from lingctl.serving.http.exchange import Limits
from lingctl.serving.proof.verdicts import Proof, questions_of

_AN_ANSWER = 3600.0


@dataclass(frozen=True, slots=True)
class ProofReport:
    """What was found."""

    url: str
    model: str
    kind: str
    findings: tuple[Finding, ...]
    asked: tuple[Mapping[str, object], ...]
    costs: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # by node
    figures: Mapping[str, object] = field(default_factory=dict)  # what the verdicts rest on

    @property
    def exit_status(self) -> int:
        """0 proved, 1 wrong, 3 not all of it could be judged."""
        return proof_status(self.findings)

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "verdict": worst(self.findings).word,
            "url": self.url,
            "model": self.model,
            "kind": self.kind,
            "findings": [finding.as_json() for finding in self.findings],
            "figures": dict(self.figures),
            "questions": list(self.asked),
            "reference": dict(self.costs),
        }


def prove_endpoint(
    endpoint: Endpoint, weights: Path, options: ProofOptions, listener: Listener
) -> ProofReport:
    """Prove any service that can be reached from here, with weights on this machine.

    Raises:
        LingctlError: nothing answers, or the weights cannot be read here.
    """
    with tempfile.TemporaryDirectory(prefix="lingctl-prove-") as scratch:
        node = here(weights, Path(scratch), arrays=options.arrays)
        with UrlService(endpoint).client(_limits(options)) as client:
            texts = ask_service(client, options, node, listener)
        nodes = {node.name: node}
        return _proved(begin(texts, nodes, options.overrides), nodes, [], listener)


def prove_cluster(service: ClusterService, options: ProofOptions, listener: Listener) -> ProofReport:
    """Prove a cluster's service, with the weights on its nodes; those that have them share the answers.

    A proof that was cut off and still runs on a node is picked up, with the answers that it was begun with.

    Raises:
        LingctlError: a daemon is dead or cannot be seen, nothing answers, or no node can read the weights.
        ConnectError: the connection was lost; the nodes go on.
    """
    group, cluster = service.group, service.cluster
    kind = service.kind(options.kind)
    overrides = {**engine_of(cluster).told_otherwise(cluster), **options.overrides}
    options = replace(options, kind=kind, overrides=overrides)
    name = request_name(options.questions(kind), kind, cluster.serving.served_name)
    listener(Event("weights", "started"))
    looked = group.map(
        lambda connection: on_node(connection, cluster, name, host=options.host, arrays=options.arrays)
    )
    nodes = {name: node for name, node in looked.items() if isinstance(node, ProofNode)}
    if not nodes:
        raise_failures(looked)
    listener(Event("weights", "done"))
    apart = [_apart(name, error) for name, error in looked.items() if isinstance(error, LingctlError)]
    if begun := already_begun(nodes):
        text = "a proof of the same questions runs there already: it is picked up"
        listener(Event("reference", "note", text=text))
        return _proved(begun, nodes, apart, listener)
    service.need_no_lost_node("prove")
    first = next(iter(nodes.values()))
    with service.client(_limits(options)) as client:
        texts = ask_service(client, options, first, listener)
    return _proved(begin(texts, nodes, options.overrides), nodes, apart, listener)


def _limits(options: ProofOptions) -> Limits:
    # Answers are not streamed: nothing is heard before the end.
    return Limits(idle=max(options.patience, 1.0), total=_AN_ANSWER)


def _apart(node: str, error: LingctlError) -> Finding:
    text = f"takes no part in the reference: {error.what}"
    return Subject("reference", node).note(text, evidence=error.evidence, remedy=error.remedy)


def _proved(
    begun: BegunProof, nodes: Mapping[str, ProofNode], apart: list[Finding], listener: Listener
) -> ProofReport:
    texts, done = begun.texts, reckon(begun, nodes, listener)
    proof = Proof(done.measured, done.controls, done.pieces)
    findings = [*apart, *done.lacking, *proof.findings(texts.unknown, done.not_made)]
    if texts.unsteady:
        findings.append(
            Subject("greedy").warning(
                f"asked again, it answers otherwise: {', '.join(texts.unsteady[:4])}",
                remedy="is temperature 0 obeyed? An engine that rounds by what else runs does so too",
            )
        )
    answers = [*(one.answered for one in texts.known), *(one.answered for one in texts.unknown)]
    asked = tuple(questions_of(answers))
    told = proof.figures()
    return ProofReport(texts.url, texts.model, texts.kind, tuple(findings), asked, done.costs, told)
