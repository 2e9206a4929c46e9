"""The protocol of an acceptance: its parts in order, which of them rest on which, and what each found."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lingctl.errors import ConnectError, Interrupted, LingctlError, LockedError, NodeError
from lingctl.events import Event, Listener
from lingctl.findings import Finding, Verdict, finding_of, worst
from lingctl.flows.accept.heard_text import HeardText, sentences, unjudged
from lingctl.inventory.cluster import Cluster
from lingctl.remote.group import Group
from lingctl.serving.bench.sweep import SweepLimits

SKIPPED, NOT_REACHED = "skipped", "not reached"
FOR_LESSONS = ("heard", "sentences")  # of a ``PartResult``
_UNLIMITED = SweepLimits()
# Errors that are of another kind than what they say of what was looked at.
_UNSEEN, _SEEN = ("weights-unknown",), ("image-missing",)


@dataclass(frozen=True, slots=True)
class AcceptOptions:
    """What is asked for."""

    only: tuple[str, ...] = ()  # names of parts; all where empty
    skip: Mapping[str, str] = field(default_factory=dict)  # parts that are left out, and why
    limits: SweepLimits = _UNLIMITED  # what the service has to keep in the sweep, in ms
    requests: int = 64  # of each load
    most_concurrency: int = 64  # requests open at a time, at the most
    soak_seconds: float = 600.0  # how long it is kept under load
    soak_concurrency: int = 8  # requests open at a time meanwhile


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What every part is given."""

    cluster: Cluster
    options: AcceptOptions
    listener: Listener
    connect: Callable[[], AbstractContextManager[Group]]  # logs in to all nodes


@dataclass(frozen=True, slots=True)
class Judged:
    """What a part found."""

    what: str  # in a sentence, passes too
    findings: tuple[Finding, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)  # plain data behind the sentence
    heard: tuple[HeardText, ...] = ()  # what lingctl did not understand

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings."""
        return worst(self.findings)


@dataclass(frozen=True, slots=True)
class AcceptancePart:
    """One part of the protocol."""

    name: str
    command: str  # that does the same by itself, without ``--nodes``
    run: Callable[[Acceptance], Judged]
    # the part without whose success it means nothing, and what has to be true in the data of that
    rests_on: str = ""
    rests_on_fact: str = ""


@dataclass(frozen=True, slots=True)
class PartResult:
    """What became of a part: as it is kept, and as it stands in the report."""

    name: str
    verdict: str  # a verdict's word, ``skipped`` or ``not reached``
    what: str
    command: str
    begun: str = ""  # UTC, ISO 8601
    seconds: float = 0.0
    findings: tuple[Mapping[str, Any], ...] = ()  # worse than a pass; as ``Finding.as_json``
    passed: int = 0  # how many findings were passes
    data: Mapping[str, Any] = field(default_factory=dict)
    # For the lessons, and not in the report: what was not understood, and every finding,
    # passes too, one of each form.
    heard: tuple[HeardText, ...] = ()
    sentences: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether it was run to its end."""
        return self.verdict not in (SKIPPED, NOT_REACHED)


def run_part(part: AcceptancePart, given: Acceptance, earlier: Mapping[str, PartResult]) -> PartResult:
    """Run a part, or say why not. Its errors are its result; only Ctrl-C and a lock end the run."""
    left_out = _left_out(part, given.options, earlier)
    if left_out is not None:
        return left_out
    begun, start = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    given.listener(Event(part.name, "started"))
    try:
        judged = part.run(given)
    except (Interrupted, LockedError):
        raise
    except LingctlError as error:
        judged = _of_error(part.name, error)
    seconds = round(time.monotonic() - start, 1)
    bad = judged.verdict >= Verdict.UNKNOWN
    given.listener(Event(part.name, "failed" if bad else "done", text=judged.what))
    told = [finding for finding in judged.findings if finding.verdict > Verdict.PASS]
    return PartResult(
        part.name,
        judged.verdict.word,
        judged.what,
        part.command,
        begun,
        seconds,
        findings=tuple(finding.as_json() for finding in told),
        passed=len(judged.findings) - len(told),
        data=judged.data,
        heard=(*judged.heard, *unjudged(judged.findings)),
        sentences=sentences(judged.findings),
    )


def _left_out(
    part: AcceptancePart, options: AcceptOptions, earlier: Mapping[str, PartResult]
) -> PartResult | None:
    if part.name in options.skip:
        return PartResult(part.name, SKIPPED, options.skip[part.name], part.command)
    if options.only and part.name not in options.only:
        return PartResult(part.name, SKIPPED, "other parts alone were asked for", part.command)
    ground = earlier.get(part.rests_on)
    if ground is not None and ground.done and not ground.data.get(part.rests_on_fact):
        return PartResult(part.name, NOT_REACHED, f"it rests on {part.rests_on}", part.command)
    return None


def _of_error(name: str, error: LingctlError) -> Judged:
    """What could not be looked at is unknown; what was looked at and is wrong is a failure."""
    unseen = isinstance(error, ConnectError | NodeError) or error.code in _UNSEEN
    verdict = Verdict.UNKNOWN if unseen and error.code not in _SEEN else Verdict.FAILURE
    return Judged(str(error), (finding_of(error, verdict, error.code or name, error.where),))


def verdict_of(results: Sequence[PartResult]) -> str:
    """Of the whole: ``failure``, ``unknown``, ``warning`` or ``pass``; ``unknown`` where nothing was run.

    What was not run is no pass, and no failure either: the report lists it.
    """
    done = {result.verdict for result in results if result.done}
    order = (Verdict.FAILURE, Verdict.UNKNOWN, Verdict.WARNING)
    found = next((verdict.word for verdict in order if verdict.word in done), "pass" if done else "unknown")
    reached = all(result.verdict != NOT_REACHED for result in results)
    return found if reached or found == "failure" else "unknown"
