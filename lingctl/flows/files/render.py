"""render: the files that deploy would send, from the same functions; and the check of existing files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from lingctl.errors import ConfigurationError, UsageError
from lingctl.findings import Finding, Verdict
from lingctl.flows.files.inputs import Known
from lingctl.flows.files.json_files import read_document
from lingctl.flows.run.whole_file import no_room, write_file
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node
from lingctl.mindie.container import container_spec, run_command
from lingctl.mindie.model_config import loadable_model_config, model_config_text
from lingctl.mindie.profile import PROFILES, Profile
from lingctl.mindie.rules.check import check_config
from lingctl.mindie.rules.rank_table import check_rank_table
from lingctl.release.layout import layout_of
from lingctl.release.wanted import (
    WantedFile,
    config_file,
    environment_file,
    rank_table_file,
    start_file,
)


class RenderPart(StrEnum):
    """What can be rendered."""

    config = "config"
    ranktable = "ranktable"
    environment = "environment"
    container = "container"
    model_config = "model-config"
    all = "all"


@dataclass(frozen=True, slots=True)
class Rendered:
    """One file for one node.

    Attributes:
        node: the node's name.
        name: file name in the output folder.
        path: where deploy puts it on the node; empty for a command.
        content: its bytes.
        mode: permission bits.
        remarks: what was changed and why, for a model's config.json.
    """

    node: str
    name: str
    path: str
    content: bytes
    mode: int
    remarks: tuple[str, ...] = ()

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


def rendered(cluster: Cluster, profile: Profile, part: RenderPart, known: Known) -> list[Rendered]:
    """The files of every node, byte for byte as ``deploy`` sends them.

    Raises:
        ConfigurationError: MindIE would refuse the result, or a card's address or the model's config is
            not known.
    """
    if part is RenderPart.ranktable and not cluster.multi_node:
        raise UsageError(
            "one node needs no rank table",
            remedy="MindIE reads a rank table with two nodes or more; lingctl unsets its variable otherwise",
            code="rank-table-not-needed",
        )
    return [one for node in cluster.nodes for one in _of_node(cluster, node, profile, part, known)]


def _of_node(
    cluster: Cluster, node: Node, profile: Profile, part: RenderPart, known: Known
) -> Iterator[Rendered]:
    everything = part is RenderPart.all
    if everything or part is RenderPart.config:
        yield _file(node, config_file(cluster, node, profile, known.weights))
    if everything or part is RenderPart.environment:
        yield _file(node, environment_file(cluster, node, profile))
        yield _file(node, start_file(cluster, node, profile))
    if part is RenderPart.ranktable or (everything and cluster.multi_node):
        yield _file(node, rank_table_file(cluster, known.addresses))
    if everything or part is RenderPart.container:
        spec = container_spec(cluster, node, profile, layout_of(cluster).overlay)
        text = f"#!/bin/sh\n# The container of {node.name}. MindIE is started in it by start.sh.\n"
        run = run_command(cluster.runtime, spec).text
        yield Rendered(node.name, "container.sh", "", f"{text}{run}\n".encode(), 0o750)
    if part is RenderPart.model_config or (everything and known.model_config is not None):
        yield _model_config(node, known)


def _file(node: Node, file: WantedFile) -> Rendered:
    return Rendered(node.name, file.path.rsplit("/", 1)[-1], file.path, file.content, file.mode)


def _model_config(node: Node, known: Known) -> Rendered:
    if known.model_config is None:
        raise ConfigurationError(
            "the model's config.json is not known",
            where=f"{known.weights}/config.json",
            remedy="name a copy with --model-config FILE, or let the nodes be asked with --live",
            code="model-config-unknown",
        )
    wanted, reasons = loadable_model_config(
        dict(known.model_config), rows=known.qkv_rows, columns=known.dense_columns
    )
    text = model_config_text(wanted) if reasons else model_config_text(dict(known.model_config))
    remarks = tuple(reasons) or ("loads as it is",)
    path = f"{known.weights}/config.json"
    return Rendered(node.name, "model-config.json", path, text.encode(), 0o640, remarks)


def write_files(files: list[Rendered], folder: Path) -> None:
    """Write ``folder/<node>/<name>``, each with its mode.

    Raises:
        UsageError: the folder cannot be written.
        NodeError: its disk is full.
    """
    try:
        for file in files:
            write_file(folder / file.node / file.name, file.content, file.mode)
    except OSError as error:
        raise no_room(error, folder) or UsageError(
            f"cannot write: {error}", where=str(folder), remedy="name another folder with -o", code="output"
        ) from error


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one MindIE version thinks of a file."""

    profile: Profile
    findings: tuple[Finding, ...]

    @property
    def accepted(self) -> bool:
        """Whether it would start from the file."""
        return all(one.verdict < Verdict.UNKNOWN for one in self.findings)

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "mindie": self.profile.version,
            "checked_against": self.profile.checked_against,
            "accepted": self.accepted,
            "findings": [finding.as_json() for finding in self.findings],
        }


def check_file(
    path: Path, profiles: tuple[Profile, ...] = PROFILES, cluster: Cluster | None = None
) -> tuple[str, list[Judgement]]:
    """Judge an existing file: what kind it is, and what each version thinks of it.

    Raises:
        ConfigurationError: it cannot be read, or is none of the kinds that can be judged.
    """
    document = read_document(path)
    if "server_list" in document or "server_count" in document:
        return "rank table", [
            Judgement(profile, tuple(check_rank_table(document, profile))) for profile in profiles
        ]
    if {"ServerConfig", "BackendConfig"} & document.keys():
        return "MindIE config", [
            Judgement(profile, tuple(check_config(document, profile, cluster))) for profile in profiles
        ]
    if {"architectures", "model_type"} & document.keys():
        return "model config", [Judgement(profile, tuple(_check_model(document))) for profile in profiles[:1]]
    raise ConfigurationError(
        "neither MindIE's config.json, nor a rank table, nor a model's config.json",
        where=str(path),
        evidence=f"its keys: {', '.join(sorted(map(str, document))[:8]) or 'none'}",
        code="file-kind",
    )


def _check_model(document: dict[str, Any]) -> Iterator[Finding]:
    try:
        _, reasons = loadable_model_config(document)
    except ConfigurationError as error:
        yield Finding(error.code, Verdict.FAILURE, error.what, evidence=error.evidence, remedy=error.remedy)
        return
    for reason in reasons:
        yield Finding(
            "model-config",
            Verdict.NOTE,
            reason,
            remedy="deploy does it; or: lingctl render model-config",
        )
    if not reasons:
        yield Finding("model-config", Verdict.PASS, "MindIE with the overlay loads it as it is")
