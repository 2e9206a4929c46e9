"""What is said, the same by every verb, of a node whose docker or image is not there."""

from __future__ import annotations

from lingctl.errors import NodeError


def docker_down(node: str, evidence: str) -> NodeError:
    """The error for a node whose docker does not answer."""
    return NodeError(
        "docker does not answer",
        where=node,
        evidence=evidence,
        remedy="systemctl start docker; docker version",
        code="docker-down",
    )


def image_missing(what: str, image: str, where: str) -> NodeError:
    """The error for nodes that lack a container image.

    Args:
        what: is missing, in words that name the image.
        image: its name, for the remedy.
        where: the nodes.
    """
    return NodeError(
        what,
        where=where,
        remedy=f"docker pull {image}\nor, without a network: docker load -i FILE",
        code="image-missing",
    )
