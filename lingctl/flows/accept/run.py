"""One acceptance from its first part to its report."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lingctl import __version__
from lingctl.engines import engine_of
from lingctl.events import Listener
from lingctl.flows.accept.heard import unknown_lines
from lingctl.flows.accept.lessons import lessons_of, write_lessons
from lingctl.flows.accept.open_questions import ClusterKind, answers_to
from lingctl.flows.accept.parts import PARTS, need_known, not_for
from lingctl.flows.accept.protocol import (
    FOR_LESSONS,
    Acceptance,
    AcceptOptions,
    PartResult,
    run_part,
    verdict_of,
)
from lingctl.flows.accept.record import (
    REPORT,
    AcceptanceHead,
    configuration_digest,
    keep_run,
    read_run,
    write_report,
)
from lingctl.inventory.cluster import Cluster
from lingctl.remote.group import Group

# What no part of it can show.
NEVER_TESTED: tuple[tuple[str, str], ...] = (
    ("answers to other prompts", "each part asks a handful; the model's quality is not judged here"),
    ("days and weeks", "heat, power and rare errors of cards and optics show later: lingctl status, collect"),
    ("other clients", "gateways, proxies and client libraries between the users and the service"),
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The end of an acceptance."""

    report: Mapping[str, Any]
    page: Path
    lessons: Path  # what the hardware taught, without names
    sum: str  # SHA-256 of the file of sums: whoever has it notices any change of the report

    @property
    def verdict(self) -> str:
        """Of the whole; see ``verdict_of``."""
        return str(self.report["verdict"])


def accept(
    cluster: Cluster,
    options: AcceptOptions,
    folder: Path,
    listener: Listener,
    connect: Callable[[], AbstractContextManager[Group]],
    as_page: Callable[[Mapping[str, Any]], str],
) -> Accepted:
    """Run every part that was not run here before, and write the report.

    Args:
        as_page: makes the page of a report.

    Raises:
        LingctlError: the folder is another's, somebody else changes the cluster, or Ctrl-C; what was found
            is kept, and the next run goes on from it.
    """
    need_known((*options.only, *options.skip))
    options = replace(options, skip={**not_for(cluster), **options.skip})
    head, results = read_run(folder, head_of(cluster))
    keep_run(folder, head, results)
    given = Acceptance(cluster, options, listener, connect)
    for part in PARTS:
        if part.name in results and part.name not in options.skip:
            continue
        results[part.name] = run_part(part, given, results)
        keep_run(folder, head, results)
    kind, ordered = kind_of(cluster), {part.name: results[part.name] for part in PARTS}
    report = report_of(head, list(ordered.values()), answers_to(kind, ordered))
    page, summed = write_report(folder, report, as_page(report))
    lines = unknown_lines(given) if any(result.done for result in ordered.values()) else ()
    lessons = write_lessons(folder, lessons_of(cluster, kind, ordered, lines))
    return Accepted(report, page, lessons, summed)


def kind_of(cluster: Cluster) -> ClusterKind:
    """What of the cluster decides which open questions it answers."""
    about = engine_of(cluster).about
    return ClusterKind(
        engine=f"{about.title} {about.version}",
        model=cluster.model,
        nodes=len(cluster.nodes),
        ranks=cluster.world_size,
        privileged=cluster.container.privileged,
    )


def head_of(cluster: Cluster) -> AcceptanceHead:
    """Whose acceptance it will be, begun now."""
    about = engine_of(cluster).about
    return AcceptanceHead(
        cluster=cluster.name,
        model=cluster.model,
        engine=f"{about.title} {about.version}",
        world_size=cluster.world_size,
        configuration=configuration_digest(cluster),
        lingctl=__version__,
        begun=datetime.now(UTC).isoformat(timespec="seconds"),
        by=f"{_user()}@{socket.gethostname()}",
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def report_of(
    head: AcceptanceHead, results: Sequence[PartResult], answers: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """The report as plain data; docs/reference/acceptance.schema.json describes it."""
    left_out = [(result.name, result.what) for result in results if not result.done]
    return {
        "document": "acceptance",
        "version": 1,
        **asdict(head),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "verdict": verdict_of(results),
        "parts": [
            {name: value for name, value in asdict(result).items() if name not in FOR_LESSONS}
            for result in results
        ],
        "questions": [{name: one[name] for name in ("number", "question", "verdict")} for one in answers],
        "not_tested": [{"what": what, "why": why} for what, why in (*left_out, *NEVER_TESTED)],
        "file": REPORT,
    }
