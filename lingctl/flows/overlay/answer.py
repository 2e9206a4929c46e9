"""What the node program answers of the overlay in one atb_llm tree, after an action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lingctl.program.answers import as_document


@dataclass(frozen=True, slots=True)
class UpstreamPatch:
    """How much of Ling's own patch is in the tree; see ``node.overlay.state``."""

    files: tuple[str, ...]
    of: int
    present: bool


@dataclass(frozen=True, slots=True)
class OverlayState:
    """The tree as it is; see ``node.overlay.state``."""

    state: str
    good: bool
    root: str
    delivery: str
    digest: str
    overlay: str
    release: str
    tested: str
    versions: tuple[Mapping[str, Any], ...]
    upstream: UpstreamPatch
    missing: tuple[str, ...]
    drift: tuple[str, ...]
    unknown_stock: tuple[str, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    interrupted: str


@dataclass(frozen=True, slots=True)
class OverlayAnswer:
    """What was done, and the tree afterwards; None is what the action does not tell.

    Attributes:
        shipped: version and digest of this lingctl's overlay.
        also: other atb_llm packages that were found.
        recovered: what became of a change that was killed half-way.
        differs: files that are not as they were before the overlay was applied.
        changes: what would change: path, kind and difference of each file.
        imports: what became of each import.
        record: digests of the stock files, None for one that is not there.
    """

    action: str
    shipped: Mapping[str, str]
    also: tuple[str, ...]
    after: OverlayState
    changed: bool | None = None
    recovered: str | None = None
    identical: bool | None = None
    differs: tuple[str, ...] | None = None
    changes: tuple[Mapping[str, str], ...] | None = None
    imports: Mapping[str, str] | None = None
    record: Mapping[str, str | None] | None = None

    def as_json(self) -> dict[str, object]:
        """Plain data, with the state's in it."""
        told = as_document(self)
        return {**told.pop("after"), **told}
