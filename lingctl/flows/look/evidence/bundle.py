"""The bundle that collect makes of what the nodes sent."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from lingctl import __version__
from lingctl.engine.logs import LogReader
from lingctl.engine.words.long_log import first_of_each
from lingctl.engines import engine_of
from lingctl.errors import NodeError
from lingctl.flows.look.evidence.node_archive import ArchiveMember
from lingctl.flows.look.evidence.node_part import GatheredPart, NodeLogs
from lingctl.flows.look.reading.log_text import shortened
from lingctl.flows.look.reading.node_folder import BEFORE
from lingctl.flows.network.check import NetworkReport
from lingctl.flows.network.saved import answer_files
from lingctl.flows.run.whole_file import whole_file
from lingctl.inventory.cluster import Cluster
from lingctl.paths import is_there
from lingctl.release.evidence.gathered import GZIP, lengths_before, unpacked, without_secrets
from lingctl.release.site import Site, site_of


@dataclass(frozen=True, slots=True)
class PackedEvidence:
    """What was packed."""

    path: Path  # the file here
    missing: Mapping[str, str]  # nodes of which nothing, or only a part, could be gathered, with the reason
    explained: Mapping[str, tuple[str, ...]]  # per node, what its logs show, one line each
    # why daemons ended: the first cause of all nodes; empty where none did, or nothing known explains it
    cause: str = ""


def pack(
    cluster: Cluster,
    hosts: Path,
    target: Path,
    gathered: Mapping[str, GatheredPart],
    missing: Mapping[str, str],
    report: NetworkReport | None,
    clocks: Mapping[str, float] = MappingProxyType({}),
    not_asked: Sequence[str] = (),
) -> PackedEvidence:
    """Write the bundle: every node's files without their secrets, what they tell, and a page that says it.

    Raises OSError: it cannot be written.
    """
    top = PurePosixPath(target.name.removesuffix(".gz").removesuffix(".tar"))
    explained: dict[str, tuple[str, ...]] = {}
    texts: dict[str, str] = {}
    statuses: dict[str, str] = {}
    missing, left_out, running = dict(missing), dict[str, str](), list[str]()
    reader, site = engine_of(cluster).logs, site_of(cluster)
    chosen = partial(first_of_each, consoles=[reader.console])
    with whole_file(target, 0o600) as file, tarfile.open(fileobj=file, mode="w:gz") as bundle:
        for name, part in gathered.items():
            logs = NodeLogs()
            try:
                for path, text, packed in _files(name, part, site, left_out):
                    _add(bundle, top / name / path, gzip.compress(text) if packed else text)
                    logs.take(path, text)
            except NodeError as error:  # what came of it, and the other nodes, may hold the cause
                missing[name] = f"only a part could be gathered: {error.what} ({error.evidence})"
            if part.trouble:
                missing[name] = f"only a part could be gathered: {part.trouble}"
            explained[name] = _explained(reader, logs)
            if logs.traces.runs:
                running.append(name)
            texts[name], statuses[name] = shortened(logs.text, chosen), logs.traces.status
        cause = _cause(reader, texts, statuses, clocks)
        own: dict[str, bytes] = {}
        if report is not None:
            own |= {f"check-network/{name}": content for name, content in answer_files(report).items()}
            findings = json.dumps([finding.as_json() for finding in report.findings], indent=1)
            own["check-network/findings.json"] = findings.encode()
        if is_there(hosts):
            own["hosts.yaml"] = hosts.read_bytes()
        for place, content in own.items():
            _add(bundle, top / place, without_secrets(content))
        why = "not asked, as --node named others; the first cause of all may be there"
        lacking = {**dict.fromkeys(not_asked, why), **missing}
        page = _readme(cluster, lacking, left_out, running, explained, cause)
        _add(bundle, top / "README.txt", page.encode())
    return PackedEvidence(target, missing, explained, cause)


def _files(
    node: str, part: GatheredPart, site: Site, left_out: dict[str, str]
) -> Iterator[tuple[PurePosixPath, bytes, bool]]:
    """A node's files without their secrets, and whether they came packed.

    Args:
        left_out: learns what is not all here, and why.
    """
    before = lengths_before(part.noted_lengths(node), site)
    for member in part.members(node):
        place = f"{node}/{member.path}"
        if member.left_out:
            left_out[place] = member.left_out
        if member.left_out and not member.content:
            continue
        try:
            texts = _in_time(member, before.get(member.path, 0))
        except ValueError as error:
            left_out[place] = str(error)
            continue
        for path, text in texts.items():
            yield path, text, member.content.startswith(GZIP)


def _in_time(member: ArchiveMember, before: int) -> dict[PurePosixPath, bytes]:
    """A file without its secrets, by place; what a log said before the last start has a place of its own.

    Args:
        member: the file.
        before: how many bytes it had then. Shorter than it was, it was begun anew.

    Raises:
        ValueError: it cannot be searched for secrets.
    """
    text = without_secrets(unpacked(member.content))
    place, length = BEFORE / member.path, len(member.content)
    if before == length or (before > length and member.left_out):
        return {place: text}
    if not 0 < before < length or member.content.startswith(GZIP):
        return {member.path: text}
    earlier = without_secrets(member.content[:before])
    # A secret that stands across the cut is taken out of the whole alone.
    whole = not text.startswith(earlier)
    return {member.path: text} if whole else {place: earlier, member.path: text[len(earlier) :]}


def _add(bundle: tarfile.TarFile, path: PurePosixPath, content: bytes) -> None:
    entry = tarfile.TarInfo(str(path))
    entry.size, entry.mode = len(content), 0o640
    entry.mtime = int(datetime.now(UTC).timestamp())
    bundle.addfile(entry, io.BytesIO(content))


def _explained(reader: LogReader, logs: NodeLogs) -> tuple[str, ...]:
    text, runs = logs.text, logs.traces.runs
    shown = [
        f"{one.id} {one.words}: {one.line}"
        for one in reader.explain(text, status=logs.traces.status)
        if not (runs and one.kind == "stopped")  # by somebody, before the last start
    ]
    return tuple(
        shown[:5] or [f"not known: {line}" for line in reader.first_errors(text, 3) if "ERROR" in line]
    )


def _cause(
    reader: LogReader, texts: Mapping[str, str], statuses: Mapping[str, str], clocks: Mapping[str, float]
) -> str:
    ended = {name: status for name, status in statuses.items() if status}
    found = reader.diagnose(texts, ended, statuses=ended, clocks=clocks) if ended else None
    if found is None or found.explanation is None:
        return ""
    return f"{found.where}: {found.words}  ({found.explanation.id})"


def _readme(
    cluster: Cluster,
    missing: Mapping[str, str],
    left_out: Mapping[str, str],
    running: Sequence[str],
    explained: Mapping[str, tuple[str, ...]],
    cause: str,
) -> str:
    engine = engine_of(cluster).about
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    lines = [
        f"Evidence of cluster {cluster.name}, packed by lingctl {__version__} at {now}.",
        f"{cluster.model} with {engine.title} {engine.version} on {', '.join(cluster.node_names)}.",
        "Values that look like passwords, tokens or keys were removed; addresses and host names were not.",
        "",
        "One folder for each node. Ascend's fault diagnosis reads each as it is:",
        *(f"  ascend-fd parse -i {name} -o parsed/{name}" for name in explained),
        "  ascend-fd diag -i parsed -o diagnosis",
        "",
        f"What logs said before the last start of the daemon stands in {BEFORE} of each folder.",
        "",
        *((f"The first cause of all: {cause}", "") if cause else ()),
    ]
    for name, why in missing.items():
        lines.append(f"{name}: {why}")
    for file, why in left_out.items():
        lines.append(f"{file} was left out: {why}")
    for name, found in explained.items():
        lines += [
            f"{name}:",
            *(["  the daemon runs"] if name in running else []),
            *(f"  {line}" for line in found or ("no error that is known",)),
        ]
    return "\n".join(lines) + "\n"
