"""What a smoke test asks, and how far up the ladder the service got. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lingctl.errors import ConnectError
from lingctl.findings import Finding, Verdict, proof_status, worst
from lingctl.serving.endpoint import Endpoint
from lingctl.serving.http.api import AskedKind, ModelKind
from lingctl.serving.smoke import verdicts

RUNGS = (
    "port",
    "tls",
    "health",
    "models",
    "generate",
    "answer",
    "finish",
    "tokens",
    "repeat",
    "stream",
    "first-token",
    "bad-request",
)


@dataclass(frozen=True, slots=True)
class SmokeOptions:
    """What to ask."""

    kind: AskedKind = "auto"
    prompt: str = ""  # the user's own; empty for the Ling README's
    expect: str = ""  # text that the answer must hold
    first_token_limit: float = 10.0  # seconds that the first token may take
    patience: float = 60.0  # seconds of silence after which an answer counts as stuck


@dataclass(frozen=True, slots=True)
class SmokeReport:
    """How far up the ladder the service got."""

    findings: tuple[Finding, ...]  # one per rung, in the ladder's order, then those about the nodes
    url: str  # base URL of the service
    model: str  # name that was asked for
    kind: ModelKind  # ``chat`` or ``base``, as judged
    prompt: str  # what was asked
    answer: str  # what the model said, empty if nothing
    seconds: float  # how long all of it took

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings."""
        return worst(self.findings)

    @property
    def exit_status(self) -> int:
        """0 good, 1 a rung failed, 3 warnings or unknowns, 4 not reachable."""
        shut = any(f.check == "port" and f.verdict is Verdict.FAILURE for f in self.findings)
        return ConnectError.exit_status if shut else proof_status(self.findings)

    @property
    def told(self) -> tuple[Finding, ...]:
        """The findings as they are shown: a dead daemon first, rungs that were not reached in one line."""
        dead = [f for f in self.findings if f.check == "daemon" and f.verdict is Verdict.FAILURE]
        others = [f for f in self.findings if f not in dead]
        unreached = {
            f.message: [g for g in others if g.message == f.message] for f in others if _unreached(f)
        }
        lines = [*dead]
        for finding in others:
            alike = unreached.get(finding.message)
            if alike is None:
                lines.append(finding)
            elif finding is alike[0]:
                lines.append(replace(finding, check=", ".join(f.check for f in alike)))
        return tuple(lines)

    @property
    def unreached(self) -> tuple[Finding, ...]:
        """Of those that are shown: the rungs that were not reached, all that have one reason as one."""
        return tuple(finding for finding in self.told if _unreached(finding))

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """What is to be mended: where a daemon is dead, that alone and not what HTTP says of it."""
        bad = tuple(f for f in self.told if f.verdict > Verdict.NOTE and not _unreached(f))
        dead = any(f.check == "daemon" and f.verdict is Verdict.FAILURE for f in bad)
        return tuple(f for f in bad if not dead or f.check not in RUNGS)

    def with_findings(self, more: Sequence[Finding]) -> SmokeReport:
        """The same report with findings about the nodes added."""
        return replace(self, findings=(*self.findings, *more))

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "verdict": self.verdict.word,
            "url": self.url,
            "model": self.model,
            "kind": self.kind,
            "prompt": self.prompt,
            "answer": self.answer,
            "seconds": round(self.seconds, 3),
            "findings": [finding.as_json() for finding in self.findings],
        }


def not_climbed(endpoint: Endpoint, options: SmokeOptions, because: str) -> SmokeReport:
    """The report on a service that nobody may ask: every rung is unknown."""
    findings = tuple(verdicts.not_judged(name, because) for name in RUNGS)
    kind: ModelKind = "base" if options.kind == "base" else "chat"
    return SmokeReport(findings, endpoint.service_url, endpoint.served_name, kind, options.prompt, "", 0.0)


def _unreached(finding: Finding) -> bool:
    return finding.verdict is Verdict.UNKNOWN and finding.message.startswith(verdicts.NOT_REACHED)
