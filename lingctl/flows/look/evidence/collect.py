"""collect: one file with everything that may explain a failure, from all nodes, with secrets removed."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from lingctl.errors import LingctlError, NodeError, NotAskedError
from lingctl.events import Event, Listener
from lingctl.flows.look.clocks import clocks_apart
from lingctl.flows.look.evidence.bundle import PackedEvidence, pack
from lingctl.flows.look.evidence.node_part import GatheredPart, contents_in_words
from lingctl.flows.network.check import CheckOptions, check_network
from lingctl.flows.run.whole_file import no_room
from lingctl.inventory.cluster import Cluster
from lingctl.release.evidence.gathered import gather_command
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
        NodeError: the file, or what a node sends, cannot be written here.
    """
    site = site_of(cluster)
    with ExitStack() as parts_end:

        def gather(connection: Connection) -> GatheredPart:
            command = gather_command(site, connection.node)
            part = parts_end.enter_context(tempfile.TemporaryFile(prefix="lingctl-collect-"))
            return GatheredPart(part, _gather(connection, command, part, listener))

        outcomes = group.map(gather)
        gathered = {name: part for name, part in outcomes.items() if isinstance(part, GatheredPart)}
        missing = {
            name: f"nothing could be gathered: {error.what}"
            for name, error in outcomes.items()
            if isinstance(error, LingctlError) and not isinstance(error, NotAskedError)
        }
        report = None
        if check:
            try:
                report = check_network(group, cluster, CheckOptions(mesh="off"), listener)
            except LingctlError as error:  # the logs may tell why
                text = f"what check-network asks is not in it: {error}"
                listener(Event(_TASK, "note", text=text))
        for name, part in gathered.items():
            listener(Event(_TASK, "note", name, f"to be packed: {contents_in_words(name, part)}"))
        try:
            clocks = clocks_apart(group, site)
            return pack(cluster, hosts, target, gathered, missing, report, clocks, group.left_out)
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
