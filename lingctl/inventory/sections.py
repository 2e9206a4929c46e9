"""The parts of hosts.yaml, each with its fields, their defaults, bounds and documentation.

The pydantic models here and in ``cluster`` are at once the reader's types, the source of the published JSON
Schema and the documentation of each field.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from lingctl.inventory import forms
from lingctl.inventory.given_file import with_home

Port = Annotated[int, Field(ge=1024, le=65535)]
AbsolutePath = Annotated[str, Field(pattern=forms.PATH)]


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


# What may be written as one word or as a list.
OneOrMore = Annotated[tuple[str, ...], BeforeValidator(_several)]


# Some versions of pydantic ask for these also where the address was refused: the whole is an error then, and
# what is said here is not seen.
def _same_as_address(validated: dict[str, Any]) -> str:
    return str(validated.get("address", "192.0.2.1"))


def _named_by_address(validated: dict[str, Any]) -> str:
    return forms.name_of_host(str(validated.get("address", "")))


class Section(BaseModel):
    """Base of every part of hosts.yaml: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)
    files_here: ClassVar[tuple[str, ...]] = ()  # fields that name files beside hosts.yaml, one or several

    @field_validator("*")
    @classmethod
    def _is_plain(cls, value: object) -> object:
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str):
                forms.need_plain(text)
        return value

    def anchored(self, folder: Path) -> Self:
        """The same, with the paths of files here relative to ``folder``, which is that of hosts.yaml."""
        update: dict[str, object] = {}
        for name in self.model_fields_set:
            value = getattr(self, name)
            if isinstance(value, Section):
                update[name] = value.anchored(folder)
            elif name in self.files_here and isinstance(value, tuple):
                update[name] = tuple(str(folder / with_home(one)) for one in value)
            elif name in self.files_here and value:
                update[name] = str(folder / with_home(value))
        return self.model_copy(update=update)


class Ssh(Section):
    """How to log in. Keys come from an agent or a file; passwords are not supported.

    What is left out is taken from ssh's own configuration, as ``ssh`` takes it.
    """

    user: str = Field(
        "root",
        pattern=forms.LOGIN_NAME,
        description="Login name; left out: User of ~/.ssh/config, else root.",
    )
    port: int = Field(
        22, ge=1, le=65535, description="Port of the SSH server; left out: Port of ~/.ssh/config, else 22."
    )
    key: str | None = Field(
        None,
        description="Key file here, or the .pub file of a key that the agent holds; no other is tried. "
        "Left out: IdentityFile of ~/.ssh/config, the agent's keys and the usual files.",
    )
    known_hosts: str = Field(
        "~/.ssh/known_hosts",
        description="File with the host keys that are trusted, beside /etc/ssh/ssh_known_hosts; "
        "left out: UserKnownHostsFile of ~/.ssh/config, else this.",
    )
    connect_timeout: int = Field(
        5, ge=1, le=300, description="Seconds to wait for a connection; left out: ConnectTimeout, else 5."
    )
    sudo: bool = Field(
        False,
        description="Run everything on the nodes by `sudo -n`, which must not ask for a password there.",
    )
    config: str | None = Field(
        None,
        min_length=1,
        description="ssh's configuration file to read in the place of ~/.ssh/config and /etc/ssh/ssh_config; "
        "none: read none.",
    )


class Container(Section):
    """The container that the engine runs in."""

    runtime: Literal["docker", "podman"] = Field(
        "docker",
        description="Program that runs it on the nodes; podman needs root as login name, or sudo.",
    )
    image: str | None = Field(
        None,
        pattern=forms.IMAGE,
        description="Image; default: the one of the engine's version.",
    )
    name: str | None = Field(
        None,
        pattern=forms.CONTAINER_NAME,
        description="Container name; default: lingctl-<cluster name>.",
    )
    privileged: bool = Field(False, description="Run with --privileged instead of naming each device.")
    shm_size: str | None = Field(
        None,
        pattern=forms.SIZE,
        description="Shared memory of the container; default: 2g, twice the least that MindIE needs.",
    )
    extra_mounts: tuple[str, ...] = Field(
        (), description="More mounts, as docker and podman write them: /host:/container[:ro]."
    )

    @field_validator("image")
    @classmethod
    def _is_image(cls, value: str | None) -> str | None:
        return value and forms.need_image(value)

    @field_validator("extra_mounts")
    @classmethod
    def _are_mounts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        forms.need_mounts(value)
        return value


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
        pattern=forms.SERVED_NAME,
        description="The model's name in the HTTP API.",
    )
    port: Port = Field(1025, description="HTTP port on the first node.")
    management_port: Port = Field(1026, description="Health and management port of MindIE; vLLM has none.")
    metrics_port: Port = Field(1027, description="Metrics port of MindIE; vLLM tells them at the HTTP port.")
    inter_node_port: Port = Field(1120, description="Port between the nodes' daemons.")
    max_seq_len: int | None = Field(
        None,
        ge=1,
        description="Longest sequence, input and output together, in tokens. Beyond the model's own window "
        "vLLM stretches positions by YaRN, to 4 times; MindIE cannot.",
    )
    max_input_tokens: int | None = Field(
        None, ge=1, le=4194304, description="Longest input, in tokens; vLLM has no such limit."
    )
    max_output_tokens: int | None = Field(None, ge=1, description="Most tokens generated for one request.")
    max_prefill_tokens: int | None = Field(
        None, ge=1, le=4194304, description="Most tokens in one prefill step."
    )
    max_batch_size: int | None = Field(None, ge=1, le=5000, description="Most requests decoded together.")
    npu_memory_fraction: float | None = Field(
        None, gt=0, le=1, description="Share of each card's memory that the engine may use."
    )

    @model_validator(mode="after")
    def _fits_the_sequence(self) -> Self:
        for name in ("max_input_tokens", "max_output_tokens"):
            part = getattr(self, name)
            if part and self.max_seq_len and part > self.max_seq_len:
                raise forms.FormError(
                    f"{name} {part} is more than max_seq_len {self.max_seq_len}, which is input and output "
                    "together",
                    f"lower it, or raise serving.max_seq_len to {part} or more",
                    (name,),
                )
        return self


class Hub(Section):
    """The way to the hubs, ModelScope and Hugging Face. Proxies and tokens come from the environment."""

    files_here = ("ca",)
    ca: OneOrMore = Field(
        (),
        max_length=8,
        description="File or files here of authorities that are believed beside the usual ones, PEM or DER: "
        "that of a proxy which opens TLS.",
    )


class Timeouts(Section):
    """How long lingctl waits, in seconds."""

    start: int = Field(
        7200, ge=1, description="From daemon start to ready. Ling-plus from cold disks takes long."
    )
    stop: int = Field(60, ge=1, description="For a clean end of the daemon.")
    command: int = Field(60, ge=1, description="For an ordinary command on a node.")


class NodeSsh(Section):
    """Login details of one node, where they differ."""

    user: str | None = Field(None, pattern=forms.LOGIN_NAME)
    port: int | None = Field(None, ge=1, le=65535)
    key: str | None = None
    sudo: bool | None = None


class Node(Section):
    """One machine. The first node listed is the primary: it holds rank 0 and answers HTTP."""

    address: str = Field(description="Address to log in to, or a Host of ~/.ssh/config.")
    name: str = Field(
        default_factory=_named_by_address,
        pattern=forms.NODE_NAME,
        description="Short name in messages; default: the address.",
    )
    service_address: str = Field(
        default_factory=_same_as_address,
        description="Address that the engine uses between nodes; default: the address.",
    )
    devices: tuple[Annotated[int, Field(ge=0, le=63)], ...] = Field(
        tuple(range(8)), min_length=1, description="Physical ids of the cards to use."
    )
    ssh: NodeSsh = NodeSsh()

    @field_validator("address")
    @classmethod
    def _is_host(cls, value: str) -> str:
        return forms.need_host(value)

    @field_validator("service_address")
    @classmethod
    def _is_ip(cls, value: str) -> str:
        return forms.need_service_address(value)

    @field_validator("devices")
    @classmethod
    def _is_unique(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) != len(value):
            raise forms.FormError("devices name a card twice", f"name each once: {sorted(set(value))}")
        return tuple(sorted(value))
