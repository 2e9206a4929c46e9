"""vLLM behind the seam (``lingctl.engine.interface``): one version of it, from its profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lingctl.engine.capacity import Capacity
from lingctl.engine.container import ContainerSpec
from lingctl.engine.files import NO_OVERLAY, Encryption, Joint, Shown
from lingctl.engine.interface import About, Http
from lingctl.engine.scripts import Environment, Start
from lingctl.inventory.cluster import Addresses, Cluster
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.inventory.sections import Node
from lingctl.remote.upload import WriteFile
from lingctl.vllm.capacity.verdict import VllmCapacity
from lingctl.vllm.files.generation_config import need_sampling_numbers
from lingctl.vllm.files.model_config import ignores_head, vllm_model_config
from lingctl.vllm.hardware import need_hardware
from lingctl.vllm.launch.command_line import vllm_offline, vllm_start
from lingctl.vllm.launch.container import vllm_container
from lingctl.vllm.launch.environment import vllm_environment
from lingctl.vllm.launch.tls import vllm_encryption
from lingctl.vllm.logs.log_reader import VLLM_LOGS
from lingctl.vllm.long_context import stretch_of, stretched_config
from lingctl.vllm.profile import DEFAULT_VERSION, VllmProfile, vllm_profile_for
from lingctl.vllm.remarks import vllm_remarks
from lingctl.vllm.shown import vllm_values


@dataclass(frozen=True, slots=True)
class Vllm:
    """See ``Engine``, whose members have the documentation."""

    profile: VllmProfile
    choice: EngineChoice

    overlay = NO_OVERLAY  # it has the model's code itself
    http = Http(management=False, metrics=False, ready_path="/health")
    logs = VLLM_LOGS

    @property
    def about(self) -> About:
        return self.profile

    @property
    def capacity(self) -> Capacity:
        return VllmCapacity(self.profile, self.choice)

    def need_defaults(self, generation_config: Mapping[str, Any]) -> None:
        """See ``Engine``; it starts with them, and fails the requests."""
        need_sampling_numbers(generation_config)

    def model_config(
        self, original: Mapping[str, Any], *, rows: int | None = None, columns: int | None = None
    ) -> tuple[dict[str, Any], list[str]]:
        """See ``Engine``; of weights whose head will be folded it is taken to say so."""
        if not self.folds_head(original):
            return vllm_model_config(original, self.profile, rows=rows, columns=columns)
        folded = {**original, "norm_head": False}
        config, reasons = vllm_model_config(folded, self.profile, rows=rows, columns=columns)
        return config, ["norm_head stated as false: it is folded into lm_head", *reasons]

    def folds_head(self, model_config: Mapping[str, Any]) -> bool:
        return self.choice.fold_norm_head and ignores_head(model_config, self.profile)

    def container(self, cluster: Cluster, node: Node) -> ContainerSpec:
        return vllm_container(cluster, node, self.profile)

    def files(self, cluster: Cluster, node: Node, weights: str) -> tuple[WriteFile, ...]:
        """See ``Engine``; everything stands on the command line."""
        return ()

    def environment(self, cluster: Cluster, node: Node) -> Environment:
        return vllm_environment(cluster, node, self.profile)

    def start(
        self, cluster: Cluster, node: Node, weights: str, model_config: Mapping[str, Any] | None
    ) -> Start:
        return vllm_start(cluster, node, weights, model_config, self.profile)

    def told_otherwise(self, cluster: Cluster) -> Mapping[str, Any]:
        """See ``Engine``; positions that are stretched."""
        return stretched_config(stretch_of(cluster))

    def offline(
        self, cluster: Cluster, weights: str, model_config: Mapping[str, Any] | None
    ) -> tuple[str, ...]:
        return vllm_offline(cluster, weights, model_config, self.profile)

    def need_cards(self, generations: Mapping[str, str]) -> None:
        """See ``Engine``; an image is built for one kind of machines."""
        need_hardware(generations, self.choice, self.profile)

    def joint(self, cluster: Cluster, addresses: Addresses) -> Joint:
        """See ``Engine``; vLLM needs no rank table."""
        return Joint()

    def encryption(self, cluster: Cluster) -> Encryption:
        return vllm_encryption(cluster)

    def remarks(self, cluster: Cluster) -> tuple[str, ...]:
        return tuple(vllm_remarks(cluster, self.profile))

    def shown(self, cluster: Cluster, overrides: Mapping[str, str]) -> list[Shown]:
        return list(vllm_values(cluster, self.profile, overrides))


def vllm(choice: EngineChoice) -> Vllm:
    """vLLM of a version. Raises ConfigurationError: nothing is known of it."""
    profile = vllm_profile_for(choice.version or DEFAULT_VERSION)
    return Vllm(replace(profile, image=profile.image_for(choice)), choice)
