"""The seam: everything that the rooms above may know of the engine that serves the model.

Drawn from the needs of two: MindIE, which reads a config.json and a rank table, takes its model code from our
overlay and has a listener for its health; and vLLM (vllm-ascend), which is told everything on its command
line, finds its nodes by itself, prints no success line on nodes without HTTP, and whose health says nothing.
``lingctl.engines`` tells which engine a cluster has; docs/engines.md how to add one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from lingctl.engine.capacity import Capacity
from lingctl.engine.container import ContainerSpec
from lingctl.engine.files import Encryption, Joint, Overlay, Shown
from lingctl.engine.logs import LogReader
from lingctl.engine.scripts import Environment, Start
from lingctl.engine.versions import VersionProfile
from lingctl.inventory.cluster import Addresses, Cluster
from lingctl.inventory.sections import Node, Serving
from lingctl.remote.upload import WriteFile

WeightsForm = Literal["safetensors", "bin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class About(VersionProfile):
    """What holds for one version, whatever it serves."""

    name: str  # in codes of errors, labels and file names
    title: str  # for people
    image: str  # container image
    driver: str  # the oldest line of drivers (HDK) that it works with
    set_env: tuple[str, ...]  # vendor scripts that make its container's programs find CANN, in order
    log_places: tuple[str, ...]  # folders of its own logs, in the container
    # how the names of its processes begin, as the kernel has them, that may outlive the daemon outside of its
    # process group; empty where none is known to
    process_names: tuple[str, ...]
    # names of the files that it may have in the folder of a release, besides the two scripts
    file_names: tuple[str, ...]
    reads: frozenset[WeightsForm]  # forms of weights that it loads; others are converted
    opens_all: bool  # whether it opens every *.safetensors of the folder, whatever an index lists
    strict_modes: bool  # whether it refuses weights that others than its user may read or write
    joins_by_addresses: bool  # whether it joins several nodes by the addresses of their cards


@dataclass(frozen=True, slots=True)
class Http:
    """Where the service tells of its health, and in which shapes it is asked."""

    # whether it has MindIE's own API: health on ``serving.management_port``, and ``/infer`` for models that
    # cannot chat. Else both are asked as OpenAI-compatible services are.
    management: bool
    metrics: bool  # whether it has a port of its own for metrics
    ready_path: str  # answers 200 when the service calls itself ready, which alone proves nothing

    def ports(self, serving: Serving) -> dict[str, int]:
        """What it opens on the first node, by what each is for."""
        more = {"management": self.management, "metrics": self.metrics}
        asked = {"management": serving.management_port, "metrics": serving.metrics_port}
        return {"service": serving.port, **{name: asked[name] for name, has in more.items() if has}}

    def health_port(self, serving: Serving) -> int:
        """Where ``ready_path`` is asked."""
        return serving.management_port if self.management else serving.port


class Engine(Protocol):
    """A serving engine in one version. All of it is pure; only certificates are read from here."""

    @property
    def about(self) -> About:
        """What holds for this version, whatever it serves."""

    @property
    def overlay(self) -> Overlay:
        """What its own code lacks to serve the Ling models."""

    @property
    def http(self) -> Http:
        """Where the service tells of its health, and in which shapes it is asked."""

    @property
    def logs(self) -> LogReader:
        """What is looked for in its daemon's console, and what its words mean."""

    @property
    def capacity(self) -> Capacity:
        """Whether a model fits."""

    def need_defaults(self, generation_config: Mapping[str, Any]) -> None:
        """Refuse default sampling parameters (generation_config.json) with which it does not start or answer.

        Raises:
            ConfigurationError: they are such.
        """

    def model_config(
        self, original: Mapping[str, Any], *, rows: int | None = None, columns: int | None = None
    ) -> tuple[dict[str, Any], list[str]]:
        """The model's config.json as it can load it, and what was changed and why.

        Args:
            rows: rows of layer 0's query_key_value weight, if known.
            columns: columns of layer 0's dense weight, if known.

        Raises:
            ConfigurationError: it cannot serve this model, or the numbers contradict each other.
        """

    def folds_head(self, model_config: Mapping[str, Any]) -> bool:
        """Whether the model's head has to be normalised in the weights before it serves them (norm_head),
        because it does not do so itself and hosts.yaml asks for it."""
        ...

    def container(self, cluster: Cluster, node: Node) -> ContainerSpec:
        """The container of a node. Raises ConfigurationError: hosts.yaml asks for what it cannot run with."""

    def files(self, cluster: Cluster, node: Node, weights: str) -> tuple[WriteFile, ...]:
        """A node's own files, besides the two scripts.

        Raises:
            ConfigurationError: hosts.yaml asks for what it would refuse.
        """

    def environment(self, cluster: Cluster, node: Node) -> Environment:
        """The environment of a node's daemon.

        Raises:
            ConfigurationError: a certificate cannot be read or used.
        """

    def start(
        self, cluster: Cluster, node: Node, weights: str, model_config: Mapping[str, Any] | None
    ) -> Start:
        """How a node's daemon is started.

        Args:
            weights: folder of the weights on the node.
            model_config: the model's config.json as it will be there, or None where it is not known yet: then
                the catalogue's numbers count.

        Raises:
            ConfigurationError: hosts.yaml asks for what it would refuse.
        """

    def told_otherwise(self, cluster: Cluster) -> Mapping[str, Any]:
        """Keys of the model's config.json for which its command line has other values."""
        ...

    def offline(
        self, cluster: Cluster, weights: str, model_config: Mapping[str, Any] | None
    ) -> tuple[str, ...]:
        """The engine's arguments where the node program answers a batch with it, without a service.

        Args:
            weights, model_config: as for ``start``.

        Raises:
            ConfigurationError: it answers only as a service, or hosts.yaml asks for what it would refuse.
        """

    def need_cards(self, generations: Mapping[str, str]) -> None:
        """Refuse cards that it cannot serve on, or cannot join where there are several nodes.

        Args:
            generations: of each node's cards, by node; empty where the PCI bus does not tell.

        Raises:
            ConfigurationError: a node has such cards.
        """

    def joint(self, cluster: Cluster, addresses: Addresses) -> Joint:
        """What joins several nodes.

        Raises:
            ConfigurationError: a card's address is missing, and it needs all.
        """

    def encryption(self, cluster: Cluster) -> Encryption:
        """What is encrypted, and the certificates that takes."""

    def remarks(self, cluster: Cluster) -> tuple[str, ...]:
        """What to know of the version: rules taken over from another, an image that says another."""
        ...

    def shown(self, cluster: Cluster, overrides: Mapping[str, str]) -> list[Shown]:
        """Every value that a release rests on, in the order of hosts.yaml.

        Args:
            overrides: what was set outside hosts.yaml: dotted name to its source, e.g. ``mindie`` to ``flag
                --mindie``.
        """
