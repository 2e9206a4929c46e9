"""The Cluster: hosts.yaml after reading, with every default filled in.

The pydantic models below are at once the reader's types, the source of the published JSON Schema
and the documentation of each field.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lingctl.errors import ConfigurationError
from lingctl.inventory.catalogue import Model, find_model
from lingctl.inventory.runtime import RUNTIMES, Runtime

Port = Annotated[int, Field(ge=1024, le=65535)]
AbsolutePath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9_./-]*$")]
_NAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")
_HOST = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$")


def _same_as_address(validated: dict[str, Any]) -> str:
    return str(validated["address"])


class Section(BaseModel):
    """Base of every part of hosts.yaml: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)


class Ssh(Section):
    """How to log in. Keys come from an agent or a file; passwords are not supported."""

    user: str = Field("root", pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", description="Login name.")
    port: int = Field(22, ge=1, le=65535, description="Port of the SSH server.")
    key: str | None = Field(
        None, description="Private key file here; without it the agent and ~/.ssh are tried."
    )
    known_hosts: str = Field("~/.ssh/known_hosts", description="File with the host keys that are trusted.")
    connect_timeout: int = Field(5, ge=1, le=300, description="Seconds to wait for a connection.")


class Container(Section):
    """The container that MindIE runs in."""

    runtime: Literal["docker", "podman"] = Field(
        "docker", description="Program that runs it on the nodes; podman needs root as the login name."
    )
    image: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]*$",
        description="Image; default: the one of the MindIE version.",
    )
    name: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="Container name; default: lingctl-<cluster name>.",
    )
    privileged: bool = Field(False, description="Run with --privileged instead of naming each device.")
    shm_size: str = Field("1g", pattern=r"^[0-9]+[kmgKMG]?$", description="Shared memory of the container.")
    extra_mounts: tuple[str, ...] = Field(
        (), description="More mounts, as docker and podman write them: /host:/container[:ro]."
    )


class Paths(Section):
    """Where things are on the nodes."""

    models: AbsolutePath = Field("/root/models", description="Folder of model folders on every node.")
    models_in_container: AbsolutePath = Field(
        "/home/HwHiAiUser/Ascend", description="Where the container sees that folder."
    )
    weights: AbsolutePath | None = Field(
        None, description="This model's folder on the nodes; default: <models>/<model folder>."
    )
    state: AbsolutePath = Field("/var/lib/lingctl", description="lingctl's own files on the nodes.")


class Serving(Section):
    """What the service offers and how much it holds. Unset values come from the model's preset."""

    served_name: str = Field(
        "bailing_moe",
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,254}[A-Za-z0-9])?$",
        description="The model's name in the HTTP API.",
    )
    port: Port = Field(1025, description="HTTP port on the first node.")
    management_port: Port = Field(1026, description="Health and management port.")
    metrics_port: Port = Field(1027, description="Metrics port.")
    inter_node_port: Port = Field(1120, description="Port between the nodes' daemons.")
    max_seq_len: int | None = Field(
        None, ge=1, description="Longest sequence, input and output together, in tokens."
    )
    max_input_tokens: int | None = Field(None, ge=1, le=4194304, description="Longest input, in tokens.")
    max_output_tokens: int | None = Field(None, ge=1, description="Most tokens generated for one request.")
    max_prefill_tokens: int | None = Field(
        None, ge=1, le=4194304, description="Most tokens in one prefill step."
    )
    max_batch_size: int | None = Field(None, ge=1, le=5000, description="Most requests decoded together.")
    npu_memory_fraction: float | None = Field(
        None, gt=0, le=1, description="Share of each card's memory that MindIE may use."
    )


class Timeouts(Section):
    """How long lingctl waits, in seconds."""

    start: int = Field(
        7200, ge=1, description="From daemon start to ready. Ling-plus from cold disks takes long."
    )
    stop: int = Field(60, ge=1, description="For a clean end of the daemon.")
    command: int = Field(60, ge=1, description="For an ordinary command on a node.")


class Certificates(Section):
    """A certificate, its private key, and who may have signed those of the other side. PEM files here."""

    cert: str = Field(min_length=1, description="Certificate file here.")
    key: str = Field(min_length=1, description="Its private key, not encrypted; readable by you alone.")
    ca: tuple[str, ...] = Field(
        min_length=1, max_length=3, description="File or files of the authorities that the other side is of."
    )

    @field_validator("ca", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        if isinstance(value, str):
            return (value,)
        return tuple(value) if isinstance(value, list) else value

    def anchored(self, folder: Path) -> Self:
        """The same, with paths that are relative to ``folder``."""
        return self.model_copy(update=self._anchored(folder))

    def _anchored(self, folder: Path) -> dict[str, object]:
        def place(name: str) -> str:
            return str(folder / Path(name).expanduser())

        return {
            "cert": place(self.cert),
            "key": place(self.key),
            "ca": tuple(place(name) for name in self.ca),
        }


class Https(Certificates):
    """HTTPS of the service. MindIE also asks its clients for a certificate.

    The first authority in ``ca`` is also the one by which lingctl knows the service's own certificate.
    """

    client_cert: str | None = Field(
        None, description="Certificate that lingctl shows to the service; needed for its own tests."
    )
    client_key: str | None = Field(None, description="Private key of client_cert.")

    def _anchored(self, folder: Path) -> dict[str, object]:
        given = {"client_cert": self.client_cert, "client_key": self.client_key}
        client = {name: str(folder / Path(path).expanduser()) for name, path in given.items() if path}
        return super()._anchored(folder) | client


class NodeSsh(Section):
    """Login details of one node, where they differ."""

    user: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")
    port: int | None = Field(None, ge=1, le=65535)
    key: str | None = None


class Node(Section):
    """One machine. The first node listed is the primary: it holds rank 0 and answers HTTP."""

    address: str = Field(description="Address to log in to.")
    name: str = Field(
        default_factory=_same_as_address,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$",
        description="Short name in messages; default: the address.",
    )
    service_address: str = Field(
        default_factory=_same_as_address,
        description="Address that MindIE uses between nodes; default: the address.",
    )
    devices: tuple[Annotated[int, Field(ge=0, le=63)], ...] = Field(
        tuple(range(8)), min_length=1, description="Physical ids of the cards to use."
    )
    ssh: NodeSsh = NodeSsh()

    @field_validator("address")
    @classmethod
    def _is_host(cls, value: str) -> str:
        if not _HOST.match(value):
            raise ValueError("is not a host name or an address")
        return value

    @field_validator("service_address")
    @classmethod
    def _is_ip(cls, value: str) -> str:
        try:
            return str(ipaddress.ip_address(value))
        except ValueError as error:
            raise ValueError(
                f"{value!r} is not an IP address, which MindIE needs: give the node a service_address"
            ) from error

    @field_validator("devices")
    @classmethod
    def _is_unique(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) != len(value):
            raise ValueError("names a card twice")
        return tuple(sorted(value))


class Cluster(Section):
    """Everything in hosts.yaml.

    Attributes:
        nodes: in order; ``nodes[0]`` is the primary.
    """

    name: str = Field(description="Name of this deployment: lower-case letters, digits and dashes.")
    model: str = Field(description="A model of the catalogue (see `lingctl models`).")
    mindie: str = Field(
        "1.0.0", pattern=r"^[0-9]+(\.[0-9A-Za-z]+)+$", description="MindIE version, in quotes."
    )
    nodes: tuple[Node, ...] = Field(min_length=1)
    ssh: Ssh = Ssh()
    container: Container = Container()
    paths: Paths = Paths()
    serving: Serving = Serving()
    https: Https | None = Field(None, description="HTTPS of the service; without it plain HTTP.")
    inter_node_tls: Certificates | None = Field(
        None, description="TLS between the nodes' daemons; without it plain."
    )
    timeouts: Timeouts = Timeouts()

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if not _NAME.match(value):
            raise ValueError("must be 1 to 40 lower-case letters, digits and dashes")
        return value

    @field_validator("model")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            return find_model(value).name
        except ConfigurationError as error:
            raise ValueError(error.what) from error

    @model_validator(mode="after")
    def _nodes_are_distinct(self) -> Cluster:
        for attribute in ("name", "service_address"):
            values = [getattr(node, attribute) for node in self.nodes]
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"two nodes have the {attribute.replace('_', ' ')} {twice[0]!r}")
        counts = {len(node.devices) for node in self.nodes}
        if len(counts) > 1:
            raise ValueError(
                "all nodes must use the same number of cards: MindIE refuses a rank table with "
                f"unequal device lists (here {', '.join(f'{n.name}: {len(n.devices)}' for n in self.nodes)})"
            )
        return self

    @model_validator(mode="after")
    def _runtime_may_use_cards(self) -> Cluster:
        others = [node.name for node in self.nodes if self.ssh_of(node).user != "root"]
        if self.runtime.as_root and others:
            raise ValueError(
                f"runtime: {self.runtime.program} gives cards to root's containers alone, so the login name "
                f"must be root (here not so: {', '.join(others)})"
            )
        return self

    def anchored(self, folder: Path) -> Cluster:
        """The same, with the certificates' paths relative to ``folder``, which is that of hosts.yaml."""
        update = {
            name: given.anchored(folder)
            for name, given in (("https", self.https), ("inter_node_tls", self.inter_node_tls))
            if given is not None
        }
        return self.model_copy(update=update) if update else self

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

    def in_container(self, node_path: str) -> str:
        """The path by which the container sees a path below ``paths.models``.

        Raises:
            ValueError: the path is not below it.
        """
        relative = PurePosixPath(node_path).relative_to(self.paths.models)
        return str(PurePosixPath(self.paths.models_in_container) / relative)

    def node(self, name: str) -> Node:
        """The node of that name.

        Raises:
            KeyError: there is none.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    @property
    def node_names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(node.name for node in self.nodes)

    def ssh_of(self, node: Node) -> Ssh:
        """Login details of a node: its own where given, else the cluster's."""
        return self.ssh.model_copy(update={k: v for k, v in node.ssh.model_dump().items() if v is not None})
