"""A Finding: one verdict of one check on one thing."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from functools import partialmethod
from typing import Any

from lingctl.errors import ChecksFailed, LingctlError

_MOST_NAMES = 3
_MOST_OF_NAMES = 30  # characters; more leaves no room beside them on 80 columns


class Verdict(IntEnum):
    """Ordered from best to worst, so that ``max`` gives the verdict of a group.

    ``UNKNOWN`` is worse than ``WARNING``: what could not be read is never a pass.
    """

    PASS = 0
    NOTE = 1
    WARNING = 2
    UNKNOWN = 3
    FAILURE = 4

    @property
    def word(self) -> str:
        """Lower-case name, as printed and as written to JSON."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """One verdict of one check on one thing."""

    check: str  # stable name of the check, kebab-case, e.g. ``link`` or ``config-worldSize``.
    verdict: Verdict  # pass, note, warning, unknown or failure
    message: str  # what is so, one sentence without node and card
    node: str = ""  # name of the node, empty for a verdict about the cluster or a file
    device: int | None = None  # physical id of the card, if the verdict is about one
    evidence: str = ""  # the quoted answer that the verdict rests on
    remedy: str = ""  # what to type or change

    @property
    def where(self) -> str:
        """Node and card in words, e.g. ``node2 card 5``."""
        card = "" if self.device is None else f"card {self.device}"
        return " ".join(part for part in (self.node, card) if part)

    def as_json(self) -> dict[str, object]:
        """Plain data, with the verdict as its word."""
        # Not by asdict, which copies each value: a thousand nodes have a hundred thousand findings.
        plain = {one.name: getattr(self, one.name) for one in _FIELDS}
        return {**plain, "verdict": self.verdict.word}


_FIELDS = fields(Finding)


def finding_in(data: Mapping[str, Any]) -> Finding:
    """The Finding that ``as_json`` told. Raises KeyError, TypeError: it did not."""
    return Finding(**{**data, "verdict": Verdict[str(data["verdict"]).upper()]})


def finding_of(error: LingctlError, verdict: Verdict, check: str = "", node: str = "") -> Finding:
    """An error as a Finding, of a check of the same name where none is given."""
    return Finding(check or error.code, verdict, error.what, node, None, error.evidence, error.remedy)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a check is about, for the Finding that is made of it: see ``Finding`` for the fields."""

    check: str
    node: str = ""
    device: int | None = None

    def finding(self, verdict: Verdict, message: str, *, evidence: str = "", remedy: str = "") -> Finding:
        """The Finding of a verdict that was decided elsewhere."""
        return Finding(self.check, verdict, message, self.node, self.device, evidence, remedy)

    passes = partialmethod(finding, Verdict.PASS)
    note = partialmethod(finding, Verdict.NOTE)
    warning = partialmethod(finding, Verdict.WARNING)
    unknown = partialmethod(finding, Verdict.UNKNOWN)
    failure = partialmethod(finding, Verdict.FAILURE)


def worst(findings: Iterable[Finding]) -> Verdict:
    """The worst verdict among ``findings``; PASS for none."""
    return max((finding.verdict for finding in findings), default=Verdict.PASS)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Sorted for reading: worst verdict first, then by node and card."""
    return sorted(findings, key=lambda f: (-f.verdict, f.node, -1 if f.device is None else f.device, f.check))


def folded(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for the cards and nodes of which the same is said, e.g. of ``node1, node2 cards 0-7``.

    What to type then is for all of the cards: a command for one becomes a loop. Where what was seen differs
    between nodes, it is told of the first of them by name.
    """
    alike: dict[tuple[str, Verdict, str, str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        template = _for_any_card(finding.remedy, finding.device)
        alike[finding.check, finding.verdict, finding.message, finding.node, template].append(finding)
    of_nodes: dict[tuple[str, Verdict, str, str, str], list[Finding]] = defaultdict(list)
    for (check, verdict, message, node, template), group in alike.items():
        first, cards = group[0], sorted({f.device for f in group if f.device is not None})
        if len(cards) > 1:
            first = replace(first, remedy=_for_cards(template, cards))
        of_cards = f"card{'s'[: len(cards) > 1]} {ranges(cards)}" if cards else ""
        for_any_node = (
            re.sub(rf"(?<![\w.-]){re.escape(node)}(?![\w.-])", "$node", first.remedy) if node else ""
        )
        of_nodes[check, verdict, message, of_cards, for_any_node or first.remedy].append(first)
    return [_of_all(group, of_cards) for (_, _, _, of_cards, _), group in of_nodes.items()]


def _of_all(group: Sequence[Finding], of_cards: str) -> Finding:
    """Findings of several nodes that say the same, each with what was seen there, as one."""
    first, nodes = group[0], list(dict.fromkeys(finding.node for finding in group))
    if len(nodes) == 1 and " " not in of_cards.removeprefix("card "):
        return first
    evidence = first.evidence
    if len({finding.evidence for finding in group}) > 1:
        told = [f for f in group if f.evidence][:_MOST_NAMES]
        evidence = "\n".join(f"{f.node}: {f.evidence.splitlines()[0]}" for f in told)
    return replace(first, node=f"{in_short(nodes)} {of_cards}".strip(), device=None, evidence=evidence)


def together(remedies: Sequence[tuple[int | None, str]]) -> str:
    """The remedies of several cards of one node, those that are alike but for the card as a loop."""
    alike: dict[str, list[int | None]] = defaultdict(list)
    for card, remedy in remedies:
        alike[_for_any_card(remedy, card)].append(card)
    said = []
    for template, cards in alike.items():
        known = [card for card in cards if card is not None]
        said.append(
            template.replace("$card", str(known[0])) if len(known) == 1 else _for_cards(template, known)
        )
    return "; ".join(said)


def in_short(nodes: Sequence[str], of: int = 0) -> str:
    """Nodes by name, or the first of many and how many they are.

    Args:
        of: how many there are in all; 0 where it is not said whether these are all.
    """
    every = ", ".join(nodes)
    if len(nodes) == 1 or (len(nodes) <= _MOST_NAMES and len(every) <= _MOST_OF_NAMES):
        return every
    if len(nodes) == of:
        return f"all {of} nodes"
    two = f"{nodes[0]}, {nodes[1]} ... ({len(nodes)} nodes)"
    return two if len(two) <= _MOST_OF_NAMES else f"{nodes[0]} ... ({len(nodes)} nodes)"


def ranges(numbers: Sequence[int]) -> str:
    """Numbers in words, e.g. ``0-3, 6``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def proof_status(findings: Iterable[Finding]) -> int:
    """What a command ends with that proves something: 0 it holds, 1 it does not, 3 not all is judged."""
    verdict = worst(findings)
    return 0 if verdict <= Verdict.NOTE else 1 if verdict is Verdict.FAILURE else 3


def exit_status_of(answers: Iterable[object], findings: Iterable[Finding]) -> int:
    """What a command ends with that asked several places: the first's error where none could be asked, else
    3 if anything is worse than a note, else 0.
    """
    asked = list(answers)
    errors = [answer for answer in asked if isinstance(answer, LingctlError)]
    if errors and len(errors) == len(asked):
        return errors[0].exit_status
    return ChecksFailed.exit_status if worst(findings) >= Verdict.WARNING else 0


def _for_any_card(remedy: str, card: int | None) -> str:
    return remedy if card is None else remedy.replace(f" -i {card} ", " -i $card ")


def _for_cards(template: str, cards: Sequence[int]) -> str:
    """Each command of a remedy (checks/remedies.py says what one looks like) for all of these cards."""
    numbers = " ".join(map(str, cards))
    clauses = []
    for clause in template.split("; "):
        head, mark, command = clause.rpartition(": ")
        looped = f"for card in {numbers}; do {command}; done" if "$card" in command else command
        clauses.append(f"{head}{mark}{looped}")
    return "; ".join(clauses)
