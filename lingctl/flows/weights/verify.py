"""Check a folder of weights on this machine, with the program that a deploy runs on nodes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lingctl.codes.catalogue import usual_remedy
from lingctl.events import Listener
from lingctl.findings import Finding, Verdict, worst
from lingctl.node.weights.manifest import make_manifest
from lingctl.node.weights.modes import Wrong, wrong_modes
from lingctl.node.weights.verify import Verified, verify
from lingctl.program.translate import telling, troubles_as_errors


@dataclass(frozen=True, slots=True)
class WeightsReport:
    """What was found in a folder of weights: the node program's answer, and the same as verdicts."""

    verified: Verified
    findings: tuple[Finding, ...]

    @property
    def exit_status(self) -> int:
        """0 sound, 3 not."""
        return 3 if worst(self.findings) >= Verdict.UNKNOWN else 0

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {**self.verified.as_document(), "findings": [finding.as_json() for finding in self.findings]}


def verify_weights(folder: Path, listener: Listener, *, full: bool, manifest: bool) -> WeightsReport:
    """Check ``folder``.

    Args:
        folder: of the weights.
        full: read every byte.
        manifest: first sum what has not been summed yet and keep the sums beside the weights.

    Raises:
        UsageError: no weights there.
        WeightsError: a file cannot be read.
    """
    report = telling(listener)
    with troubles_as_errors():
        if manifest:
            make_manifest(str(folder), report)
        verified = verify(str(folder), full, report)
        wrong = wrong_modes(str(folder))
    findings = [
        Finding(
            trouble.code,
            verdict,
            str(trouble),
            evidence=trouble.evidence,
            remedy=trouble.remedy or usual_remedy(trouble.code),
        )
        for verdict, troubles in (
            (Verdict.FAILURE, verified.problems),
            (Verdict.UNKNOWN, verified.unknown),
            (Verdict.WARNING, verified.contents.in_the_way),
        )
        for trouble in troubles
    ]
    findings += [Finding("weights", Verdict.NOTE, note) for note in verified.notes]
    if wrong and verified.contents.form == "safetensors":
        findings.append(_modes(folder, wrong))
    return WeightsReport(verified, tuple(findings))


def _modes(folder: Path, wrong: Sequence[Wrong]) -> Finding:
    return Finding(
        "weights-modes",
        Verdict.WARNING,
        f"MindIE would refuse {len(wrong)} files and folders for their mode or owner",
        evidence="\n".join(f"{entry.name}: {entry.reason}" for entry in wrong[:5]),
        remedy="lingctl deploy sets them; by hand: "
        f"find {shlex.quote(str(folder))} -type d -exec chmod 750 {{}} + -o -type f -exec chmod 640 {{}} +",
    )
