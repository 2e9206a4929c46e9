"""The Cluster: hosts.yaml after reading, with every default filled in; what holds between its parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from pydantic import Field, field_validator, model_validator

from lingctl.errors import ConfigurationError
from lingctl.inventory import forms
from lingctl.inventory.certificates import Certificates, Https
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.inventory.layout import Layout
from lingctl.inventory.models.catalogue import Model, find_model
from lingctl.inventory.runtime import RUNTIMES, Runtime
from lingctl.inventory.sections import Container, Hub, Node, Paths, Section, Serving, Ssh, Timeouts

Addresses = Mapping[str, Mapping[int, str]]
"""Live address of every card, by node name and physical id; a card that has none is left out."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


def _said_in(index: int, node: Node, attribute: str) -> tuple[str | int, ...]:
    """The field that a node's name or address stands in."""
    return ("nodes", index, attribute if attribute in node.model_fields_set else "address")


class Cluster(Section):
    """Everything in hosts.yaml."""

    name: str = Field(description="Name of this deployment: lower-case letters, digits and dashes.")
    model: str = Field(description="A model of the catalogue (see `lingctl models`).")
    mindie: str = Field(
        "1.0.0",
        pattern=forms.VERSION,
        description="MindIE version, in quotes; short for engine: {name: mindie}.",
    )
    engine: EngineChoice = Field(
        EngineChoice(), description="What serves the model, by name or with its settings; default: MindIE."
    )
    nodes: tuple[Node, ...] = Field(min_length=1, description="In order; the first is the primary.")
    ssh: Ssh = Ssh()
    container: Container = Container()
    paths: Paths = Paths()
    serving: Serving = Serving()
    https: Https | None = Field(None, description="HTTPS of the service; without it plain HTTP.")
    inter_node_tls: Certificates | None = Field(
        None, description="TLS between the nodes' daemons; without it plain."
    )
    hub: Hub = Hub()
    timeouts: Timeouts = Timeouts()

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            plain = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")[:40].strip("-")
            raise forms.FormError(
                f"{value!r} is no name of a deployment",
                "it has 1 to 40 lower-case letters, digits and dashes" + (f": {plain}" if plain else ""),
            )
        return value

    @field_validator("model")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            return find_model(value).name
        except ConfigurationError as error:
            raise ValueError(error.what) from error

    @model_validator(mode="after")
    def _engine_is_one(self) -> Cluster:
        other = ""
        if self.engine.name != "mindie":
            other = f"engine: {self.engine.name}"
        elif self.engine.version not in (None, self.mindie):
            other = f"the engine's version {self.engine.version}"
        if other and "mindie" in self.model_fields_set:
            text = f"mindie: {self.mindie} and {other} contradict each other"
            raise forms.FormError(text, "keep one of them", ("engine",))
        return self

    @model_validator(mode="after")
    def _nodes_are_distinct(self) -> Cluster:
        for attribute in ("name", "service_address"):
            first: dict[str, int] = {}
            for index, node in enumerate(self.nodes):
                value = getattr(node, attribute)
                same = first.setdefault(value, index)
                if same != index:
                    raise forms.FormError(
                        f"nodes {same + 1} and {index + 1} have the {attribute.replace('_', ' ')} {value!r}",
                        "list each node once, with its own",
                        _said_in(index, node, attribute),
                        _said_in(same, self.nodes[same], attribute),
                    )
        counts = [len(node.devices) for node in self.nodes]
        if len(set(counts)) > 1:
            odd = next(index for index, count in enumerate(counts) if count != counts[0])
            raise forms.FormError(
                "all nodes must use the same number of cards: neither engine cuts a model over unequal "
                f"device lists (here {', '.join(f'{n.name}: {len(n.devices)}' for n in self.nodes)})",
                f"name {counts[0]} devices for {self.nodes[odd].name}, or as many for all",
                ("nodes", odd, "devices"),
            )
        return self

    @model_validator(mode="after")
    def _ports_are_apart(self) -> Cluster:
        if self.multi_node and self.serving.port == self.serving.inter_node_port:
            raise forms.FormError(
                f"port {self.serving.port} is also serving.inter_node_port, the one between the nodes",
                "give one of them another port",
                ("serving", "port"),
            )
        return self

    @model_validator(mode="after")
    def _runtime_may_use_cards(self) -> Cluster:
        logins = {node.name: self.ssh_of(node) for node in self.nodes}
        others = [name for name, ssh in logins.items() if ssh.user != "root" and not ssh.sudo]
        if self.runtime.as_root and others:
            raise forms.FormError(
                f"{self.runtime.program} gives cards to root's containers alone, and "
                f"{', '.join(others)} is logged in to as somebody else",
                "write ssh: {user: root}, or ssh: {sudo: true}",
                ("container", "runtime"),
            )
        return self

    @property
    def chosen_engine(self) -> EngineChoice:
        """What serves the model, with the version that ``mindie`` says."""
        if self.engine.name != "mindie" or self.engine.version is not None:
            return self.engine
        return self.engine.model_copy(update={"version": self.mindie})

    def served_by(self, engine: EngineChoice) -> Cluster:
        """The same cluster with another engine, or another version of it."""
        version = engine.version if engine.name == "mindie" and engine.version else self.mindie
        return self.model_copy(update={"engine": engine, "mindie": version})

    @property
    def primary(self) -> Node:
        """The node with rank 0, which answers HTTP."""
        return self.nodes[0]

    @property
    def multi_node(self) -> bool:
        """Whether ranks live on more than one machine."""
        return len(self.nodes) > 1

    @property
    def world_size(self) -> int:
        """Number of ranks over all nodes; every rank is one card."""
        return sum(len(node.devices) for node in self.nodes)

    @property
    def runtime(self) -> Runtime:
        """What runs the containers on the nodes."""
        return RUNTIMES[self.container.runtime]

    @property
    def container_name(self) -> str:
        """Name of the container on every node."""
        return self.container.name or f"lingctl-{self.name}"

    @property
    def state_dir(self) -> str:
        """lingctl's folder for this cluster, the same path on the node and in the container."""
        return str(PurePosixPath(self.paths.state) / self.name)

    @property
    def layout(self) -> Layout:
        """Where its files lie on every node."""
        return Layout(PurePosixPath(self.state_dir))

    @property
    def catalogue_model(self) -> Model:
        """The catalogue entry of ``model``."""
        return find_model(self.model)

    @property
    def downloaded_weights(self) -> str:
        """The folder on the nodes that a download fills."""
        return self.paths.weights or str(PurePosixPath(self.paths.models) / self.catalogue_model.folder)

    @property
    def converted_weights(self) -> str:
        """Where safetensors go when the download holds ``.bin`` files, as in the Ling README."""
        return f"{self.downloaded_weights}_safetensor"

    @property
    def folded_weights(self) -> str:
        """Where weights go whose head is folded, for an engine that does not normalise it."""
        return f"{self.downloaded_weights}_folded"

    def node(self, name: str) -> Node:
        """The node of that name. Raises KeyError: there is none."""
        return {node.name: node for node in self.nodes}[name]

    @property
    def node_names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(node.name for node in self.nodes)

    def ssh_of(self, node: Node) -> Ssh:
        """Login details of a node: its own where given, else the cluster's."""
        return self.ssh.model_copy(update=node.ssh.model_dump(exclude_none=True))
