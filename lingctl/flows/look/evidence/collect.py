"""collect: one file with everything that may explain a failure, from all nodes, with secrets removed."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import BinaryIO

from lingctl import __version__
from lingctl.engine.logs import LogReader
from lingctl.engines import engine_of
from lingctl.errors import LingctlError, NodeError
from lingctl.events import Event, Listener
from lingctl.flows.look.clocks import clocks_apart
from lingctl.flows.look.evidence.node_part import GatheredPart, NodeLogs, contents_in_words, unnamed_part
from lingctl.flows.look.reading.log_text import shortened
from lingctl.flows.network.check import CheckOptions, NetworkReport, check_network
from lingctl.flows.network.saved import answer_files
from lingctl.flows.run.whole_file import no_room, whole_file
from lingctl.inventory.cluster import Cluster
from lingctl.release.evidence import GZIP, gather_command, unpacked, without_secrets
from lingctl.release.site import site_of
from lingctl.remote.command import Command
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group

_SECONDS = 900.0
_TASK = "gather the evidence"
# Of one node, packed: an honest one sends some tens of MB.
MOST_SENT = 512 << 20
_TOO_MUCH = f"it sends more than {MOST_SENT >> 20} MB"


class _TooMuchError(Exception):
    """A node does not stop sending."""


@dataclass(frozen=True, slots=True)
class PackedEvidence:
    """What was packed."""

    path: Path  # the file here
    missing: Mapping[str, str]  # nodes of which nothing, or only a part, could be gathered, with the reason
    explained: Mapping[str, tuple[str, ...]]  # per node, what its logs show, one line each
    # why daemons ended: the first cause of all nodes; empty where none did, or nothing known explains it
    cause: str = ""


def collect(
    group: Group, cluster: Cluster, hosts: Path, target: Path, listener: Listener, *, check: bool = True
) -> PackedEvidence:
    """Pack the evidence of all nodes that can be asked into ``target``; changes nothing on them.

    What a node sent, which still holds its secrets, is in files without a name: they end with this process,
    however it ends.

    Args:
        target: the file to write, ending in .tar.gz.
        listener: hears progress, and what will be packed before it is.
        check: also ask what check-network asks, without pings between cards.

    Raises:
        LingctlError: nothing could be gathered, or the file cannot be written.
    """
    site, places = site_of(cluster), engine_of(cluster).about.log_places
    with ExitStack() as parts_end:

        def gather(connection: Connection) -> GatheredPart:
            command = gather_command(site, connection.node, places)
            part = parts_end.enter_context(unnamed_part())
            return GatheredPart(part, _gather(connection, command, part, listener))

        outcomes = group.map(gather)
        gathered = {name: part for name, part in outcomes.items() if isinstance(part, GatheredPart)}
        missing = {
            name: f"nothing could be gathered: {error.what}"
            for name, error in outcomes.items()
            if isinstance(error, LingctlError)
        }
        report = None
        if check:
            with suppress(LingctlError):
                report = check_network(group, cluster, CheckOptions(mesh="off"), listener)
        for name, part in gathered.items():
            listener(Event(_TASK, "note", name, f"to be packed: {contents_in_words(name, part)}"))
        try:
            return _pack(cluster, hosts, target, gathered, missing, report, clocks_apart(group, site))
        except OSError as error:
            raise no_room(error, target) or NodeError(
                f"cannot write {target}: {error.strerror}", where="this machine", code="write-failed"
            ) from error


def default_name(cluster: Cluster) -> str:
    """A file name that says what and when."""
    return f"lingctl-{cluster.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar.gz"


def _gather(connection: Connection, command: Command, file: BinaryIO, listener: Listener) -> str:
    """Receive what a node sends; why it is not all of it, or nothing."""
    listener(Event(_TASK, "started", connection.node))
    size = 0

    def keep(data: bytes) -> None:
        nonlocal size
        size += len(data)
        if size > MOST_SENT:
            raise _TooMuchError
        file.write(data)
        listener(Event(_TASK, "progress", connection.node, done=size))

    try:
        connection.run(command, timeout=_SECONDS, on_output=keep).checked(connection.node)
        file.flush()
    except _TooMuchError:
        listener(Event(_TASK, "failed", connection.node, _TOO_MUCH))
        return _TOO_MUCH
    except LingctlError as error:
        listener(Event(_TASK, "failed", connection.node, error.what))
        raise
    except OSError as error:  # of this machine's own disk; a connection's is none
        raise no_room(error, Path(tempfile.gettempdir())) or NodeError(
            f"cannot write what it sends: {error.strerror}", where="this machine", code="write-failed"
        ) from error
    listener(Event(_TASK, "done", connection.node))
    return ""


def _pack(
    cluster: Cluster,
    hosts: Path,
    target: Path,
    gathered: Mapping[str, GatheredPart],
    missing: Mapping[str, str],
    report: NetworkReport | None,
    clocks: Mapping[str, float] = MappingProxyType({}),
) -> PackedEvidence:
    top = PurePosixPath(target.name.removesuffix(".gz").removesuffix(".tar"))
    explained: dict[str, tuple[str, ...]] = {}
    texts: dict[str, str] = {}
    statuses: dict[str, str] = {}
    missing = dict(missing)
    left_out: dict[str, str] = {}
    reader = engine_of(cluster).logs
    with whole_file(target, 0o600) as file, tarfile.open(fileobj=file, mode="w:gz") as bundle:
        for name, part in gathered.items():
            logs = NodeLogs()
            try:
                for member in part.members(name):
                    place = f"{name}/{member.path}"
                    if member.left_out:
                        left_out[place] = member.left_out
                    if member.left_out and not member.content:
                        continue
                    try:
                        text = without_secrets(unpacked(member.content))
                    except ValueError as error:
                        left_out[place] = str(error)
                        continue
                    again = gzip.compress(text) if member.content.startswith(GZIP) else text
                    _add(bundle, top / name / member.path, again)
                    logs.take(member.path, text)
            except NodeError as error:  # what came of it, and the other nodes, may hold the cause
                missing[name] = f"only a part could be gathered: {error.what} ({error.evidence})"
            if part.trouble:
                missing[name] = f"only a part could be gathered: {part.trouble}"
            explained[name] = _explained(reader, logs.text, logs.traces.status)
            texts[name], statuses[name] = shortened(logs.text, reader), logs.traces.status
        cause = _cause(reader, texts, statuses, clocks)
        if report is not None:
            for saved, content in answer_files(report).items():
                _add(bundle, top / "check-network" / saved, without_secrets(content))
            findings = json.dumps([finding.as_json() for finding in report.findings], indent=1)
            _add(bundle, top / "check-network" / "findings.json", without_secrets(findings.encode()))
        if hosts.exists():
            _add(bundle, top / "hosts.yaml", without_secrets(hosts.read_bytes()))
        _add(bundle, top / "README.txt", _readme(cluster, missing, left_out, explained, cause).encode())
    return PackedEvidence(target, missing, explained, cause)


def _add(bundle: tarfile.TarFile, path: PurePosixPath, content: bytes) -> None:
    entry = tarfile.TarInfo(str(path))
    entry.size, entry.mode = len(content), 0o640
    entry.mtime = int(datetime.now(UTC).timestamp())
    bundle.addfile(entry, io.BytesIO(content))


def _explained(reader: LogReader, log: str, status: str) -> tuple[str, ...]:
    found = [f"{one.id} {one.words}: {one.line}" for one in reader.explain(log, status=status)[:5]]
    return tuple(found or [f"not known: {line}" for line in reader.first_errors(log, 3) if "ERROR" in line])


def _cause(
    reader: LogReader, texts: Mapping[str, str], statuses: Mapping[str, str], clocks: Mapping[str, float]
) -> str:
    ended = {name: status for name, status in statuses.items() if status}
    found = reader.diagnose(texts, ended, statuses=ended, clocks=clocks) if ended else None
    if found is None or found.explanation is None:
        return ""
    where = f"{found.node}, {found.explanation.place}" if found.explanation.place else found.node
    return f"{where}: {found.words}  ({found.explanation.id})"


def _readme(
    cluster: Cluster,
    missing: Mapping[str, str],
    left_out: Mapping[str, str],
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
        *((f"The first cause of all: {cause}", "") if cause else ()),
    ]
    for name, why in missing.items():
        lines.append(f"{name}: {why}")
    for file, why in left_out.items():
        lines.append(f"{file} was left out: {why}")
    for name, found in explained.items():
        lines += [f"{name}:", *(f"  {line}" for line in found or ("no error that is known",))]
    return "\n".join(lines) + "\n"
