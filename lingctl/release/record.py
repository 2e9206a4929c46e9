"""Recorded releases: each deploy leaves on every node all that it takes to come back to it. Pure.

A release is one file, ``<id>.<digest>.json``: a first line that describes it and a second with everything in
it. ``<id>.proved`` beside it says that the service answered with it. The id is the same on all nodes of a
deploy, the digest is the node's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lingctl.assets import shell
from lingctl.engine.container import ContainerSpec
from lingctl.engines import engine_chosen
from lingctl.errors import NodeError
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.inventory.layout import Layout
from lingctl.node.foreign_json import foreign_json
from lingctl.plan import Run, Stage, Step
from lingctl.release.state import NodeState
from lingctl.release.wanted import Release
from lingctl.remote.command import Command, script
from lingctl.remote.upload import WriteFile

KEEP = 10
_PRUNE = shell("change/prune")
_PROVED = 'ls "$1/$2".*.json >/dev/null && umask 027 && rm -f "$1/$2.proved" && set -C && : >"$1/$2.proved"'


@dataclass(frozen=True, slots=True)
class Recording:
    """What a new release is described by."""

    id: str  # begins with its time, so that names sort by age
    time: str  # when it was made
    who: str  # user and machine
    weights_digests: Mapping[str, str]  # of each node's weights, where they are known


@dataclass(frozen=True, slots=True)
class Recorded:
    """A release as the nodes' listings show it."""

    id: str  # see ``Recording``
    digests: Mapping[str, str]  # each node's digest, by node; a node that lacks the release is not in it
    proved: bool  # whether the service answered with it on every node

    def whole(self, nodes: Iterable[str]) -> bool:
        """Whether every one of these nodes has it."""
        return set(nodes) <= set(self.digests)


def release_id(time: str, releases: Mapping[str, Release]) -> str:
    """An id for a new release, from its time (``YYYYmmdd-HHMMSS``) and what it consists of."""
    together = "".join(f"{node}{release.digest}" for node, release in sorted(releases.items()))
    return f"{time}-{hashlib.sha256(together.encode()).hexdigest()[:4]}"


def recorded(states: Mapping[str, NodeState]) -> list[Recorded]:
    """The releases that the nodes have, newest first."""
    digests: dict[str, dict[str, str]] = {}
    proved: dict[str, int] = {}
    for node, state in states.items():
        for name in state.releases:
            match name.split("."):
                case [id_, digest, "json"]:
                    digests.setdefault(id_, {})[node] = digest
                case [id_, "proved"]:
                    proved[id_] = proved.get(id_, 0) + 1
    return [
        Recorded(id_, digests[id_], proved.get(id_, 0) == len(digests[id_]))
        for id_ in sorted(digests, reverse=True)
    ]


def matching(states: Mapping[str, NodeState], digests: Mapping[str, str]) -> Recorded | None:
    """The newest recorded release with these digests, by node, on every one of these nodes."""
    for one in recorded(states):
        if all(one.digests.get(node) == digest for node, digest in digests.items()):
            return one
    return None


def running(states: Mapping[str, NodeState]) -> Recorded | None:
    """The release that all daemons were started with, if it is recorded and the same on all."""
    return matching(states, {node: state.started for node, state in states.items()})


def record_steps(
    cluster: Cluster, states: Mapping[str, NodeState], releases: Mapping[str, Release], new: Recording
) -> list[Step]:
    """Steps that record the wanted release, unless it is recorded already."""
    known = matching(states, {node: release.digest for node, release in releases.items()})
    if known is not None:
        title = f"record release {known.id}"
        return [Step(Stage.RECORD, node, title, "in place", "recorded") for node in releases]
    layout, steps = cluster.layout, []
    for node, release in releases.items():
        path = f"{layout.releases}/{new.id}.{release.digest}.json"
        prune = script(_PRUNE, layout.releases, layout.started, KEEP, title="remove the oldest releases")
        write = WriteFile(path, record_text(cluster, release, new).encode(), 0o640)
        title = f"record release {new.id}"
        steps.append(Step(Stage.RECORD, node, title, "change", "it is new", (write, Run(prune, 60))))
    return steps


def proved_command(layout: Layout, id_: str) -> Command:
    """Note on a node that the service answered with a release."""
    return script(_PROVED, layout.releases, id_, title="note that the release is proved")


def record_text(cluster: Cluster, release: Release, new: Recording) -> str:
    """The file of a release."""
    # They stand in a record even where they are hosts.yaml's defaults.
    named = {"name": release.engine.name, "version": engine_chosen(release.engine).about.version}
    head = {
        "id": new.id,
        "time": new.time,
        "who": new.who,
        "model": cluster.model,
        "engine": release.engine.model_dump(exclude_defaults=True) | named,
        "image": release.container.image,
        "weights": release.weights,
        "weights_digest": new.weights_digests.get(release.node, ""),
        "digest": release.digest,
    }
    body = {
        "files": [_file_json(file) for file in release.files],
        "overlay": [_file_json(file) for file in release.overlay],
        "container": asdict(release.container),
        "model_config": dict(release.model_config),
    }
    return f"{json.dumps(head)}\n{json.dumps(body, ensure_ascii=False)}\n"


def read_head(node: str, line: str) -> dict[str, Any]:
    """The description in a record's first line. Raises NodeError: it is not one."""
    try:
        head = foreign_json(line)
        if isinstance(head, dict) and "id" in head:
            return head
    except ValueError:
        pass
    raise NodeError(
        "a recorded release cannot be read", where=node, evidence=line[:200], code="release-unreadable"
    )


def read_record(node: str, text: str) -> Release:
    """The release in a record. Raises NodeError: it cannot be read, or is not what its digest says."""
    first, _, second = text.partition("\n")
    head = read_head(node, first)
    try:
        body = foreign_json(second)
        container: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in body["container"].items()
        }
        return Release(
            node=node,
            files=tuple(_file(entry) for entry in body["files"]),
            overlay=tuple(_file(entry) for entry in body["overlay"]),
            container=ContainerSpec(**container),
            digest=str(head["digest"]),
            weights=str(head["weights"]),
            model_config=body["model_config"],
            engine=engine_in(head),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise NodeError(
            f"the recorded release {head['id']} cannot be read",
            where=node,
            evidence=f"{type(error).__name__}: {error}",
            code="release-unreadable",
        ) from error


def engine_in(head: Mapping[str, Any]) -> EngineChoice:
    """What serves a recorded release; records of earlier lingctl name MindIE's version alone.

    Raises:
        ValueError: it is an engine or has a setting that this lingctl does not know.
    """
    return EngineChoice.model_validate(
        head.get("engine") or {"name": "mindie", "version": head.get("mindie")}
    )


def _file_json(file: WriteFile) -> dict[str, object]:
    return {"path": file.path, "mode": file.mode, "text": file.content.decode()}


def _file(entry: Mapping[str, Any]) -> WriteFile:
    return WriteFile(str(entry["path"]), str(entry["text"]).encode(), int(entry["mode"]))
