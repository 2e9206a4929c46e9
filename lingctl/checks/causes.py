"""Which of many findings is the root: what makes others fail stands before what follows from it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from lingctl.findings import Finding, worst_first

# Without the first nothing is known of a card, without a card there is no link, without a link no answer.
_CAUSES = ("ssh", "hccn-tool", "card-count", "card", "npu-health", "link", "ip", "ip-unique", "netmask-same")
# Each of these also fails where one of the others does, further up or on another node.
_CONSEQUENCES = ("optics", "speed", "lldp", "gateway", "net-health", "netdetect", "mtu-same", "reach", "ping")


def root_first(findings: Iterable[Finding]) -> list[Finding]:
    """Worst verdict first, then what causes others, what stands for itself, and what may only follow."""
    return sorted(worst_first(findings), key=lambda finding: (-finding.verdict, _place(finding.check)))


def _place(check: str) -> int:
    if check in _CAUSES:
        return _CAUSES.index(check) - len(_CAUSES)
    return 1 + _CONSEQUENCES.index(check) if check in _CONSEQUENCES else 0
