"""npu-check: do the cards compute, and do they reach each other, in the container that will serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lingctl.engines import engine_of, usual_engine
from lingctl.errors import LingctlError, NodeError
from lingctl.events import Event, Listener
from lingctl.findings import Finding, Verdict, worst
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node
from lingctl.program import pack as node_program
from lingctl.program.answers import program_error, read_answers
from lingctl.release.layout import layout_of
from lingctl.remote.command import Command, command
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.local import LOCAL_NODE, LocalConnection
from lingctl.remote.runtime import runtime_script
from lingctl.remote.upload import WriteFile

_LOOK = """
sha256sum "$1" 2>/dev/null | cut -d" " -f1
"$runtime" inspect --format "container {{.State.Status}}" "$2" 2>/dev/null || echo "container absent"
"""
# torch_npu finds CANN by these; they are bash scripts. What is not there is not sourced.
_WITH_CANN = """
while [ "$1" != -- ]; do
  if [ -f "$1" ]; then . "$1" >/dev/null 2>&1; fi
  shift
done
shift
exec "$@"
"""
_SLACK = 300.0

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NpuOptions:
    """What was asked for.

    Attributes:
        device: ``npu``, or ``cpu`` to go the same way with torch's gloo.
        cards: workers of this machine with ``cpu``.
        host: on the nodes themselves rather than in their containers.
        timeout: seconds for the all-reduce.
        allow_running: although MindIE uses the cards.
    """

    device: str = "npu"
    cards: int | None = None
    host: bool = False
    timeout: int = 180
    allow_running: bool = False


@dataclass(frozen=True, slots=True)
class NpuReport:
    """Every node's answer or error, and the verdicts."""

    answers: Mapping[str, Answer | LingctlError]
    findings: tuple[Finding, ...]

    @property
    def exit_status(self) -> int:
        """0 all good; 3 not; the error's own where no node could be asked."""
        errors = [answer for answer in self.answers.values() if isinstance(answer, LingctlError)]
        if errors and len(errors) == len(self.answers):
            return errors[0].exit_status
        return 3 if worst(self.findings) >= Verdict.WARNING else 0

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        nodes = []
        for node, answer in self.answers.items():
            if isinstance(answer, LingctlError):
                nodes.append({"node": node, "reached": False, "error": answer.what})
            else:
                nodes.append({"node": node, "reached": True, **answer})
        return {"nodes": nodes, "findings": [finding.as_json() for finding in self.findings]}


def npu_check_here(options: NpuOptions, listener: Listener) -> NpuReport:
    """Check the cards of this machine, with the Python that runs lingctl."""
    import sys

    words = [sys.executable, "-m", "lingctl.node", "npu-check", *_options(options)]
    if options.cards:
        words += ["--cards", str(options.cards)]
    listener(Event("cards", "started"))
    connection = LocalConnection()
    try:
        answer: Answer | LingctlError = _ask(connection, command(*words), options)
    except LingctlError as error:
        answer = error
    listener(Event("cards", "done"))
    return _report({LOCAL_NODE: answer}, options)


def npu_check_nodes(group: Group, cluster: Cluster, options: NpuOptions, listener: Listener) -> NpuReport:
    """Check the cards of all nodes, with one all-reduce over all of them.

    A node that cannot take part is told before any other is made to wait for it.
    """
    listener(Event("cards", "started"))
    runs = group.map(lambda connection: _prepared(connection, cluster, options))
    missing = {name: run for name, run in runs.items() if isinstance(run, LingctlError)}
    if missing:
        return _report({node.name: _left_out(runs[node.name]) for node in cluster.nodes}, options)
    calls = {name: run for name, run in runs.items() if not isinstance(run, LingctlError)}
    primary = cluster.primary
    port = _ask(
        group[primary.name],
        calls[primary.name]("--find-port", "--master", primary.service_address),
        options,
    )["port"]
    first_ranks = _first_ranks(cluster.nodes)

    def work(connection: Connection) -> Answer:
        node = next(node for node in cluster.nodes if node.name == connection.node)
        words: list[str | int] = ["--cards", len(node.devices), "--world", cluster.world_size]
        words += ["--first-rank", first_ranks[node.name], "--master", primary.service_address]
        words += ["--port", int(port), "--address", node.service_address, *_options(options)]
        words += _visible(cluster, node, options)
        return _ask(connection, calls[node.name](*words), options)

    outcomes = group.map(work, together=True)
    listener(Event("cards", "done"))
    return _report({node.name: outcomes[node.name] for node in cluster.nodes}, options)


class _Call:
    """Builds calls of the node program where the cards are used."""

    def __init__(self, cluster: Cluster, container: str) -> None:
        self._program = layout_of(cluster).program
        self._before = (cluster.runtime.program, "exec", container) if container else ()
        self._set_env = engine_of(cluster).about.set_env

    def __call__(self, *words: str | int) -> Command:
        inner = ("python3", self._program, "npu-check", *words)
        shell = ("bash", "-c", _WITH_CANN, "lingctl", *self._set_env, "--")
        return command(*self._before, *shell, *inner, title="npu-check")


def _prepared(connection: Connection, cluster: Cluster, options: NpuOptions) -> _Call:
    layout, name = layout_of(cluster), cluster.container_name
    looked = connection.run(
        runtime_script(cluster.runtime, _LOOK, layout.program, name, title="look for the container"),
        timeout=60,
    ).stdout.split()
    if node_program.digest() not in looked:
        connection.put(WriteFile(layout.program, node_program.build(), 0o640))
    if options.host:
        return _Call(cluster, "")
    status = looked[-1] if looked else "unknown"
    if status != "running":
        raise NodeError(
            f"container {name} is {status}, so there is no torch_npu to ask",
            where=connection.node,
            remedy="lingctl deploy starts it; on the nodes themselves: --host",
            code="npu-no-container",
        )
    return _Call(cluster, name)


def _first_ranks(nodes: Iterable[Node]) -> dict[str, int]:
    ranks, first = {}, 0
    for node in nodes:
        ranks[node.name] = first
        first += len(node.devices)
    return ranks


def _visible(cluster: Cluster, node: Node, options: NpuOptions) -> list[str]:
    """Which cards to use where all are seen; a container that is given some numbers them from 0."""
    subset = node.devices != tuple(range(len(node.devices)))
    if not subset or not (options.host or cluster.container.privileged):
        return []
    return ["--visible", ",".join(str(device) for device in node.devices)]


def _options(options: NpuOptions) -> list[str]:
    words = ["--device", options.device, "--timeout", str(options.timeout)]
    return [*words, "--allow-running"] if options.allow_running else words


def _ask(connection: Connection, call: Command, options: NpuOptions) -> Answer:
    done = connection.run(call, timeout=options.timeout + _SLACK)
    told = read_answers(done.stdout)
    if told.result is not None:
        return {key: value for key, value in told.result.items() if key != "event"}
    if told.trouble is not None:
        raise program_error(told.trouble, connection.node)
    raise NodeError(
        "the node program gave no answer",
        where=connection.node,
        evidence=done.last_words(),
        remedy="Python 3.9 or newer must be there as python3, and bash",
        code="no-python",
    )


def _left_out(run: _Call | LingctlError) -> LingctlError:
    if isinstance(run, LingctlError):
        return run
    return NodeError(
        "not asked: an all-reduce needs every node",
        remedy="mend the other nodes first",
        code="npu-left-out",
    )


def _report(answers: Mapping[str, Answer | LingctlError], options: NpuOptions) -> NpuReport:
    findings: list[Finding] = []
    for node, answer in answers.items():
        if isinstance(answer, LingctlError):
            verdict = Verdict.UNKNOWN if answer.code == "npu-left-out" else Verdict.FAILURE
            findings.append(
                Finding(answer.code, verdict, answer.what, node, None, answer.evidence, answer.remedy)
            )
        else:
            findings += _judged(node, answer)
    if options.device == "cpu":
        findings.append(
            Finding("npu-device", Verdict.NOTE, "no card was used: torch on the processor, with gloo")
        )
    return NpuReport(answers, tuple(findings))


def _judged(node: str, answer: Answer) -> Iterable[Finding]:
    found, expected = answer["found"], answer["expected"]
    count = Verdict.PASS if found >= expected else Verdict.FAILURE
    yield Finding(
        "npu-count",
        count,
        f"{found} of {expected} cards are seen",
        node,
        remedy="" if count is Verdict.PASS else "npu-smi info; give the missing cards to the container",
    )
    for card in answer["cards"]:
        device, error = int(card["card"]), str(card.get("error", ""))
        yield _product(node, device, card, error)
        if "reduced" in card:
            yield _reduced(node, device, card, error)


def _product(node: str, device: int, card: Answer, error: str) -> Finding:
    if card.get("product") == "good":
        text = f"bf16 product off by {float(card['product_error']):.1e}"
        return Finding("npu-product", Verdict.PASS, text, node, device)
    if card.get("product") == "wrong":
        text = f"computes wrongly: a bf16 product is off by {float(card['product_error']):.1e}"
        return Finding(
            "npu-product", Verdict.FAILURE, text, node, device, remedy="npu-smi info; replace the card"
        )
    return _failed("npu-product", "the card did not compute", node, device, error)


def _reduced(node: str, device: int, card: Answer, error: str) -> Finding:
    if card["reduced"] == "good":
        return Finding("npu-all-reduce", Verdict.PASS, f"all-reduce in {card['seconds']} s", node, device)
    if card["reduced"] == "wrong":
        text = "the all-reduce gave a wrong sum"
        return Finding("npu-all-reduce", Verdict.FAILURE, text, node, device, remedy="lingctl check-network")
    return _failed("npu-all-reduce", "the all-reduce failed", node, device, error)


def _failed(check: str, what: str, node: str, device: int, error: str) -> Finding:
    # These are CANN's and HCCL's words, whatever the engine.
    known = usual_engine().logs.explain(error)
    if known:
        first = known[0]
        return Finding(
            check, Verdict.FAILURE, f"{what}: {first.cause}", node, device, first.line, first.remedy
        )
    last = "\n".join(error.splitlines()[-5:])
    remedy = "lingctl check-network; npu-smi info; the plog files below ~/ascend/log tell more"
    return Finding(check, Verdict.FAILURE, what, node, device, last, remedy)
