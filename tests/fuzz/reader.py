"""What is tried: a reader, honest input for it, and what each reading has to come to."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


class Wrong(AssertionError):
    """A reading was not what it has to be."""


@dataclass(frozen=True)
class Reader:
    """One reader of ours, or several of one kind of input."""

    name: str
    seeds: Callable[[], Sequence[bytes]]  # honest input, and input known to be hostile
    # reads input, in an empty folder of its own, and gives what came of it; raises our errors, or Wrong
    read: Callable[[bytes, Path], object]
    words: tuple[bytes, ...] = ()  # that mean something to it, for the changes
    made: Callable[[random.Random], bytes] | None = None  # input made by a grammar
    changed: Callable[[bytes, random.Random], bytes] | None = None  # changes that know the form
    # errors that callers take for "it is none", beside LingctlError and Trouble
    refusals: tuple[type[Exception], ...] = ()
    grows: bool = True  # whether its time is held against the length of its input
