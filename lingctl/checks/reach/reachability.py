"""Can every node reach the others' service ports over the host network?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lingctl.ascend.reach import Reached
from lingctl.ascend.scope import Scope
from lingctl.ascend.unread import Unread
from lingctl.checks.cards.judge import not_read
from lingctl.findings import Finding, Subject

Targets = dict[tuple[str, int], str]
_WORDS = {
    "silent": "no answer, as behind a firewall that drops",
    "no-route": "no way there, or refused by a firewall",
}


def targets_of(scope: Scope, node: str) -> Targets:
    """What a node has to reach: {(address, port): node's name}."""
    ports = {*scope.ports.values(), *scope.shared_ports.values()} if scope.multi_node else set()
    return {
        (other.address, port): other.name
        for other in scope.nodes
        if other.name != node and other.address
        for port in sorted(ports)
    }


def reach_findings(
    scope: Scope, node: str, reached: Mapping[tuple[str, int], Reached] | Unread
) -> Iterator[Finding]:
    """What one node found."""
    targets = targets_of(scope, node)
    if not targets:
        return
    of = Subject("reach", node)
    if isinstance(reached, Unread):
        yield not_read(of, reached, optional=True)
        return
    bad: dict[str, list[tuple[int, str]]] = {}
    untold: dict[str, list[int]] = {}
    for (address, port), other in targets.items():
        how = reached.get((address, port))
        if how is None:
            untold.setdefault(other, []).append(port)
        elif how in _WORDS:
            bad.setdefault(other, []).append((port, how))
    for other, tried in bad.items():
        address = scope.node(other).address
        said = "; ".join(f"port {port}: {_WORDS[how]}" for port, how in tried)
        opened = "; ".join(f"firewall-cmd --add-port={port}/tcp" for port, _ in tried)
        yield of.failure(
            f"cannot reach {other} at {address}: {said}",
            remedy=f"look at the route: ip route get {address}; or open the ports on {other}, and in its "
            f"security group: {opened}",
        )
    for other, ports in untold.items():
        yield of.unknown(f"not judged: nothing was said of {other}, port {', '.join(map(str, ports))}")
    if not bad and not untold:
        yield of.passes(f"{len({*targets.values()})} nodes on every port")
