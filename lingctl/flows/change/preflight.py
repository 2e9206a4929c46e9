"""Before anything starts: are the nodes fit, does the model fit the cards, do containers see the overlay."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lingctl.ascend.facts import NodeFacts
from lingctl.checks.capacity import check_capacity
from lingctl.checks.causes import root_first
from lingctl.engines import engine_of
from lingctl.errors import ChecksFailed
from lingctl.events import Event, Listener
from lingctl.findings import Finding, Verdict, folded
from lingctl.flows.network.check import CheckOptions, NetworkReport, check_network
from lingctl.flows.overlay.patch import PatchOptions, patch_nodes
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.models.catalogue import Shape
from lingctl.remote.group import Group


@dataclass(frozen=True, slots=True)
class Preflight:
    """The gates of one deploy."""

    group: Group
    cluster: Cluster
    listener: Listener
    accepted: Collection[str] = ()  # names of checks that may fail: the operator knows better

    def nodes(self) -> NetworkReport:
        """Check every node, card and link.

        Raises:
            ChecksFailed: something is not fit, or could not be judged.
        """
        report = check_network(self.group, self.cluster, CheckOptions(), self.listener)
        self._pass(report.findings)
        return report

    def capacity(self, facts: Mapping[str, NodeFacts], shape: Shape | None) -> None:
        """Be sure that weights and one longest request fit the cards' memory.

        Raises:
            ChecksFailed: they do not, or the memory is not known.
        """
        self._pass(check_capacity(self.cluster, facts, shape))

    def overlay(self) -> None:
        """Be sure that every container sees the overlay that its engine needs, on stock files that it fits.

        Raises:
            ChecksFailed: one does not; its daemon would refuse the model, or answer wrongly.
        """
        if not engine_of(self.cluster).overlay.files:
            return
        report = patch_nodes(self.group, self.cluster, "status", PatchOptions())
        self._pass(report.findings, Verdict.WARNING)

    def _pass(self, findings: Sequence[Finding], worst: Verdict = Verdict.UNKNOWN) -> None:
        unfit = [finding for finding in findings if finding.verdict >= worst]
        for finding in unfit:
            if finding.check in self.accepted:
                text = f"{finding.verdict.word}, accepted: {finding.message}"
                self.listener(Event(finding.check, "note", finding.where, text))
        stop_on([finding for finding in unfit if finding.check not in self.accepted], waivable=True)


def stop_on(findings: Sequence[Finding], *, waivable: bool = False) -> None:
    """Raise ``ChecksFailed`` for the root of ``findings``, which names the others, if there are any."""
    if (failed := failed_checks(findings, waivable=waivable)) is not None:
        raise failed


def failed_checks(
    findings: Sequence[Finding], *, waivable: bool = False, what: str = "not fit to start"
) -> ChecksFailed | None:
    """The root of ``findings`` as an error that names the others; ``what`` tells what it means."""
    if not findings:
        return None
    first, *others = root_first(folded(findings))
    waive = f"\nor, if you know better: lingctl deploy --accept {first.check}" if waivable else ""
    more = f" (and {len(others)} more: lingctl check-network shows all)" if others else ""
    return ChecksFailed(
        f"{what}: {first.message}{more}",
        where=first.where,
        evidence="\n".join(f"{f.verdict.word} {f.check} {f.where}: {f.message}" for f in others[:7])
        or first.evidence,
        remedy=f"{first.remedy}{waive}".lstrip(),
        code=f"check-{first.check}",
    )
