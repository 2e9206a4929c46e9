"""What every verb says of a node whose container runtime, image or container is not as needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lingctl.errors import NodeError
from lingctl.inventory.runtime import Runtime
from lingctl.release.site import Site
from lingctl.release.state import NodeState
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.probe import Answer
from lingctl.remote.runtime import elsewhere_command, read_elsewhere


def runtime_down(runtime: Runtime, node: str, evidence: str) -> NodeError:
    """The error for a node whose container runtime does not answer."""
    return NodeError(
        f"{runtime.program} does not answer",
        where=node,
        evidence=evidence,
        remedy=runtime.down,
        code=f"{runtime.program}-down",
    )


def need_runtime(runtime: Runtime, states: Iterable[NodeState]) -> None:
    """Be sure that the runtime answers. Raises NodeError: on one of the nodes it does not."""
    for state in states:
        if state.runtime_problem:
            raise runtime_down(runtime, state.node, state.runtime_problem)


def image_missing(runtime: Runtime, what: str, image: str, where: str, *, chosen: bool = False) -> NodeError:
    """The error for nodes that lack a container image; ``what`` is missing, in words that name it.

    Args:
        chosen: hosts.yaml chooses the image, so it may choose another.
    """
    remedy = f"{runtime.program} pull {image}\nor, without a network: {runtime.program} load -i FILE"
    if chosen:
        remedy += f"\nor name an image they have ({runtime.program} images) in hosts.yaml: container.image"
    return NodeError(
        what,
        where=where,
        remedy=remedy,
        code="image-missing",
    )


def need_container_nowhere_else(group: Group, site: Site) -> None:
    """Refuse to go on where the cluster's container runs under another runtime, and so holds the cards.

    Raises:
        NodeError: it does on some node, or may.
    """

    def ask(connection: Connection) -> dict[Runtime, bool]:
        asked = connection.run(elsewhere_command(site.runtime, site.container), timeout=60)
        return read_elsewhere(site.runtime, asked.checked(connection.node).stdout)

    refuse_elsewhere(site, group.all(ask))


def elsewhere_in(runtime: Runtime, answer: Answer | None) -> dict[Runtime, bool]:
    """What a probe's answer to ``elsewhere_command`` says; one that failed says nothing."""
    said = answer.stdout if answer is not None and answer.exit_status == 0 else None
    return read_elsewhere(runtime, said)


def refuse_elsewhere(site: Site, found: Mapping[str, Mapping[Runtime, bool]]) -> None:
    """As ``need_container_nowhere_else``, of what every node said (``read_elsewhere``)."""
    name, ours = site.container, site.runtime.program
    for node, others in found.items():
        for other, runs in others.items():
            if not runs:
                raise runtime_down(other, node, f"whether container {name} runs under it is not known")
            raise NodeError(
                f"container {name} runs under {other.program}, and hosts.yaml says runtime: {ours}",
                where=node,
                remedy=f"end it where it runs: lingctl stop with runtime: {other.program} in hosts.yaml; "
                f"or on each node: {other.program} rm -f {name}",
                code="container-elsewhere",
            )
