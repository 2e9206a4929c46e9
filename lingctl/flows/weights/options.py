"""A download as it was asked for: which weights, from where, into which folder."""

from __future__ import annotations

from dataclasses import dataclass

from lingctl.flows.weights.settings import HubSettings
from lingctl.flows.weights.wanted import WantedModel, WeightsSource


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadOptions:
    """What the user may choose.

    Attributes:
        model: which weights.
        source: where they come from.
        settings: of the hub.
        folder: where they go, here or on every node.
        revision: branch, tag or commit; empty for the hub's default.
        recheck: read again what was verified before.
        port: that nodes give files on; 0 for any.
    """

    model: WantedModel
    source: WeightsSource
    settings: HubSettings
    folder: str
    revision: str = ""
    recheck: bool = False
    port: int = 0
