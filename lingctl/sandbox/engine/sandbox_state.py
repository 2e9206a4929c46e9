"""Reads the sandbox's own state for the engine."""

from __future__ import annotations

from lingctl.sandbox.engine.site import Site


def read() -> Site | None:
    """The site as the sandbox's state tells it, None outside a sandbox."""
    return None
