"""The emulated docker command line."""

from __future__ import annotations

from lingctl.sandbox.docker.commands.command_line import main

__all__ = ["main"]
