"""releases: what was deployed before and can be come back to; and noting what was proved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from lingctl.assets import shell
from lingctl.engines import engine_chosen
from lingctl.errors import ConfigurationError, NodeError
from lingctl.flows.change.seen_releases import keep_releases
from lingctl.flows.look.node_states import look_of, node_states
from lingctl.inventory.cluster import Cluster
from lingctl.release.record import (
    Recorded,
    Recording,
    engine_in,
    proved_command,
    read_head,
    recorded,
    release_id,
    running,
)
from lingctl.release.state import NodeState
from lingctl.release.wanted import Release
from lingctl.release.weights_state import WeightsState
from lingctl.remote.command import script
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.lock import me

_HEADS = shell("ask/heads")


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """One row of ``lingctl releases``."""

    id: str
    time: str
    who: str
    model: str
    engine: str  # in words, with its version
    image: str
    current: bool  # whether all daemons run with it
    proved: bool  # whether the service answered with it on every node
    missing: tuple[str, ...] = ()  # nodes that lack it; one that is not whole cannot be rolled back to


def new_recording(releases: Mapping[str, Release], states: Mapping[str, NodeState]) -> Recording:
    """A name and a description for a release that is about to be deployed."""
    now = datetime.now(UTC)
    return Recording(
        release_id(now.strftime("%Y%m%d-%H%M%S"), releases),
        now.strftime("%Y-%m-%d %H:%M:%S UTC"),
        me("").who,
        {name: _weights_digest(states[name], release) for name, release in releases.items()},
    )


def list_releases(group: Group, cluster: Cluster) -> list[ReleaseRow]:
    """The recorded releases, newest first.

    Raises:
        LingctlError: a node cannot be asked, or a record is damaged.
    """
    look = look_of(cluster)
    states = node_states(group, look)
    folder = look.site.layout.releases
    described: dict[str, dict[str, object]] = {}
    for heads in group.all(lambda connection: read_heads(connection, folder)).values():
        for head in heads:
            described.setdefault(str(head["id"]), head)
    now = running(states)
    rows = [_row(one, described.get(one.id, {}), cluster, now) for one in recorded(states)]
    keep_releases(cluster.name, [row.id for row in rows])
    return rows


def read_heads(connection: Connection, folder: str) -> list[dict[str, object]]:
    """What the records on a node say of themselves; none where there is no folder of them.

    Raises:
        NodeError: the folder or a record cannot be read.
    """
    done = connection.run(script(_HEADS, folder, title="read the releases"))
    if done.exit_status:
        raise NodeError(
            "the recorded releases cannot be read",
            where=connection.node,
            evidence=done.last_words(),
            remedy=f"see what is wrong with them: ls -la {folder}; dmesg | tail",
            code="releases-unreadable",
        )
    lines = done.stdout.splitlines()
    return [] if lines == ["absent"] else [read_head(connection.node, line) for line in lines]


def engine_in_words(head: Mapping[str, object]) -> str:
    """What serves a recorded release, with its version; empty where its record does not say."""
    try:
        about = engine_chosen(engine_in(head)).about
    except (ValueError, ConfigurationError):
        return ""
    return f"{about.title} {about.version}"


def lacks_proof(states: Mapping[str, NodeState]) -> bool:
    """Whether the release that runs is recorded and was not yet proved: its deploy ended before that."""
    now = running(states)
    return now is not None and not now.proved


def note_proved(group: Group, cluster: Cluster) -> str:
    """Note on every node that the service answered with the release that runs.

    Returns:
        The release's id, or empty when it is not recorded on every node.
    """
    look = look_of(cluster)
    now = running(node_states(group, look))
    if now is None:
        return ""
    note = proved_command(look.site.layout, now.id)
    group.all(lambda connection: connection.run(note).checked(connection.node))
    return now.id


def _row(one: Recorded, head: Mapping[str, object], cluster: Cluster, now: Recorded | None) -> ReleaseRow:
    return ReleaseRow(
        id=one.id,
        time=str(head.get("time", "")),
        who=str(head.get("who", "")),
        model=str(head.get("model", "")),
        engine=engine_in_words(head),
        image=str(head.get("image", "")),
        current=now is not None and now.id == one.id,
        proved=one.proved and one.whole(cluster.node_names),
        missing=tuple(name for name in cluster.node_names if name not in one.digests),
    )


def _weights_digest(state: NodeState, release: Release) -> str:
    converted = release.weights.endswith("_safetensor")
    weights = state.converted if converted else state.downloaded
    return weights.digest if isinstance(weights, WeightsState) else ""
