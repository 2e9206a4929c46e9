"""A row of ``lingctl engines``: one version of an engine, what it can do, how that is known. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineRow:
    """One version of an engine."""

    name: str  # as hosts.yaml has it
    title: str  # for people
    version: str  # as in hosts.yaml
    usual: bool  # whether it is taken where hosts.yaml names no version
    image: str  # for Atlas 800I A2; empty where none is published
    built_on: str  # what its image has in it, as far as it is said
    driver: str  # the oldest line of drivers (HDK) that it works with; empty where no source says one
    driver_source: str  # where that is said
    lite: str  # how it serves the lite models, or why not
    plus: str  # how it serves the plus models, or why not
    norm_head: str  # what it makes of ``norm_head`` in config.json
    context: str  # what it makes of a window that is longer than the native one
    weights: str  # forms of weights that it reads
    verified: str  # what was verified, and where
    source: str  # where this row is said
