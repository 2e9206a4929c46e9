"""The emulated docker command line."""

from __future__ import annotations

from lingctl.sandbox.docker.commands import main

__all__ = ["main"]
