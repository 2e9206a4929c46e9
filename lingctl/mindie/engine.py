"""MindIE behind the seam (``lingctl.engine.interface``): one version of it, from its profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lingctl.engine.capacity import Capacity
from lingctl.engine.container import ContainerSpec
from lingctl.engine.files import Encryption, Joint, Overlay, Shown
from lingctl.engine.interface import About
from lingctl.engine.scripts import Environment, Start
from lingctl.errors import ConfigurationError
from lingctl.inventory.cluster import Addresses, Cluster
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.inventory.sections import Node
from lingctl.mindie.capacity import verdict as capacity_verdict
from lingctl.mindie.container import container_spec
from lingctl.mindie.environment import HTTP, daemon_environment, daemon_start
from lingctl.mindie.files.config import render_config
from lingctl.mindie.files.generation_config import need_numbers
from lingctl.mindie.files.model_config import loadable_model_config
from lingctl.mindie.files.rank_table import need_known_form, prove, rank_table
from lingctl.mindie.logs.log_reader import MINDIE_LOGS
from lingctl.mindie.overlay import overlay_in_container, shipped_files
from lingctl.mindie.profile import Profile, profile_for
from lingctl.mindie.remarks import version_remarks
from lingctl.mindie.shown import shown_values
from lingctl.mindie.tls import encryption
from lingctl.remote.upload import WriteFile

_CONFIG, _RANK_TABLE = "config.json", "rank_table.json"
_USUAL = str(Cluster.model_fields["mindie"].default)


@dataclass(frozen=True, slots=True)
class MindIE:
    """See ``Engine``, whose members have the documentation."""

    profile: Profile

    http = HTTP
    logs = MINDIE_LOGS

    @property
    def about(self) -> About:
        return self.profile

    @property
    def overlay(self) -> Overlay:
        return Overlay(shipped_files(), overlay_in_container(self.profile))

    @property
    def capacity(self) -> Capacity:
        return capacity_verdict

    def need_defaults(self, generation_config: Mapping[str, Any]) -> None:
        need_numbers(generation_config, "generation_config.json")

    def model_config(
        self, original: Mapping[str, Any], *, rows: int | None = None, columns: int | None = None
    ) -> tuple[dict[str, Any], list[str]]:
        return loadable_model_config(dict(original), rows=rows, columns=columns)

    def folds_head(self, model_config: Mapping[str, Any]) -> bool:
        """See ``Engine``; the overlay normalises it."""
        return False

    def container(self, cluster: Cluster, node: Node) -> ContainerSpec:
        return container_spec(cluster, node, self.profile)

    def files(self, cluster: Cluster, node: Node, weights: str) -> tuple[WriteFile, ...]:
        text = render_config(cluster, node, self.profile, weights)
        return (WriteFile(f"{cluster.layout.release}/{_CONFIG}", text.encode()),)

    def environment(self, cluster: Cluster, node: Node) -> Environment:
        return daemon_environment(cluster, node, self.profile)

    def start(
        self, cluster: Cluster, node: Node, weights: str, model_config: Mapping[str, Any] | None
    ) -> Start:
        """See ``Engine``; the weights stand in config.json, and the model's numbers in its own."""
        return daemon_start(cluster, node, self.profile)

    def told_otherwise(self, cluster: Cluster) -> Mapping[str, Any]:
        """See ``Engine``; it reads the file alone."""
        return {}

    def offline(
        self, cluster: Cluster, weights: str, model_config: Mapping[str, Any] | None
    ) -> tuple[str, ...]:
        raise ConfigurationError("MindIE answers only as a service", where="--offline", code="offline-engine")

    def need_cards(self, generations: Mapping[str, str]) -> None:
        """See ``Engine``; one node needs no rank table."""
        if len(generations) > 1:
            need_known_form(generations)

    def joint(self, cluster: Cluster, addresses: Addresses) -> Joint:
        """See ``Engine``; one node needs no rank table."""
        if not cluster.multi_node:
            return Joint()
        table = rank_table(cluster, addresses)
        file = WriteFile(f"{cluster.layout.release}/{_RANK_TABLE}", table.encode())
        return Joint((file,), tuple(prove(table, cluster, addresses)))

    def encryption(self, cluster: Cluster) -> Encryption:
        return encryption(cluster, self.profile)

    def remarks(self, cluster: Cluster) -> tuple[str, ...]:
        return tuple(version_remarks(cluster, self.profile))

    def shown(self, cluster: Cluster, overrides: Mapping[str, str]) -> list[Shown]:
        return list(shown_values(cluster, self.profile, overrides))


def mindie(choice: EngineChoice) -> MindIE:
    """MindIE of a version. Raises ConfigurationError: there is no profile of it."""
    return MindIE(profile_for(choice.version or _USUAL))
