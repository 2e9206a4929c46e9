"""What the node program answers of the overlay in one atb_llm tree, after an action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lingctl.node.overlay.state import TreeState
from lingctl.program.answers import as_document


@dataclass(frozen=True, slots=True)
class OverlayAnswer:
    """What was done, and the tree afterwards; None is what the action does not tell."""

    action: str
    shipped: Mapping[str, str]  # version and digest of this lingctl's overlay
    also: tuple[str, ...]  # other atb_llm packages that were found
    after: TreeState
    changed: bool | None = None
    recovered: str | None = None  # what became of a change that was killed half-way
    identical: bool | None = None
    differs: tuple[str, ...] | None = None  # files that are not as they were before the overlay was applied
    # what would change: path, kind and difference of each file
    changes: tuple[Mapping[str, str], ...] | None = None
    imports: Mapping[str, str] | None = None  # what became of each import
    # digests of the stock files, None for one that is not there
    record: Mapping[str, str | None] | None = None

    def as_json(self) -> dict[str, object]:
        """Plain data, with the state's in it."""
        told = as_document(self)
        return {**told.pop("after"), **told}
