"""render: the files that deploy would send, from the same functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lingctl.engine.container import folder_command, run_command
from lingctl.engine.interface import Engine
from lingctl.engines import engine_of
from lingctl.errors import ConfigurationError, UsageError
from lingctl.flows.files.inputs import Known
from lingctl.flows.run.whole_file import told_if_unwritten, write_inside
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.models.config_json import model_config_text
from lingctl.inventory.sections import Node
from lingctl.release.wanted import script_files
from lingctl.remote.upload import WriteFile

# What can be rendered.
RenderPart = Literal["config", "ranktable", "environment", "container", "model-config", "all"]


@dataclass(frozen=True, slots=True)
class Rendered:
    """One file for one node."""

    node: str  # the node's name
    name: str  # file name in the output folder
    path: str  # where deploy puts it on the node; empty for a command
    content: bytes  # its bytes
    mode: int  # permission bits
    remarks: tuple[str, ...] = ()  # what was changed and why, for a model's config.json

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "node": self.node,
            "name": self.name,
            "path": self.path,
            "mode": f"{self.mode:04o}",
            "content": self.content.decode(),
            "remarks": list(self.remarks),
        }


def rendered(cluster: Cluster, part: RenderPart, known: Known) -> list[Rendered]:
    """The files of every node, byte for byte as ``deploy`` sends them.

    Raises:
        ConfigurationError: the engine would refuse the result, or a card's address or the model's config is
            not known.
    """
    _need_part(cluster, part)
    return [one for node in cluster.nodes for one in _of_node(cluster, node, part, known)]


def needs_addresses(cluster: Cluster, part: RenderPart) -> bool:
    """Whether the cards' addresses have to be known."""
    joined = cluster.multi_node and engine_of(cluster).about.joins_by_addresses
    return joined and part in ("ranktable", "all")


def _need_part(cluster: Cluster, part: RenderPart) -> None:
    """Refuse a part that the engine does not have. Raises UsageError: it does not."""
    about = engine_of(cluster).about
    if part == "ranktable" and not about.joins_by_addresses:
        raise UsageError(
            f"{about.title} needs no rank table: its nodes find each other by the first one's address",
            remedy="the words that say so are in start.sh: lingctl render environment",
            code="rank-table-not-needed",
        )
    if part == "ranktable" and not cluster.multi_node:
        raise UsageError(
            "one node needs no rank table",
            remedy=f"{about.title} reads a rank table with two nodes or more",
            code="rank-table-not-needed",
        )
    if part == "config" and not about.file_names:
        raise UsageError(
            f"{about.title} reads no config.json of its own: it is told everything on its command line",
            code="config-not-needed",
        )


def _of_node(cluster: Cluster, node: Node, part: RenderPart, known: Known) -> Iterator[Rendered]:
    engine = engine_of(cluster)
    everything = part == "all"
    if everything or part == "config":
        yield from (_file(node, file) for file in engine.files(cluster, node, known.weights))
    if everything or part == "environment":
        config, _ = known.loadable(engine) or (None, ())
        yield from (_file(node, file) for file in script_files(cluster, node, known.weights, config))
    if part == "ranktable" or (everything and cluster.multi_node):
        yield from (_file(node, file) for file in engine.joint(cluster, known.addresses).files)
    if everything or part == "container":
        spec, title = engine.container(cluster, node), engine.about.title
        text = f"#!/bin/sh\n# The container of {node.name}. {title} is started in it by start.sh.\n"
        folder = folder_command(cluster.layout.run).text
        run = run_command(cluster.runtime, spec).text
        yield Rendered(node.name, "container.sh", "", f"{text}{folder}\n{run}\n".encode(), 0o750)
    if part == "model-config" or (everything and known.model_config is not None):
        yield _model_config(engine, node, known)


def _file(node: Node, file: WriteFile) -> Rendered:
    return Rendered(node.name, file.name, file.path, file.content, file.mode)


def _model_config(engine: Engine, node: Node, known: Known) -> Rendered:
    loadable = known.loadable(engine)
    if known.model_config is None or loadable is None:
        raise ConfigurationError(
            "the model's config.json is not known",
            where=f"{known.weights}/config.json",
            code="model-config-unknown",
        )
    wanted, reasons = loadable
    text = model_config_text(wanted) if reasons else model_config_text(known.model_config)
    remarks = tuple(reasons) or ("loads as it is",)
    path = f"{known.weights}/config.json"
    return Rendered(node.name, "model-config.json", path, text.encode(), 0o640, remarks)


def write_files(files: list[Rendered], folder: Path) -> None:
    """Write ``folder/<node>/<name>``, each with its mode.

    Raises:
        UsageError: the folder cannot be written.
        NodeError: its disk is full.
    """
    with told_if_unwritten(folder, "name another folder with -o"):
        for file in files:
            write_inside(folder, f"{file.node}/{file.name}", file.content, file.mode)
