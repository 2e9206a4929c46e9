"""check-network: ask every node, judge what it says, ping from card to card. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from lingctl.ascend.devices import DEV, read_dev
from lingctl.ascend.facts import NodeFacts
from lingctl.ascend.questions import glance_questions
from lingctl.ascend.scope import NodeScope, Scope
from lingctl.ascend.unread import Unread
from lingctl.checks.glance import glance_findings
from lingctl.checks.network import NOT_ASKED, judge
from lingctl.checks.nodes import ROOT_INFO
from lingctl.checks.reach.mesh import Hit
from lingctl.checks.reach.mesh_plan import Mode
from lingctl.checks.reach.picture import MeshPicture, mesh_picture
from lingctl.engines import engine_of
from lingctl.errors import ConnectError, LingctlError, NodeError, NotAskedError
from lingctl.events import Listener
from lingctl.findings import Finding, Verdict, finding_of, worst
from lingctl.flows.network.probe import (
    NodeAnswers,
    ask_more,
    ask_nodes,
    facts_of,
    hits_of,
)
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node
from lingctl.release.daemon import look_command
from lingctl.release.site import site_of
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.probe import Answer, Question

_SHM = "/dev/shm"  # noqa: S108  (looked at, nothing is written)
_MANAGERS = ("/dev/davinci_manager", "/dev/hisi_hdc", "/dev/devmm_svm")


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What to check."""

    mesh: Mode = "rotation"  # which cards ping each other
    mesh_seconds: float = 120.0  # time limit of the pings; those that it cuts are reported as not judged


@dataclass(frozen=True, slots=True)
class NetworkReport:
    """Everything that a check found."""

    scope: Scope  # what was checked
    facts: Mapping[str, NodeFacts]  # by node, of those that answered
    findings: tuple[Finding, ...]  # every verdict, passes too
    hits: tuple[Hit, ...] = ()  # pings that were made
    records: Mapping[str, NodeAnswers] = field(default_factory=dict)  # raw answers by node
    lost: Mapping[str, Finding] = field(default_factory=dict)
    unreachable: tuple[str, ...] = ()  # nodes that could not be logged in to

    @property
    def verdict(self) -> Verdict:
        """The worst of all findings."""
        return worst(self.findings)

    @property
    def asked(self) -> tuple[str, ...]:
        """The nodes that were meant, in order."""
        left_out = {name for name, finding in self.lost.items() if finding.message == NOT_ASKED}
        return tuple(node.name for node in self.scope.nodes if node.name not in left_out)

    @property
    def picture(self) -> MeshPicture:
        """The pings as matrices, of the nodes that were asked."""
        asked = tuple(node for node in self.scope.nodes if node.name in self.asked)
        return mesh_picture(replace(self.scope, nodes=asked), self.hits)


def check_network(group: Group, cluster: Cluster, options: CheckOptions, listener: Listener) -> NetworkReport:
    """Check a cluster; a node that cannot be reached or is lost on the way becomes an unknown finding."""
    return check_scope(group, scope_of(cluster), options, listener)


def questions_of_glance(cluster: Cluster, node: str) -> list[Question]:
    """What a node of a cluster that serves is asked; see ``glance_questions``."""
    scope = scope_of(cluster)
    return glance_questions(scope, scope.node(node))


def glance(cluster: Cluster, records: Mapping[str, NodeAnswers]) -> tuple[Finding, ...]:
    """What a short look at a cluster that serves shows. Its limits are ``glance.UNSEEN``.

    Args:
        records: the answers to ``questions_of_glance``, and maybe to others, of every node.
    """
    scope = scope_of(cluster)
    facts = {name: facts_of(scope, name, seen) for name, seen in records.items()}
    cut = [
        Finding("ssh", Verdict.UNKNOWN, "the node was lost before it had answered everything", name)
        for name, seen in facts.items()
        if not seen.complete
    ]
    return (*cut, *glance_findings(scope, facts))


def check_scope(group: Group, scope: Scope, options: CheckOptions, listener: Listener) -> NetworkReport:
    """Check what a scope names."""
    outcomes = ask_nodes(group, scope, listener)
    records = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, NodeAnswers)}
    errors = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, LingctlError)}
    if records and scope.multi_node:
        records = ask_more(group, scope, records, options.mesh, options.mesh_seconds, listener)
    lost = {name: _lost(name, error) for name, error in errors.items()}
    unreachable = tuple(name for name, error in errors.items() if isinstance(error, ConnectError))
    return judged(scope, records, lost, unreachable)


def judged(
    scope: Scope,
    records: Mapping[str, NodeAnswers],
    lost: Mapping[str, Finding] = MappingProxyType({}),
    unreachable: tuple[str, ...] = (),
) -> NetworkReport:
    """The report of raw answers, fresh or saved."""
    facts = {name: facts_of(scope, name, record) for name, record in records.items()}
    hits = tuple(hit for name, record in records.items() for hit in hits_of(scope, name, record))
    left_out = sum(record.left_out for record in records.values())
    pinged = hits if hits or left_out else None
    reached = {name: record.answers["reach"] for name, record in records.items() if "reach" in record.answers}
    findings = judge(scope, facts, lost, reached, pinged, left_out)
    return NetworkReport(
        scope=scope,
        facts=facts,
        findings=findings,
        hits=hits,
        records=records,
        lost=lost,
        unreachable=unreachable,
    )


def scope_of(cluster: Cluster) -> Scope:
    """What hosts.yaml says that must be fit."""
    serving, site, engine = cluster.serving, site_of(cluster), engine_of(cluster)
    weights = dict.fromkeys((cluster.downloaded_weights, cluster.converted_weights), "the weights' folder")
    sampling = {f"{folder}/generation_config.json": "the default sampling parameters" for folder in weights}
    overlay = {site.layout.overlay: "the overlay"} if engine.overlay.files else {}
    return Scope(
        nodes=tuple(
            NodeScope(node.name, node.devices, node.service_address, _paths(cluster, node))
            for node in cluster.nodes
        ),
        ports=engine.http.ports(serving),
        shared_ports={"inter-node": serving.inter_node_port} if cluster.multi_node else {},
        disks=(cluster.paths.models, cluster.paths.state, _SHM),
        writes=(cluster.paths.models, cluster.paths.state),
        digests={**weights, **sampling, **overlay},
        image=cluster.container.image or engine.about.image,
        runtime=site.runtime,
        service=look_command(site).text,
        driver=engine.about.driver,
        remarks=engine.remarks(cluster),
    )


def scope_of_machine(connection: Connection) -> Scope:
    """This machine alone: every card that it has.

    Raises:
        LingctlError: it cannot even be asked for its cards.
    """
    done = connection.run(DEV, timeout=20)
    cards = read_dev(Answer(done.stdout, done.stderr, done.exit_status))
    if isinstance(cards, Unread):
        raise NodeError(
            "it cannot be told which cards this machine has",
            where=connection.node,
            evidence=cards.quote or cards.text,
            code="cards-unreadable",
        )
    return Scope((NodeScope(connection.node, cards, paths=(*_MANAGERS, ROOT_INFO)),), disks=(_SHM,))


def _paths(cluster: Cluster, node: Node) -> tuple[str, ...]:
    """What the container is given from the host and deploy does not make itself."""
    spec = engine_of(cluster).container(cluster, node)
    made = (cluster.paths.models, cluster.paths.state)
    sources = [mount.split(":")[0] for mount in spec.mounts]
    given = [path for path in sources if not path.startswith(made)]
    return tuple(dict.fromkeys((*given, *_MANAGERS, ROOT_INFO)))


def _lost(name: str, error: LingctlError) -> Finding:
    if isinstance(error, NotAskedError):
        return Finding("ssh", Verdict.UNKNOWN, NOT_ASKED, name)
    return finding_of(error, Verdict.UNKNOWN, "ssh", name)
