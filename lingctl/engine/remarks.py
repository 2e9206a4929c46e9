"""What a reader of a plan should know of a version and of its image, whichever engine it is."""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.engine.versions import EngineVersion, VersionProfile
from lingctl.inventory.cluster import Cluster


def image_remark(cluster: Cluster, image: str) -> str:
    """Which image is taken, given the version's own."""
    if cluster.container.image:
        return "the image is container.image's"
    return f"its image is looked for as {image}, container.image names another"


def taken_over_remark(engine: str, profile: VersionProfile, nearest: str, image: str) -> str:
    """That a version has no rules of its own.

    Args:
        nearest: the version whose rules are used, in words.
        image: as ``image_remark`` says it.
    """
    return (
        f"{engine} {profile.version} has no rules of its own here: those of the {nearest}, "
        f"{profile.taken_from}, are used; nothing of {profile.version} was checked; {image}"
    )


def other_engine_remarks(cluster: Cluster, own: str, other: str) -> Iterator[str]:
    """That container.image is another engine's by its name; ``own`` and ``other`` are titles of engines."""
    image = cluster.container.image or ""
    if other.lower() in image.lower() and own.lower() not in image.lower():
        yield f"container.image is {other}'s by its name, and the engine is {own}: {image}"


def other_version_remarks(
    engine: str, profile: VersionProfile, said: EngineVersion | None, asked: str
) -> Iterator[str]:
    """That container.image's tag names another version; ``asked`` is what hosts.yaml says."""
    if said is not None and not said.is_alike(profile.place):
        yield (
            f"container.image says {engine} {said.text}, and hosts.yaml says {asked}: the rules of "
            f"{profile.rules_of} are used"
        )
