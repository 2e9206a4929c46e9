"""What a reader of a plan should know: of the version, and of what is reported of several nodes."""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.engine.remarks import (
    image_remark,
    other_engine_remarks,
    other_version_remarks,
    taken_over_remark,
)
from lingctl.inventory.cluster import Cluster
from lingctl.vllm.launch.environment import ray_address
from lingctl.vllm.launch.parallel import Cut, cut_of
from lingctl.vllm.long_context import stretch_remarks
from lingctl.vllm.profile import VllmProfile
from lingctl.vllm.versions import machine_of_vllm_image, version_of_vllm_image


def vllm_remarks(cluster: Cluster, profile: VllmProfile) -> Iterator[str]:
    """In words."""
    yield from _of_version(cluster, profile)
    yield (
        "vLLM executes the Python file of the model's configuration that lies beside the weights "
        "(--trust-remote-code): take them from where you trust them"
    )
    yield from _of_image(cluster)
    yield from stretch_remarks(cluster)
    yield from _of_cut(cut_of(cluster, profile))
    if cluster.multi_node:
        yield from _of_several_nodes(cluster)


def _of_version(cluster: Cluster, profile: VllmProfile) -> Iterator[str]:
    version, image = profile.version, image_remark(cluster, profile.image)
    if profile.taken_from:
        yield taken_over_remark("vLLM", profile, "nearest earlier version", image)
    if not profile.ascend:
        yield f"vllm-ascend has no release {version}: it was run on processors alone; {image}"
    else:
        yield f"vLLM {version} with Ling was never tried on a card: it rests on documents and source"
    if profile.ascend and not profile.driver:
        yield (
            f"no source says which driver CANN {profile.cann or 'of this image'} needs: the nodes' drivers "
            "are not judged by it"
        )
    said = version_of_vllm_image(cluster.container.image or "")
    yield from other_version_remarks("vLLM", profile, said, version)


def _of_image(cluster: Cluster) -> Iterator[str]:
    yield from other_engine_remarks(cluster, "vLLM", "MindIE")
    machine = machine_of_vllm_image(cluster.container.image or "")
    if machine and machine != cluster.engine.hardware:
        yield (
            f"container.image is for Atlas {machine.upper()} by its tag, and hosts.yaml says hardware: "
            f"{cluster.engine.hardware}"
        )


def _of_cut(cut: Cut) -> Iterator[str]:
    """What is reported against it."""
    if cut.pipeline > 1:
        yield (
            f"{cut.words}: open reports against pipelines on Ascend are vllm-ascend 16608 (garbled answers) "
            "and 10910 (two nodes through Ray); engine: {parallel: data} is the other way"
        )
    if cut.data > 1:
        yield (
            f"{cut.words}: vllm-ascend 10910 reports failures of it through Ray over two nodes; "
            "engine: {parallel: pipeline} is the other way"
        )


def _of_several_nodes(cluster: Cluster) -> Iterator[str]:
    if cluster.engine.distributed == "ray":
        yield (
            f"the workers are those of the site's Ray at {ray_address(cluster)}, which lingctl neither "
            "starts nor stops; nodes but the first only keep their place"
        )
    else:
        yield ("besides its ports vLLM opens random ones between the nodes: a firewall must let them through")
