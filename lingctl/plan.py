"""A Plan: ordered Steps, each with its node, its reason and what it does. Data only; `flows` runs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Literal

from lingctl.remote.command import Command
from lingctl.remote.upload import WriteFile


class Stage(IntEnum):
    """Stages of a deploy, in order. All nodes finish one before any node begins the next."""

    NETWORK = 0
    WEIGHTS = 1
    MODEL_CONFIG = 2
    RECORD = 3
    STOP = 4
    OVERLAY = 5
    FILES = 6
    CONTAINER = 7
    DAEMON = 8

    @property
    def word(self) -> str:
        """The stage's name as printed."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class Run:
    """Run a command on the node; a status other than 0 fails the step."""

    command: Command  # what to run
    timeout: float = 60.0  # seconds until it is given up
    # folder of jobs on the node for a command that outlives the connection (see ``program.job``): the next
    # run of lingctl picks it up instead of starting it anew. Empty for an ordinary one.
    jobs: str = ""


@dataclass(frozen=True, slots=True)
class Download:
    """Fill a folder with a model's weights; for all nodes together, so that they are fetched once."""

    repository: str  # on the hub, ``owner/name``
    folder: str  # on the node


Action = Run | WriteFile | Download


@dataclass(frozen=True, slots=True)
class Step:
    """One change on one node, or the word that nothing has to change."""

    stage: Stage  # when it runs
    node: str  # where it runs
    title: str  # what it does, an imperative of a few words
    state: Literal["in place", "change"]  # ``in place`` when already satisfied, else ``change``
    reason: str  # why it is needed, or why it is not
    actions: tuple[Action, ...] = ()  # what runs, in order; empty when in place
    difference: str = ""  # unified diff of a file it writes
    interrupts: bool = False  # whether the service is down while it runs


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in the order of their stages."""

    steps: tuple[Step, ...] = field(default=())

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that do something."""
        return tuple(step for step in self.steps if step.state == "change")

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What its steps change in files."""
        return differences_of((step.node, step.title, step.difference) for step in self.changes)

    @property
    def empty(self) -> bool:
        """Whether nothing has to change."""
        return not self.changes

    def stages(self) -> Iterator[tuple[Stage, tuple[Step, ...]]]:
        """The changing steps of each stage that has any, in order."""
        for stage in Stage:
            steps = tuple(step for step in self.changes if step.stage is stage)
            if steps:
                yield stage, steps


def plan_of(steps: Iterable[Step]) -> Plan:
    """A plan with the steps put in the order of their stages, else as given."""
    return Plan(tuple(sorted(steps, key=lambda step: step.stage)))


# A line of a difference: each text that it has somewhere, with the nodes that have it.
DifferenceLine = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes in one file, on all nodes where it is the same but for some lines."""

    title: str  # of the step that writes it
    nodes: tuple[str, ...]
    lines: tuple[DifferenceLine, ...]  # of a unified diff


def differences_of(found: Iterable[tuple[str, str, str]]) -> tuple[Difference, ...]:
    """Each difference once, from node, title and unified diff of each.

    A file often has a node's own name or address in it: up to half of the lines may differ.
    """
    nodes: dict[tuple[str, str], list[str]] = {}
    for node, title, text in found:
        if text:
            nodes.setdefault((title, text), []).append(node)
    told: list[Difference] = []
    for (title, text), names in nodes.items():
        one = Difference(title, tuple(names), tuple(((line, tuple(names)),) for line in text.splitlines()))
        place = next((n for n, other in enumerate(told) if _alike(other, one)), None)
        if place is None:
            told.append(one)
        else:
            told[place] = _joined(told[place], one)
    titles = list(dict.fromkeys(one.title for one in told))
    return tuple(sorted(told, key=lambda one: titles.index(one.title)))


def _alike(one: Difference, other: Difference) -> bool:
    if one.title != other.title or len(one.lines) != len(other.lines):
        return False
    first = _texts(one.lines)
    apart = [(a, b) for a, b in zip(first, _texts(other.lines), strict=True) if a != b]
    return 2 * len(apart) <= len(first) and all(a[:1] == b[:1] for a, b in apart)


def _texts(lines: Sequence[DifferenceLine]) -> list[str]:
    return [line[0][0] for line in lines]


def _joined(one: Difference, other: Difference) -> Difference:
    lines = tuple(_joined_line(line, *others[0]) for line, others in zip(one.lines, other.lines, strict=True))
    return replace(one, nodes=(*one.nodes, *other.nodes), lines=lines)


def _joined_line(line: DifferenceLine, text: str, nodes: tuple[str, ...]) -> DifferenceLine:
    if all(text != known for known, _ in line):
        return (*line, (text, nodes))
    return tuple((known, (*names, *nodes) if known == text else names) for known, names in line)
