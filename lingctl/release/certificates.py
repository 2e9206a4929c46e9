"""Certificates on a node: placed beside the release and never in it, so that no record holds a key. Pure but
for reading the files that hosts.yaml names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from lingctl.engines import engine_of
from lingctl.inventory.cluster import Cluster
from lingctl.plan import Run, Stage, Step
from lingctl.release.state import NodeState
from lingctl.remote.command import command
from lingctl.remote.upload import WriteFile


def certificate_steps(cluster: Cluster, state: NodeState) -> Iterator[Step]:
    """The steps that place the certificates of one node.

    Raises:
        ConfigurationError: a file cannot be read or used.
    """
    for file in engine_of(cluster).encryption(cluster).files:
        content, existing = file.read(), state.files.get(file.path)
        title = f"write {'/'.join(file.path.rsplit('/', 2)[-2:])}"
        # A key's state is known by its digest only: the key itself is never fetched.
        digest = hashlib.sha256(content).hexdigest().encode()
        if existing and existing.content.strip() == digest and existing.mode == file.mode:
            yield Step(Stage.FILES, state.node, title, "in place", "as wanted")
            continue
        folder = file.path.rsplit("/", 1)[0]
        make = command("install", "-d", "-m", "0700", cluster.layout.certificates, folder)
        reason = "missing" if existing is None else "content or mode differs"
        actions = (Run(make), WriteFile(file.path, content, file.mode))
        yield Step(Stage.FILES, state.node, title, "change", reason, actions)


def encryption_remarks(cluster: Cluster) -> tuple[str, ...]:
    """What is encrypted and what is not, a line for each."""
    return tuple(f"{subject} is {words}" for subject, words in engine_of(cluster).encryption(cluster).words)


def certificate_paths(cluster: Cluster) -> list[str]:
    """Where they are on a node."""
    return [file.path for file in engine_of(cluster).encryption(cluster).files]
