"""patch: the overlay in an atb_llm tree here, or in the container (or on the host) of every node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from lingctl.engines import engine_of
from lingctl.errors import LingctlError
from lingctl.findings import Finding, exit_status_of
from lingctl.flows.overlay.answer import OverlayAnswer
from lingctl.flows.overlay.verdicts import judge
from lingctl.inventory.cluster import Cluster
from lingctl.mindie.overlay import package_document
from lingctl.node.overlay.package import make_package
from lingctl.node.overlay.program import TreeOptions, act
from lingctl.program.answers import read_result
from lingctl.program.prepare import InContainer, prepare
from lingctl.program.settings import with_settings
from lingctl.program.translate import troubles_as_errors
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.local import LOCAL_NODE
from lingctl.remote.upload import WriteFile

# Digests, an import in a process of its own, a copy of a few files.
_TIMEOUT = 600.0


@dataclass(frozen=True)
class PatchOptions(TreeOptions):
    """What was asked for."""

    host: bool = False  # on a node itself rather than in its container


@dataclass(frozen=True, slots=True)
class PatchReport:
    """The answers of all places, in order; a place that could not be asked has its error."""

    answers: Mapping[str, OverlayAnswer | LingctlError]
    findings: tuple[Finding, ...] = field(default=())

    @property
    def exit_status(self) -> int:
        """0 in place everywhere; 3 not; the error's own where no place could be asked."""
        return exit_status_of(self.answers.values(), self.findings)

    @property
    def changes(self) -> list[tuple[str, Mapping[str, str]]]:
        """What differs from the overlay as shipped, by place."""
        return [
            (node, change)
            for node, answer in self.answers.items()
            if not isinstance(answer, LingctlError)
            for change in answer.changes or ()
        ]

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "places": [_place(node, answer) for node, answer in self.answers.items()],
            "findings": [finding.as_json() for finding in self.findings],
        }


def patch_here(action: str, options: PatchOptions) -> PatchReport:
    """Do the action on this machine.

    Raises:
        UsageError: it was asked for something that cannot be.
        LockedError: another process is changing the tree.
        NodeError: it cannot be done.
    """
    with troubles_as_errors():
        result = act(action, options, make_package(json.loads(package_document())))
    answer = read_result(OverlayAnswer, result)
    return PatchReport({LOCAL_NODE: answer}, judge(action, {LOCAL_NODE: answer}))


def patch_nodes(group: Group, cluster: Cluster, action: str, options: PatchOptions) -> PatchReport:
    """Do the action on every node, side by side; what succeeded is kept when others fail."""
    package = WriteFile(f"{cluster.state_dir}/overlay.json", package_document(), 0o640)
    inside = InContainer(
        cluster.runtime,
        cluster.container_name,
        lacking="no atb_llm to look at",
        code="overlay-no-container",
    )
    where, path = None if options.host else inside, cluster.layout.program
    # torch_npu, which the model's code imports, finds CANN by these, and cannot be imported without.
    through = () if options.host else with_settings(engine_of(cluster).about.set_env)

    def work(connection: Connection) -> OverlayAnswer:
        program = prepare(connection, path, where, through=through, files=(package,))
        words = ("overlay", action, "--package", package.path, *options.words())
        return program.ask(OverlayAnswer, *words, timeout=_TIMEOUT)

    outcomes = group.map(work)
    answers = {node.name: outcomes[node.name] for node in cluster.nodes}
    return PatchReport(answers, judge(action, answers))


def _place(node: str, answer: OverlayAnswer | LingctlError) -> dict[str, object]:
    if isinstance(answer, LingctlError):
        error = {"what": answer.what, "code": answer.code, "remedy": answer.remedy}
        return {"node": node, "reached": False, "error": error}
    return {"node": node, "reached": True, **answer.as_json()}
