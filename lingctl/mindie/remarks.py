"""What a reader of a plan should know of the version: rules of another one, an image that says another."""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.engine.remarks import (
    image_remark,
    other_engine_remarks,
    other_version_remarks,
    taken_over_remark,
)
from lingctl.inventory.cluster import Cluster
from lingctl.mindie.profile import PROFILES, Profile
from lingctl.mindie.versions import version_of_image


def version_remarks(cluster: Cluster, profile: Profile) -> Iterator[str]:
    """In words; none where the profile is the version's own and the image says nothing else."""
    image = image_remark(cluster, profile.image)
    if profile.taken_from and profile in PROFILES:
        yield f"MindIE {profile.version} is checked against {profile.checked_against}; {image}"
    elif profile.taken_from:
        yield taken_over_remark("MindIE", profile, "nearest earlier version of its line", image)
    yield from other_engine_remarks(cluster, "MindIE", "vLLM")
    said = version_of_image(cluster.container.image or "")
    yield from other_version_remarks("MindIE", profile, said, f"mindie: {profile.version}")
