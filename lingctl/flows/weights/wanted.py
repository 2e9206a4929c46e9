"""What ``lingctl download`` was asked for: which repository, into which folder, from which source. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lingctl.errors import UsageError
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.models.catalogue import MODELS, find_model
from lingctl.paths import is_folder, real

_REPOSITORY = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$")
_FOLDER = re.compile(r"^/[A-Za-z0-9_./-]+$")
HubName = Literal["modelscope", "huggingface"]
HUBS: tuple[HubName, ...] = ("modelscope", "huggingface")


@dataclass(frozen=True, slots=True)
class WantedModel:
    """A repository on a hub."""

    name: str  # of the catalogue, or the repository's own
    repository: str  # ``owner/name``
    folder: str  # name of the folder it gets; MindIE refuses paths with other than ``A-Za-z0-9_./-``


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """Where weights come from."""

    # a hub, ``node`` (nodes that have them), ``folder`` (here, or on ``node``), or ``any`` (fetched once from
    # ModelScope, then spread from node to node)
    kind: Literal["modelscope", "huggingface", "node", "folder", "any"]
    folder: str = ""  # the folder, for that kind
    node: str = ""  # the node that has the folder; empty for this machine


def wanted_model(text: str) -> WantedModel:
    """The model that was named: a name of the catalogue, or any ``owner/name``.

    Raises:
        ConfigurationError: neither.
    """
    if "/" not in text:
        model = find_model(text)
        return WantedModel(model.name, model.repository, model.folder)
    if not _REPOSITORY.match(text):
        raise UsageError(f"{text!r} is neither a model of the catalogue nor owner/name", code="unknown-model")
    for model in MODELS:
        if model.repository.lower() == text.lower():
            return WantedModel(model.name, model.repository, model.folder)
    return WantedModel(text, text, text.partition("/")[2].replace("-", "_"))


def weights_source(text: str | None, node_names: tuple[str, ...]) -> WeightsSource:
    """The source that ``--source`` names.

    Args:
        text: as typed; None where it was not.
        node_names: of the cluster; empty when this machine is meant.

    Raises:
        UsageError: there is none such.
    """
    if text is None:
        return WeightsSource("any" if node_names else "modelscope")
    if text == "modelscope":
        return WeightsSource("modelscope")
    if text == "huggingface":
        return WeightsSource("huggingface")
    if text == "node":
        if not node_names:
            raise UsageError(
                "--source node needs nodes", remedy="add --nodes hosts.yaml", code="source-unknown"
            )
        return WeightsSource("node")
    node, colon, folder = text.partition(":")
    if colon and node in node_names and folder.startswith("/"):
        return WeightsSource("folder", folder, node)
    if is_folder(Path(text)):
        return WeightsSource("folder", str(real(Path(text))))
    raise UsageError(
        f"--source {text!r} is no hub and no folder here",
        remedy="write modelscope, huggingface, node, a folder here, or NODE:/FOLDER for one on a node",
        code="source-unknown",
    )


def folder_on_nodes(cluster: Cluster, model: WantedModel, to: str | None) -> str:
    """Where a model's weights go on the nodes.

    Raises:
        UsageError: ``to`` is not an absolute path of the characters that MindIE allows.
    """
    if to is None:
        of_cluster = cluster.catalogue_model.repository == model.repository
        return cluster.downloaded_weights if of_cluster else f"{cluster.paths.models}/{model.folder}"
    if not _FOLDER.match(to):
        raise UsageError(
            f"--to {to!r} cannot be a folder of weights on a node",
            remedy="write an absolute path of A-Z a-z 0-9 _ . / -: MindIE refuses others;\n"
            "for a folder of this machine: --here",
            code="folder-wrong",
        )
    return to.rstrip("/")
