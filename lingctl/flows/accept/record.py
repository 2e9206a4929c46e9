"""What an acceptance has found so far, kept in its folder: a run that was ended goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lingctl.errors import ConfigurationError, UsageError
from lingctl.flows.accept.protocol import NOT_REACHED, SKIPPED, PartResult
from lingctl.flows.run.whole_file import told_if_unwritten, write_file
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.given_file import read_given
from lingctl.node.foreign_json import foreign_json
from lingctl.paths import is_there
from lingctl.program.answers import read_result

RUN, REPORT, PAGE, SUMS = "run.json", "report.json", "report.html", "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class AcceptanceHead:
    """Whose acceptance it is. Another hosts.yaml is another acceptance."""

    cluster: str
    model: str
    engine: str  # title and version
    world_size: int
    configuration: str  # sha256 of hosts.yaml as it was read
    lingctl: str  # version
    begun: str  # UTC, ISO 8601
    by: str  # ``user@host``


def configuration_digest(cluster: Cluster) -> str:
    """The same for the same hosts.yaml, whatever its comments say."""
    return hashlib.sha256(cluster.model_dump_json().encode()).hexdigest()


def read_run(folder: Path, wanted: AcceptanceHead) -> tuple[AcceptanceHead, dict[str, PartResult]]:
    """What was found here before; ``wanted`` and nothing where there was no run.

    Raises:
        UsageError: the run there is of another cluster or hosts.yaml, or has ended.
        ConfigurationError: it cannot be read.
    """
    path = folder / RUN
    if not is_there(path):
        return wanted, {}
    try:
        kept = foreign_json(read_given(path, 64 << 20, code="accept-record"))
        head = read_result(AcceptanceHead, kept["head"])
        results = {name: read_result(PartResult, result) for name, result in kept["parts"].items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"is no record of an acceptance: {error}", where=str(path), code="accept-record"
        ) from error
    if is_there(folder / REPORT):
        raise UsageError(
            f"the acceptance in {folder} has ended",
            remedy=f"read {folder / PAGE}; for a new one name another folder: --output FOLDER",
            code="accept-ended",
        )
    if (head.cluster, head.configuration) != (wanted.cluster, wanted.configuration):
        raise UsageError(f"the acceptance begun in {folder} is of another hosts.yaml", code="accept-other")
    # What was left out then may be asked for now.
    return head, {
        name: result for name, result in results.items() if result.verdict not in (SKIPPED, NOT_REACHED)
    }


def keep_run(folder: Path, head: AcceptanceHead, results: Mapping[str, PartResult]) -> None:
    """Write down what is known so far; it is on the disk when this returns."""
    document = {"head": asdict(head), "parts": {name: asdict(result) for name, result in results.items()}}
    write_kept(folder / RUN, as_text(document))


def write_report(folder: Path, report: Mapping[str, Any], page: str) -> tuple[Path, str]:
    """Write the report and its sums; the page's path, and the sum of the sums."""
    files = {REPORT: as_text(report), PAGE: page.encode(), RUN: (folder / RUN).read_bytes()}
    for name in (REPORT, PAGE):
        write_kept(folder / name, files[name])
    sums = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items())
    ).encode()
    write_kept(folder / SUMS, sums)
    return folder / PAGE, hashlib.sha256(sums).hexdigest()


def as_text(document: Mapping[str, Any], indent: int = 2) -> bytes:
    """A document as the content of a file."""
    text = json.dumps(document, indent=indent, ensure_ascii=False, default=str) + "\n"
    return text.encode("utf-8", "backslashreplace")


def write_kept(path: Path, content: bytes) -> None:
    """Write a file of the acceptance's folder.

    Raises:
        NodeError: the disk is full.
        UsageError: it cannot be written there.
    """
    with told_if_unwritten(path, "name another folder: --output FOLDER"):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        write_file(path, content, 0o640)
