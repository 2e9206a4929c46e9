"""A download as it was asked for: which weights, from where, into which folder."""

from __future__ import annotations

from dataclasses import dataclass

from lingctl.flows.weights.settings import HubSettings
from lingctl.flows.weights.wanted import WantedModel, WeightsSource
from lingctl.node.fetch.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadOptions:
    """What the user may choose."""

    model: WantedModel  # which weights
    source: WeightsSource  # where they come from
    settings: HubSettings  # of the hub
    folder: str  # where they go, here or on every node
    revision: str = ""  # branch, tag or commit; empty for the hub's default
    recheck: bool = False  # read again what was verified before
    port: int = 0  # that nodes give files on; 0 for any

    def hub_request(self, *, python: str, library: str = "") -> Request:
        """The same, asked of the hub by a machine: see there for its interpreter and archive."""
        settings = self.settings
        return Request(
            source=settings.hub,
            repository=self.model.repository,
            revision=self.revision,
            endpoint=settings.endpoint,
            proxy=settings.proxy,
            token=settings.token,
            ca=settings.ca,
            python=python,
            library=library,
            recheck=self.recheck,
        )
