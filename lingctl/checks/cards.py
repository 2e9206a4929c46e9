"""Is the tool there, does every card answer, and does the count of cards agree?

Source: the published hccn_tool (`hicann/driver`), which asks a card's health up to 300 times, a second apart,
before it answers anything.
"""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.ascend.facts import CardFacts, NodeFacts
from lingctl.ascend.unread import Unread
from lingctl.findings import Finding, Verdict

_TOOL_REMEDIES = {
    "no-tool": "install the driver, or see whether /usr/local/Ascend/driver/tools/hccn_tool is there",
    "no-library": "export LD_LIBRARY_PATH=/usr/local/Ascend/driver/lib64/driver:"
    "/usr/local/Ascend/driver/lib64/common in the login shell of this user",
    "denied": "log in as root: ssh: {user: root}",
    "unsupported": "see `hccn_tool -h` on the node; the 950 has another grammar, which is not asked here",
}


def judge_tool(facts: NodeFacts) -> Finding:
    """Whether hccn_tool can be used at all; everything about the cards' network hangs on it."""
    links = [card.link for card in facts.cards.values()]
    refused = [link for link in links if isinstance(link, Unread)]
    reasons = {link.reason for link in refused}
    if not links:
        return Finding("hccn-tool", Verdict.NOTE, "not judged: no card to ask about", facts.node)
    if len(refused) < len(links):
        return Finding("hccn-tool", Verdict.PASS, "answers", facts.node)
    if not reasons <= set(_TOOL_REMEDIES):
        return Finding("hccn-tool", Verdict.NOTE, "not judged: no card answers it", facts.node)
    first = refused[0]
    verdict = Verdict.FAILURE if first.reason in ("no-tool", "no-library") else Verdict.UNKNOWN
    return Finding(
        "hccn-tool",
        verdict,
        f"hccn_tool gives no answer for any card: {first.text}",
        facts.node,
        evidence=first.quote,
        remedy=_TOOL_REMEDIES[first.reason],
    )


def judge_card(node: str, card: CardFacts) -> Finding:
    """Whether one card answers; if not, nothing else is judged of it."""
    link = card.link
    if isinstance(link, Unread) and link.reason == "no-device":
        return Finding(
            "card",
            Verdict.FAILURE,
            "the driver knows no such card: it is not there, or has dropped off the bus",
            node,
            card.card,
            link.quote,
            "compare: ls /dev/davinci*; npu-smi info -m; lspci -d 19e5:   then reset or power-cycle",
        )
    if isinstance(link, Unread) and link.reason == "timed-out":
        return Finding(
            "card",
            Verdict.FAILURE,
            "does not answer: the card is not ready or not healthy, and would block for minutes",
            node,
            card.card,
            link.quote or f"hccn_tool -i {card.card} -link -g: {link.text}",
            f"npu-smi info -t health -i {card.card} -c 0; if it is not OK: npu-smi set -t reset "
            f"-i {card.card} -c 0 -m 1",
        )
    if isinstance(link, Unread) and link.reason in ("busy", "not-asked"):
        return Finding(
            "card",
            Verdict.UNKNOWN,
            link.text,
            node,
            card.card,
            link.quote,
            "another program may be using hccn_tool: wait for it, then check again",
        )
    return Finding("card", Verdict.PASS, "answers", node, card.card)


def count_findings(facts: NodeFacts) -> Iterator[Finding]:
    """The number of cards by /dev, by PCI and by npu-smi; a difference is a card that has dropped."""
    node = facts.node
    if isinstance(facts.dev, Unread):
        yield Finding("card-count", Verdict.UNKNOWN, facts.dev.text, node, evidence=facts.dev.quote)
        return
    if not facts.dev:
        yield Finding(
            "card-count",
            Verdict.FAILURE,
            "there is no NPU card: /dev has no davinci device",
            node,
            remedy="install the driver; lspci -d 19e5: shows whether the server has cards at all",
        )
        return
    for card in facts.cards:
        if card not in facts.dev:
            yield Finding(
                "card-count",
                Verdict.FAILURE,
                f"/dev/davinci{card} is not there",
                node,
                card,
                f"cards in /dev: {_ids(facts.dev)}",
                "name only cards that exist (devices: in hosts.yaml), or find out why this one has dropped: "
                "dmesg | grep -i davinci",
            )
    counts = {"/dev": len(facts.dev)}
    if not isinstance(facts.pci, Unread):
        counts["PCI"] = len(facts.pci)
    if not isinstance(facts.chips, Unread):
        counts["npu-smi"] = len(facts.chips)
    said = ", ".join(f"{source}: {count}" for source, count in counts.items())
    if len(set(counts.values())) > 1:
        yield Finding(
            "card-count",
            Verdict.FAILURE,
            "the number of cards differs by where it is counted: a card has dropped",
            node,
            evidence=said,
            remedy="lspci -d 19e5: and npu-smi info -m name the missing one; reset or power-cycle the node",
        )
    elif len(counts) == 1:
        yield Finding("card-count", Verdict.NOTE, f"counted by /dev alone: {len(facts.dev)}", node)
    else:
        yield Finding("card-count", Verdict.PASS, said, node)


def _ids(cards: tuple[int, ...]) -> str:
    return ", ".join(map(str, cards)) or "none"
