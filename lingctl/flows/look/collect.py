"""collect: one file with everything that may explain a failure, from all nodes, with secrets removed."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

from lingctl import __version__
from lingctl.engine.logs import LogReader
from lingctl.engines import engine_of
from lingctl.errors import LingctlError, NodeError
from lingctl.events import Event, Listener
from lingctl.flows.network.check import CheckOptions, NetworkReport, check_network
from lingctl.flows.network.saved import save_answers
from lingctl.flows.run.whole_file import no_room, whole_file
from lingctl.inventory.cluster import Cluster
from lingctl.release.evidence import GZIP, gather_command, unpacked, without_secrets
from lingctl.release.site import site_of
from lingctl.remote.command import Command
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group

_SECONDS = 900.0
_TASK = "gather the evidence"


@dataclass(frozen=True, slots=True)
class PackedEvidence:
    """What was packed."""

    path: Path  # the file here
    missing: Mapping[str, str]  # nodes of which nothing, or only a part, could be gathered, with the reason
    explained: Mapping[str, tuple[str, ...]]  # per node, what its logs show, one line each


def collect(
    group: Group, cluster: Cluster, hosts: Path, target: Path, listener: Listener, *, check: bool = True
) -> PackedEvidence:
    """Pack the evidence of all nodes that can be asked into ``target``; changes nothing on them.

    Args:
        target: the file to write, ending in .tar.gz.
        check: also ask what check-network asks, without pings between cards.

    Raises:
        LingctlError: nothing could be gathered, or the file cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="lingctl-collect-") as scratch:
        site, places = site_of(cluster), engine_of(cluster).about.log_places

        def gather(connection: Connection) -> Path:
            command = gather_command(site, connection.node, places)
            return _gather(connection, command, Path(scratch), listener)

        parts = group.map(gather)
        gathered = {name: part for name, part in parts.items() if isinstance(part, Path)}
        missing = {
            name: f"nothing could be gathered: {error.what}"
            for name, error in parts.items()
            if isinstance(error, LingctlError)
        }
        report = None
        if check:
            with suppress(LingctlError):
                report = check_network(group, cluster, CheckOptions(mesh="off"), listener)
        try:
            return _pack(cluster, hosts, target, gathered, missing, report, Path(scratch))
        except OSError as error:
            raise no_room(error, target) or NodeError(
                f"cannot write {target}: {error.strerror}", where="this machine", code="write-failed"
            ) from error


def default_name(cluster: Cluster) -> str:
    """A file name that says what and when."""
    return f"lingctl-{cluster.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar.gz"


def _gather(connection: Connection, command: Command, scratch: Path, listener: Listener) -> Path:
    listener(Event(_TASK, "started", connection.node))
    part = scratch / f"{connection.node}.part"
    lock, size = threading.Lock(), 0
    with part.open("wb") as file:

        def keep(data: bytes) -> None:
            nonlocal size
            with lock:
                size += len(data)
                file.write(data)
                listener(Event(_TASK, "progress", connection.node, done=size))

        try:
            connection.run(command, timeout=_SECONDS, on_output=keep).checked(connection.node)
            file.flush()
        except LingctlError as error:
            listener(Event(_TASK, "failed", connection.node, error.what))
            raise
        except OSError as error:  # of this machine's own disk; a connection's is none
            raise no_room(error, part) or NodeError(
                f"cannot write {part}: {error.strerror}", where="this machine", code="write-failed"
            ) from error
    listener(Event(_TASK, "done", connection.node))
    return part


def _pack(
    cluster: Cluster,
    hosts: Path,
    target: Path,
    gathered: Mapping[str, Path],
    missing: Mapping[str, str],
    report: NetworkReport | None,
    scratch: Path,
) -> PackedEvidence:
    top = PurePosixPath(target.name.removesuffix(".gz").removesuffix(".tar"))
    explained: dict[str, tuple[str, ...]] = {}
    missing = dict(missing)
    left_out: dict[str, str] = {}
    with whole_file(target, 0o600) as file, tarfile.open(fileobj=file, mode="w:gz") as bundle:
        for name, part in gathered.items():
            logs: list[str] = []
            console, status = "", ""
            try:
                for member, content in _members(name, part):
                    try:
                        text = without_secrets(unpacked(content))
                    except ValueError as error:
                        left_out[f"{name}/{member}"] = str(error)
                        continue
                    again = gzip.compress(text) if content.startswith(GZIP) else text
                    _add(bundle, top / name / member, again)
                    if member.name.startswith("worker-"):
                        console = text.decode("utf-8", "replace")
                    elif member.parts[0] == "process_log":
                        logs.append(text.decode("utf-8", "replace"))
                    elif member == PurePosixPath("lingctl/daemon.exit"):
                        status = text.decode("utf-8", "replace").strip()
            except NodeError as error:  # what came of it, and the other nodes, may hold the cause
                missing[name] = f"only a part could be gathered: {error.what} ({error.evidence})"
            explained[name] = _explained(engine_of(cluster).logs, "\n\f".join((console, *logs)), status)
        if report is not None:
            save_answers(report, scratch / "answers")
            for saved in sorted((scratch / "answers").iterdir()):
                _add(bundle, top / "check-network" / saved.name, without_secrets(saved.read_bytes()))
            findings = [finding.as_json() for finding in report.findings]
            _add(bundle, top / "check-network" / "findings.json", json.dumps(findings, indent=1).encode())
        if hosts.exists():
            _add(bundle, top / "hosts.yaml", without_secrets(hosts.read_bytes()))
        _add(bundle, top / "README.txt", _readme(cluster, missing, left_out, explained).encode())
    return PackedEvidence(target, missing, explained)


def _members(node: str, part: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Regular files only, by their place below the node's folder: nothing may point out of it."""
    try:
        with tarfile.open(part, "r:gz") as archive:
            for member in archive:
                path = PurePosixPath(member.name)
                if not member.isfile() or path.is_absolute() or ".." in path.parts:
                    continue
                content: IO[bytes] | None = archive.extractfile(member)
                if content is not None:
                    yield path, content.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise NodeError(
            "what the node sent is not whole", where=node, evidence=str(error), code="evidence-damaged"
        ) from error


def _add(bundle: tarfile.TarFile, path: PurePosixPath, content: bytes) -> None:
    entry = tarfile.TarInfo(str(path))
    entry.size, entry.mode = len(content), 0o640
    entry.mtime = int(datetime.now(UTC).timestamp())
    bundle.addfile(entry, io.BytesIO(content))


def _explained(reader: LogReader, log: str, status: str) -> tuple[str, ...]:
    found = [f"{one.id} {one.words}: {one.line}" for one in reader.explain(log, status=status)[:5]]
    return tuple(found or [f"not known: {line}" for line in reader.first_errors(log, 3) if "ERROR" in line])


def _readme(
    cluster: Cluster,
    missing: Mapping[str, str],
    left_out: Mapping[str, str],
    explained: Mapping[str, tuple[str, ...]],
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
    ]
    for name, why in missing.items():
        lines.append(f"{name}: {why}")
    for file, why in left_out.items():
        lines.append(f"{file} was left out: {why}")
    for name, found in explained.items():
        lines += [f"{name}:", *(f"  {line}" for line in found or ("no error that is known",))]
    return "\n".join(lines) + "\n"
