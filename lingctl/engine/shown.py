"""The values that a release rests on, each with where it came from: those that any engine has."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from lingctl.engine.files import Encryption, Setting, Shown
from lingctl.engine.versions import VersionProfile
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node


@dataclass(frozen=True, slots=True)
class ClusterValues:
    """Rows of ``render --show``, of one cluster."""

    cluster: Cluster
    overrides: Mapping[str, str]  # what was set beside hosts.yaml, and by what, by dotted name

    def field(self, dotted: str, value: object = None) -> Shown:
        """A field of hosts.yaml; ``value`` where that follows from more than the field."""
        *sections, name = dotted.split(".")
        part: BaseModel = functools.reduce(getattr, sections, self.cluster)
        told = getattr(part, name) if value is None else value
        words = str(told).lower() if isinstance(told, bool) else str(told)
        source = "hosts.yaml" if name in part.model_fields_set else "default"
        return Shown("", dotted, words, self.overrides.get(dotted, source))

    def version(self, profile: VersionProfile, engine: str, image: str, nearest: str) -> Iterator[Shown]:
        """Of the engine's version: what its rules rest on, and its image.

        Args:
            engine: name and version, for people.
            nearest: whose rules are taken where it has none.
        """
        if profile.taken_from:
            yield Shown("", "rules of", profile.taken_from, nearest)
        yield Shown("", "checked against", profile.checked_against, engine)
        given = self.cluster.container.image
        yield self.field("container.image") if given else Shown("", "container.image", image, engine)

    def weights(self) -> Shown:
        """Where the weights are."""
        source = "hosts.yaml" if self.cluster.paths.weights else "follows from paths.models and model"
        return Shown("", "weights", self.cluster.downloaded_weights, source)

    def serving(self, settings: Mapping[str, Setting]) -> Iterator[Shown]:
        """The serving values that count."""
        for name, setting in settings.items():
            yield Shown("", f"serving.{name}", f"{setting.value:.10g}", setting.source)

    def encryption(self, encryption: Encryption) -> Iterator[Shown]:
        """What is encrypted."""
        for subject, words in encryption.words:
            yield Shown("", subject, words, "hosts.yaml" if words.startswith("on") else "default")

    def node(self, node: Node) -> Iterator[Shown]:
        """A node's address and cards."""
        address = "hosts.yaml" if "service_address" in node.model_fields_set else "follows from address"
        yield Shown(node.name, "service_address", node.service_address, address)
        devices = "hosts.yaml" if "devices" in node.model_fields_set else "default"
        yield Shown(node.name, "devices", ", ".join(map(str, node.devices)), devices)
