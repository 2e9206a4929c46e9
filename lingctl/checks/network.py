"""All checks together: from the facts of every node to the findings of the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from lingctl.ascend.cards.hccn import DeviceAddress
from lingctl.ascend.facts import CardFacts, NodeFacts
from lingctl.ascend.reach import read_reach
from lingctl.ascend.scope import Scope
from lingctl.ascend.unread import Unread
from lingctl.checks.between.cluster import cluster_findings
from lingctl.checks.cards import port_signal, roce
from lingctl.checks.cards.address import judge_address
from lingctl.checks.cards.conf import conf_findings
from lingctl.checks.cards.count import answers, count_findings, judge_card, judge_tool
from lingctl.checks.cards.judge import not_read
from lingctl.checks.cards.surroundings import Surroundings, surroundings_of
from lingctl.checks.nodes import node_findings
from lingctl.checks.reach.mesh import Hit, mesh_findings
from lingctl.checks.reach.reachability import reach_findings
from lingctl.checks.remedies import clauses, set_address
from lingctl.findings import Finding, Subject, Verdict
from lingctl.remote.probe import Answer

# What is said of a node that nobody wanted to ask.
NOT_ASKED = "not asked: --node names others"
# Inside one server nothing needs the cards' RoCE ports: HCCS carries it.
ROCE_CHECKS = frozenset(
    {
        "hccn-tool",
        "link",
        "ip",
        "ip-unique",
        "ip-family",
        "netmask-same",
        "tls",
        "tls-same",
        "net-health",
        "netdetect",
        "gateway",
        "lldp",
        "switch-port",
        "mtu",
        "mtu-same",
        "speed",
        "speed-same",
        "link-flaps",
        "optics",
        "error-counters",
        "hccn-conf",
        "ping",
    }
)


def judge(
    scope: Scope,
    facts: Mapping[str, NodeFacts],
    lost: Mapping[str, Finding] = MappingProxyType({}),
    reached: Mapping[str, Answer] = MappingProxyType({}),
    hits: Sequence[Hit] | None = None,
    left_out: int = 0,
) -> tuple[Finding, ...]:
    """Every finding, in the order of nodes and checks.

    Args:
        facts: by node, of those that answered.
        lost: why a node did not answer, by node.
        reached: what each node says that it could reach over the host network: as it came, for all of it read
            would be the square of the nodes.
        hits: pings of the mesh; None when it was not asked for.
        left_out: pings that the time limit cut.
    """
    findings = [finding for finding in lost.values() if finding.message != NOT_ASKED]
    if not_asked := [name for name, finding in lost.items() if finding.message == NOT_ASKED]:
        findings.append(_not_asked(not_asked))
    around = surroundings_of(facts)
    for node in scope.nodes:
        if node.name in facts:
            findings += _node(facts[node.name], scope, around)
            if node.name in reached:
                findings += reach_findings(scope, node.name, read_reach(reached[node.name]))
    silent = [node.name for node in scope.nodes if node.name not in facts]
    findings += (_of_a_part(finding, silent) for finding in cluster_findings(facts, scope))
    findings += [Finding("engine-version", Verdict.NOTE, remark) for remark in scope.remarks]
    if hits is not None and scope.multi_node:
        findings += mesh_findings(scope, facts, hits, left_out)
    if not scope.multi_node:
        findings = [_softened(finding) for finding in findings]
    return tuple(findings)


def _not_asked(names: Sequence[str]) -> Finding:
    """What nobody asked is unknown, and so is what lies between it and the others."""
    text = (
        f"not judged, as --node left them out: {', '.join(names)}, what differs between them and others, and "
        "the ways to them"
    )
    return Finding("ssh", Verdict.UNKNOWN, text, remedy="lingctl check-network")


def _of_a_part(finding: Finding, silent: Sequence[str]) -> Finding:
    """What all nodes that answered have in common is not what all nodes have."""
    if not silent or finding.node or finding.verdict > Verdict.NOTE:
        return finding
    text = f"{finding.message}, as far as nodes answered; not judged for {', '.join(silent)}"
    return replace(finding, verdict=Verdict.UNKNOWN, message=text)


def _node(facts: NodeFacts, scope: Scope, around: Surroundings) -> Iterator[Finding]:
    of = Subject("ssh", facts.node)
    yield (
        of.passes("answers")
        if facts.complete
        else of.unknown(
            "the node was lost before it had answered everything",
            remedy="run it again; if it happens again, look at the node's own log: journalctl -u sshd",
        )
    )
    tool = judge_tool(facts)
    yield tool
    yield from count_findings(facts)
    if tool.verdict <= Verdict.NOTE:
        if isinstance(facts.conf, Unread):
            yield _no_conf(facts, facts.conf)
        for card in facts.cards.values():
            yield from _card(facts, card, around)
    yield from node_findings(facts, scope)


def _card(facts: NodeFacts, card: CardFacts, around: Surroundings) -> Iterator[Finding]:
    node = facts.node
    yield judge_card(facts, card)
    if not answers(card):
        return
    if roce.without_roce(facts.generation, card):
        text = "not judged: its RoCE port is not set up, as is usual inside one super-pod"
        yield Finding("link", Verdict.NOTE, text, node, card.card)
        return
    yield roce.judge_link(node, card)
    yield judge_address(node, card, facts.generation, around)
    yield roce.judge_tls(node, card)
    yield roce.judge_health(node, card, around)
    yield roce.judge_netdetect(node, card, around)
    yield roce.judge_gateway(node, card, around)
    yield roce.judge_neighbour(node, card)
    yield roce.judge_mtu(node, card)
    yield from conf_findings(node, card, facts.conf)
    yield port_signal.judge_speed(node, card)
    yield port_signal.judge_flaps(node, card)
    yield port_signal.judge_optics(node, card)
    yield port_signal.judge_counters(node, card)


def _no_conf(facts: NodeFacts, conf: Unread) -> Finding:
    if "No such file" not in conf.quote:
        return not_read(Subject("hccn-conf", facts.node), conf)
    write = [
        set_address(card, seen.address.address, seen.address.netmask)
        for card, seen in facts.cards.items()
        if isinstance(seen.address, DeviceAddress)
    ]
    return Subject("hccn-conf", facts.node).failure(
        "/etc/hccn.conf is not there: the cards' settings are lost at the next reboot",
        evidence=conf.quote,
        remedy=f"set them again, which writes it: {clauses(*write)}"
        if write
        else "set the cards' addresses, which writes it",
    )


def _softened(finding: Finding) -> Finding:
    if finding.check not in ROCE_CHECKS or finding.verdict <= Verdict.NOTE:
        return finding
    text = f"{finding.message} (one server: nothing here needs it)"
    return replace(finding, verdict=Verdict.NOTE, message=text)
