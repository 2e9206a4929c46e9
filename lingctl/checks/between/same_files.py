"""Are the files the same on all nodes that must be: weights, overlay, default sampling parameters?

Source: MindIE's page on several nodes (default sampling parameters).
"""

from __future__ import annotations

import shlex
from collections.abc import Hashable, Iterator, Mapping, Sequence

from lingctl.ascend.facts import NodeFacts
from lingctl.ascend.scope import Scope
from lingctl.ascend.unread import Unread
from lingctl.checks.between.agreement import NodeOrCard, Same, judge_same
from lingctl.findings import Finding, Verdict


def same_file_findings(nodes: Sequence[NodeFacts], scope: Scope) -> Iterator[Finding]:
    """Files and folders of ``scope.digests`` that are there on several nodes and differ."""
    for facts in nodes:
        if scope.digests and isinstance(facts.digests, Unread):
            text = f"not judged: {facts.digests.text}"
            yield Finding("same-files", Verdict.UNKNOWN, text, facts.node, evidence=facts.digests.quote)
    for path, what in scope.digests.items():
        seen: dict[NodeOrCard, Hashable] = {}
        for facts in nodes:
            if isinstance(facts.digests, Unread):
                continue
            digest = facts.digests.get(path)
            if digest is None:
                text = f"not judged: {path} cannot be read"
                yield Finding("same-files", Verdict.UNKNOWN, text, facts.node, remedy=f"ls -l {path}")
            elif digest != "absent":
                seen[facts.node, None] = digest
        yield from judge_same(_same_file(path, what, seen, scope), seen)


def _same_file(path: str, what: str, seen: Mapping[NodeOrCard, Hashable], scope: Scope) -> Same:
    def copy(place: NodeOrCard, digest: Hashable) -> str:
        source = next((name for (name, _), value in seen.items() if value == digest), "")
        quoted = shlex.quote(path)
        return f"scp {scope.node(source).address}:{quoted} {quoted}"

    # deploy makes weights and overlay alike; sampling defaults it leaves as they were downloaded.
    sampling = path.endswith("generation_config.json")
    return Same(
        "same-files",
        Verdict.FAILURE if sampling else Verdict.WARNING,
        f"{what} differs from most nodes: {path}",
        f"{what} differs between the nodes ({path})",
        copy if sampling else lambda place, digest: "lingctl deploy",
    )
