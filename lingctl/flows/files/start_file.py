"""``init``: what hosts.yaml is to say at first, each answer judged by itself, and what is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from lingctl.engines import engine_at, engine_chosen, usual_engine
from lingctl.errors import UsageError
from lingctl.flows.files.config import judge_config
from lingctl.flows.run.whole_file import told_if_unwritten, write_file
from lingctl.inventory.given_file import read_bounded, with_home
from lingctl.inventory.load import cluster_from
from lingctl.inventory.models.catalogue import find_model
from lingctl.inventory.schema import SCHEMA_NAME, TITLE, hosts_schema
from lingctl.inventory.sections import Ssh
from lingctl.inventory.ssh.aliases import with_service_addresses
from lingctl.inventory.starter import need_machine, starter_hosts
from lingctl.inventory.typed_engine import engine_typed
from lingctl.inventory.yaml_text.source import YamlSource
from lingctl.paths import is_file, is_there

_EXAMPLE_NODES = {"plus": ("192.0.2.11", "192.0.2.12"), "lite": ("192.0.2.11",)}
_CODE = "init-value"
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class StartFile:
    """What a hosts.yaml is to say at first."""

    name: str = "ling"
    model: str = "Ling-lite"
    engine: str = ""  # NAME, NAME:VERSION or a version of MindIE; empty for the usual one
    nodes: tuple[str, ...] = ()  # ADDRESS, or NAME=ADDRESS for a name that ssh knows; empty for examples
    user: str = ""  # empty: as ssh has it
    key: str = ""  # empty: as ssh has it


def example_nodes(model: str) -> tuple[str, ...]:
    """Addresses that stand for those of real machines, as many as the model is usually served by."""
    return _EXAMPLE_NODES["plus" if "plus" in model.lower() else "lite"]


def need_nodes(text: str) -> tuple[str, ...]:
    """The machines of a line: addresses with blanks or commas between them.

    Raises:
        UsageError: one is none, or is a name for which no IP address is known.
    """
    found = tuple(part for part in re.split(r"[\s,，、]+", text.strip()) if part)
    if not found:
        remedy = "write their addresses: 192.0.2.11 192.0.2.12"
        raise UsageError("no machine is named", remedy=remedy, code=_CODE)
    for number, node in enumerate(found):
        need_machine(number, node)
        name, mark, _ = node.partition("=")
        if not mark and not _service_address(name):
            raise UsageError(
                f"{name} is a name, and the engine needs the IP address that the nodes know each other by",
                remedy=f"write both: {name}=192.0.2.{11 + number}",
                code=_CODE,
            )
    return found


def _service_address(host: str) -> bool:
    _, followed = with_service_addresses({"nodes": [{"address": host}]})
    if followed:
        return True
    try:
        need_machine(0, f"{host}={host}")
    except UsageError:
        return False
    return True


def need_user(text: str) -> str:
    """A login name. Raises UsageError: it is none."""
    try:
        return Ssh(user=text).user if text else ""
    except ValidationError as error:
        raise UsageError(
            f"{text!r} is no login name", remedy="write letters, digits and . _ - without blanks", code=_CODE
        ) from error


def need_key(text: str) -> str:
    """A key file that is here. Raises UsageError: it is not."""
    if text and not is_file(with_home(text)):
        raise UsageError(
            f"there is no key file {text}",
            remedy="name one that is here, or none: then the agent and ssh's own files count",
            code=_CODE,
        )
    return text


def need_model(text: str) -> str:
    """A model of the catalogue, as that spells it. Raises ConfigurationError: it is none."""
    return find_model(text).name


def need_engine(text: str) -> str:
    """An engine in a version that is known: ``mindie:3.0.0``, ``vllm``, or a version of MindIE alone.

    Raises:
        UsageError: there is no such engine.
        ConfigurationError: nothing is known of that version.
    """
    if text[:1].isdigit():
        about = engine_at(text).about
    else:
        about = (engine_chosen(engine_typed(text)) if text else usual_engine()).about
    return f"{about.name}:{about.version}"


def start_file(wish: StartFile, *, judged: bool = True) -> str:
    """The text of hosts.yaml, which lingctl itself has read.

    Args:
        judged: whether the engine has to take it as well, as ``lingctl config check`` asks.

    Raises:
        LingctlError: a value of it cannot be, or the engine would refuse it.
    """
    choice = engine_typed(need_engine(wish.engine))
    nodes = wish.nodes or example_nodes(wish.model)
    text = starter_hosts(
        name=wish.name,
        model=need_model(wish.model),
        mindie=choice.version or "",
        nodes=need_nodes(" ".join(nodes)),
        engine=choice,
        user=need_user(wish.user),
        key=need_key(wish.key),
    )
    cluster = cluster_from(YamlSource(text, "hosts.yaml"), {})
    if judged:
        judge_config(cluster)
    return text


def need_free(output: Path, *, force: bool) -> None:
    """Refuse to write over a file. Raises UsageError: it is there."""
    if is_there(output) and not force:
        raise UsageError(
            f"{output} is already there",
            remedy="write elsewhere with -o FILE, or replace it with --force",
            code="file-exists",
        )


def write_start(output: Path, text: str, *, force: bool) -> bool:
    """Write hosts.yaml, and beside it the schema that its first line names.

    Returns:
        Whether the schema is there; false where another file has its name.

    Raises:
        UsageError: it is there already, or cannot be written.
        NodeError: the disk is full.
    """
    need_free(output, force=force)
    schema = output.parent / SCHEMA_NAME
    with told_if_unwritten(output, "name another file with -o"):
        output.parent.stat()  # a mistyped folder is not made
        ours = not is_there(schema) or TITLE.encode() in read_bounded(schema, _MOST_BYTES)
        if ours:
            write_file(schema, hosts_schema().encode())
        write_file(output, text.encode())
    return ours
