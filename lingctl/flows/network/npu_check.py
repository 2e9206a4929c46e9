"""npu-check: do the cards compute, and do they reach each other, in the container that will serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from lingctl.engines import engine_of, usual_engine
from lingctl.errors import LingctlError, NodeError
from lingctl.events import Event, Listener
from lingctl.findings import Finding, Subject, Verdict, exit_status_of, finding_of
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node
from lingctl.program.answers import as_document
from lingctl.program.node_program import NodeProgram
from lingctl.program.prepare import InContainer, prepare
from lingctl.program.settings import with_settings
from lingctl.release.site import site_of
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.local import LOCAL_NODE, LocalConnection

_SLACK = 300.0

CardOutcome = Literal["good", "wrong", "failed"]


@dataclass(frozen=True, slots=True)
class CardAnswer:
    """What one card did; None is what it did not come to."""

    card: int
    rank: int | None = None
    product: CardOutcome | None = None  # how a bf16 product came out, and by how much it was off
    product_error: float | None = None
    reduced: CardOutcome | None = None  # how an all-reduce over all cards did, and how long it took
    seconds: float | None = None
    error: str | None = None  # what went wrong


@dataclass(frozen=True, slots=True)
class NpuAnswer:
    """What the node program says of the cards of one node."""

    device: str
    versions: Mapping[str, str]
    found: int
    expected: int
    cards: tuple[CardAnswer, ...]


@dataclass(frozen=True, slots=True)
class _Port:
    port: int


@dataclass(frozen=True, slots=True)
class NpuOptions:
    """What was asked for."""

    device: str = "npu"  # ``npu``, or ``cpu`` to go the same way with torch's gloo
    cards: int | None = None  # workers of this machine with ``cpu``
    host: bool = False  # on the nodes themselves rather than in their containers
    timeout: int = 180  # seconds for the all-reduce
    allow_running: bool = False  # although MindIE uses the cards


# CANN's code of an address and port that are bound already. Its 8.1 documents how others are given out (see
# ``node.npu_check``); whether the 8.0 of MindIE 1.0.0 does so too is not known.
_PORT_HELD = "EJ0003"


@dataclass(frozen=True, slots=True)
class NpuReport:
    """Every node's answer or error, and the verdicts."""

    answers: Mapping[str, NpuAnswer | LingctlError]
    findings: tuple[Finding, ...]

    @property
    def exit_status(self) -> int:
        """0 all good; 3 not; the error's own where no node could be asked."""
        return exit_status_of(self.answers.values(), self.findings)

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        nodes = []
        for node, answer in self.answers.items():
            if isinstance(answer, LingctlError):
                nodes.append({"node": node, "reached": False, "error": answer.what})
            else:
                nodes.append({"node": node, "reached": True, **as_document(answer)})
        return {"nodes": nodes, "findings": [finding.as_json() for finding in self.findings]}


def npu_check_here(options: NpuOptions, listener: Listener) -> NpuReport:
    """Check the cards of this machine, with the Python that runs lingctl."""
    import sys

    words = _words(options)
    if options.cards:
        words += ["--cards", options.cards]
    listener(Event("cards", "started"))
    program = NodeProgram(LocalConnection(), sys.executable, "-m", "lingctl.node")
    try:
        answer: NpuAnswer | LingctlError = program.ask(NpuAnswer, *words, timeout=options.timeout + _SLACK)
    except LingctlError as error:
        answer = error
    listener(Event("cards", "done"))
    return _report({LOCAL_NODE: answer}, options)


def npu_check_nodes(group: Group, cluster: Cluster, options: NpuOptions, listener: Listener) -> NpuReport:
    """Check the cards of all nodes, with one all-reduce over all of them.

    A node that cannot take part is told before any other is made to wait for it.
    """
    listener(Event("cards", "started"))
    site = site_of(cluster)
    inside = InContainer(
        site.runtime,
        site.container,
        lacking="no torch_npu to ask",
        code="npu-no-container",
    )
    path, where = site.layout.program, None if options.host else inside
    through = with_settings(engine_of(cluster).about.set_env)  # torch_npu finds CANN by these
    runs = group.map(lambda connection: prepare(connection, path, where, through=through))
    programs = {name: run for name, run in runs.items() if isinstance(run, NodeProgram)}
    if len(programs) < len(runs):
        return _report({node.name: _left_out(runs[node.name]) for node in cluster.nodes}, options)
    master = cluster.primary.service_address
    find = ("npu-check", "--find-port", "--master", master)
    port = programs[cluster.primary.name].ask(_Port, *find, timeout=_SLACK).port

    def work(connection: Connection) -> NpuAnswer:
        node = cluster.node(connection.node)
        words = [*_words(options), "--cards", len(node.devices), "--world", cluster.world_size]
        words += ["--first-rank", site.first_rank(node.name), "--master", master, "--port", port]
        words += ["--address", node.service_address, *_visible(cluster, node, options)]
        return programs[node.name].ask(NpuAnswer, *words, timeout=options.timeout + _SLACK)

    outcomes = group.map(work, together=True)
    listener(Event("cards", "done"))
    return _report({node.name: outcomes[node.name] for node in cluster.nodes}, options)


def _visible(cluster: Cluster, node: Node, options: NpuOptions) -> list[str]:
    """Which cards to use where all are seen; a container that is given some numbers them from 0."""
    subset = node.devices != tuple(range(len(node.devices)))
    if not subset or not (options.host or cluster.container.privileged):
        return []
    return ["--visible", ",".join(str(device) for device in node.devices)]


def _words(options: NpuOptions) -> list[str | int]:
    words: list[str | int] = ["npu-check", "--device", options.device, "--timeout", options.timeout]
    return [*words, "--allow-running"] if options.allow_running else words


def _left_out(run: NodeProgram | LingctlError) -> LingctlError:
    if isinstance(run, LingctlError):
        return run
    return NodeError("not asked: an all-reduce needs every node", code="npu-left-out")


def _report(answers: Mapping[str, NpuAnswer | LingctlError], options: NpuOptions) -> NpuReport:
    findings: list[Finding] = []
    # Where the engine holds HCCL's ports, all ranks fail: one by that, the others for want of it.
    held = options.allow_running and any(
        _PORT_HELD in (card.error or "")
        for answer in answers.values()
        if isinstance(answer, NpuAnswer)
        for card in answer.cards
    )
    for node, answer in answers.items():
        if isinstance(answer, LingctlError):
            verdict = Verdict.UNKNOWN if answer.code == "npu-left-out" else Verdict.FAILURE
            findings.append(finding_of(answer, verdict, node=node))
        else:
            findings += _judged(node, answer, held=held)
    if options.device == "cpu":
        findings.append(
            Finding("npu-device", Verdict.NOTE, "no card was used: torch on the processor, with gloo")
        )
    return NpuReport(answers, tuple(findings))


def _judged(node: str, answer: NpuAnswer, *, held: bool) -> Iterable[Finding]:
    found, expected = answer.found, answer.expected
    count = Verdict.PASS if found >= expected else Verdict.FAILURE
    yield Subject("npu-count", node).finding(
        count,
        f"{found} of {expected} cards are seen",
        remedy="" if count is Verdict.PASS else "npu-smi info; give the missing cards to the container",
    )
    for card in answer.cards:
        yield _product(node, card)
        if card.reduced is not None:
            yield _reduced(node, card, held=held)


def _product(node: str, card: CardAnswer) -> Finding:
    of = Subject("npu-product", node, card.card)
    if card.product == "good":
        return of.passes(f"bf16 product {_off(card)}")
    if card.product == "wrong":
        text = f"computes wrongly: a bf16 product is {_off(card)}"
        return of.failure(text, remedy="npu-smi info; replace the card")
    return _failed(of, "the card did not compute", card)


def _off(card: CardAnswer) -> str:
    return "off by an unknown amount" if card.product_error is None else f"off by {card.product_error:.1e}"


def _reduced(node: str, card: CardAnswer, *, held: bool) -> Finding:
    of = Subject("npu-all-reduce", node, card.card)
    if card.reduced == "good":
        return of.passes(f"all-reduce in {'?' if card.seconds is None else card.seconds} s")
    if card.reduced == "wrong":
        return of.failure("the all-reduce gave a wrong sum", remedy="lingctl check-network")
    if held:
        return of.unknown(
            "not judged: HCCL found its ports taken, which the engine that runs holds",
            evidence=_last_lines(card),
            remedy="without the engine: lingctl stop; lingctl npu-check",
        )
    return _failed(of, "the all-reduce failed", card)


def _failed(of: Subject, what: str, card: CardAnswer) -> Finding:
    # These are CANN's and HCCL's words, whatever the engine.
    if known := usual_engine().logs.explain(card.error or ""):
        first = known[0]
        return of.failure(f"{what}: {first.cause}", evidence=first.line, remedy=first.remedy)
    remedy = "lingctl check-network; npu-smi info; the plog files below ~/ascend/log tell more"
    return of.failure(what, evidence=_last_lines(card), remedy=remedy)


def _last_lines(card: CardAnswer) -> str:
    return "\n".join((card.error or "").splitlines()[-5:])
