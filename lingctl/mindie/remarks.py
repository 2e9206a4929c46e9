"""What a reader of a plan should know of the version: rules of another one, an image that says another."""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.inventory.cluster import Cluster
from lingctl.mindie.profile import PROFILES, Profile
from lingctl.mindie.versions import version_of_image


def version_remarks(cluster: Cluster, profile: Profile) -> Iterator[str]:
    """In words; none where the profile is the version's own and the image says nothing else."""
    version, basis = profile.version, profile.taken_from
    if basis and profile in PROFILES:
        yield f"MindIE {version} is checked against {profile.checked_against}; {_image(cluster, profile)}"
    elif basis:
        yield (
            f"MindIE {version} has no rules of its own here: those of the nearest earlier version of its "
            f"line, {basis}, are used; nothing of {version} was checked; {_image(cluster, profile)}"
        )
    image = (cluster.container.image or "").lower()
    if "vllm" in image and "mindie" not in image:
        yield f"container.image is vLLM's by its name, and the engine is MindIE: {cluster.container.image}"
    said = version_of_image(cluster.container.image or "")
    if said is not None and not said.is_alike(profile.place):
        yield (
            f"container.image says MindIE {said.text}, and hosts.yaml says mindie: {version}: the rules of "
            f"{profile.rules_of} are used"
        )


def _image(cluster: Cluster, profile: Profile) -> str:
    if cluster.container.image:
        return "the image is container.image's"
    return f"its image is looked for as {profile.image}, container.image names another"
