"""Is the tool there, does every card answer, and does the count of cards agree?

Source: the published hccn_tool (`hicann/driver`), which asks a card's health up to 300 times, a second apart,
before it answers anything.
"""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.ascend.cards.npu_smi import NpuTable
from lingctl.ascend.facts import CardFacts, NodeFacts
from lingctl.ascend.unread import Unread
from lingctl.findings import Finding, Subject, Verdict

_TOOL_REMEDIES = {
    "no-tool": "see whether it is there: ls -l /usr/local/Ascend/driver/tools/hccn_tool; "
    "if not, install the driver",
    "no-library": "in the login shell of this user: "
    "export LD_LIBRARY_PATH=/usr/local/Ascend/driver/lib64/driver:"
    "/usr/local/Ascend/driver/lib64/common",
    "denied": "log in as root: ssh: {user: root}",
    "unsupported": "see what it understands: hccn_tool -h; the 950 has another grammar, "
    "which is not asked here",
}


def judge_tool(facts: NodeFacts) -> Finding:
    """Whether hccn_tool can be used at all; everything about the cards' network hangs on it."""
    links = [card.link for card in facts.cards.values()]
    refused = [link for link in links if isinstance(link, Unread)]
    reasons = {link.reason for link in refused}
    of = Subject("hccn-tool", facts.node)
    if not links:
        return of.note("not judged: no card to ask about")
    if len(refused) < len(links):
        return of.passes("answers")
    if not reasons <= set(_TOOL_REMEDIES):
        return of.note("not judged: no card answers it")
    first = refused[0]
    verdict = Verdict.FAILURE if first.reason in ("no-tool", "no-library") else Verdict.UNKNOWN
    return of.finding(
        verdict,
        f"hccn_tool gives no answer for any card: {first.text}",
        evidence=first.quote,
        remedy=_TOOL_REMEDIES[first.reason],
    )


def answers(card: CardFacts) -> bool:
    """Whether a card answers anything; if not, nothing else is judged of it."""
    return not (
        isinstance(card.link, Unread) and card.link.reason in ("no-device", "timed-out", "busy", "not-asked")
    )


def judge_card(facts: NodeFacts, card: CardFacts) -> Finding:
    """Whether one card answers."""
    node, link = facts.node, card.link
    of = Subject("card", node, card.card)
    if isinstance(link, Unread) and link.reason == "no-device":
        return of.failure(
            "the driver knows no such card: it is not there, or has dropped off the bus",
            evidence=link.quote,
            remedy="compare: ls /dev/davinci*; npu-smi info -m; lspci -d '19e5:'; then reset the card or "
            "power-cycle the node",
        )
    if isinstance(link, Unread) and link.reason == "timed-out":
        return of.failure(
            "does not answer: the card is not ready or not healthy, and would block for minutes",
            evidence=link.quote or f"hccn_tool -i {card.card} -link -g: {link.text}",
            remedy=_reset(facts, card.card),
        )
    if isinstance(link, Unread) and not answers(card):
        return of.unknown(
            link.text,
            evidence=link.quote,
            remedy="another program may be using hccn_tool: wait for it, then check again",
        )
    if isinstance(link, Unread):
        return of.note("is asked; the answer about its link is no answer")
    return of.passes("answers")


def _reset(facts: NodeFacts, card: int) -> str:
    """Health and reset by the ids of npu-smi, which on an A3 are not the physical one."""
    place = facts.rows.places.get(card)
    if place is None:
        return (
            "find its NPU ID and Chip ID: npu-smi info -m; then its health; then reset it or restart the node"
        )
    ids = f"-i {place[0]} -c {place[1]}"
    return f"npu-smi info -t health {ids}; if it is not OK: npu-smi set -t reset {ids} -m 1"


def count_findings(facts: NodeFacts) -> Iterator[Finding]:
    """The number of cards by /dev, by PCI and by npu-smi; a difference is a card that has dropped."""
    node = facts.node
    of = Subject("card-count", node)
    if isinstance(facts.dev, Unread):
        yield of.unknown(facts.dev.text, evidence=facts.dev.quote)
        return
    if not facts.dev:
        yield of.failure(
            "there is no NPU card: /dev has no davinci device",
            remedy="install the driver; see whether the server has cards at all: lspci -d '19e5:'",
        )
        return
    for card in facts.cards:
        if card not in facts.dev:
            yield Subject("card-count", node, card).failure(
                f"/dev/davinci{card} is not there",
                evidence=f"cards in /dev: {', '.join(map(str, facts.dev))}",
                remedy="name only cards that exist (devices: in hosts.yaml); or find out why this one has "
                "dropped: dmesg | grep -i davinci",
            )
    counts = {"/dev": len(facts.dev)}
    listed, why, quoted = _by_tool(facts)
    if listed is not None:
        counts["npu-smi"] = listed
    if not isinstance(facts.pci, Unread):
        counts["PCI"] = len(facts.pci)
    elif facts.pci.reason != "unsupported":
        why = why or f"the PCI bus: {facts.pci.text}"
    said = ", ".join(f"{source}: {count}" for source, count in counts.items())
    if len(set(counts.values())) > 1:
        yield of.failure(
            "the number of cards differs by where it is counted: a card has dropped",
            evidence=said,
            remedy="find the missing one: lspci -d '19e5:'; npu-smi info -m; then reset it or power-cycle "
            "the node",
        )
    elif why:
        evidence = "\n".join(part for part in (said, quoted) if part)
        yield of.unknown(f"not judged: {why}", evidence=evidence)
    elif len(counts) == 1:
        yield of.note(f"counted by /dev alone: {len(facts.dev)}")
    else:
        yield of.passes(said)


def _by_tool(facts: NodeFacts) -> tuple[int | None, str, str]:
    """How many chips npu-smi knows; None where it does not say, with the reason and its words if it should.

    Its list has no end that could be missed, its table has one: where they differ, one of them was cut.
    """
    chips, table = facts.chips, facts.npus
    if isinstance(chips, Unread):
        if chips.reason not in ("no-tool", "unsupported"):
            return None, f"npu-smi info -m: {chips.text}", chips.quote
        return len(table.chips) if isinstance(table, NpuTable) and table.whole else None, "", ""
    available = sum(chip.npu is not None for chip in chips)
    if isinstance(table, Unread) or len(table.chips) in (available, len(chips)):
        return len(chips), "", ""
    if table.whole or len(table.chips) > len(chips):
        said = f"npu-smi info shows {len(table.chips)} chips, and npu-smi info -m lists {len(chips)}"
        return None, said, ""
    return len(chips), "", ""
