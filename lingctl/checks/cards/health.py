"""What npu-smi says of the cards: health, and who uses their memory.

What share of memory in use is idle is users' reports.
"""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.ascend.cards.card_rows import CardRows
from lingctl.ascend.cards.npu_smi import Chip, NpuTable
from lingctl.ascend.facts import NodeFacts
from lingctl.ascend.scope import Scope
from lingctl.ascend.unread import Unread
from lingctl.checks.cards.judge import not_read
from lingctl.findings import Finding, Subject, Verdict

# An idle A2 card of 64 GB shows 2.7 to 3.4 GB in use, by the driver itself (users' reports).
_IDLE_SHARE = 0.15


def card_health_findings(facts: NodeFacts, scope: Scope) -> Iterator[Finding]:
    """What npu-smi says of the cards' health and memory."""
    node, table = facts.node, facts.npus
    if isinstance(table, Unread):
        of = Subject("npu-health", node)
        if table.reason == "no-tool":
            yield of.unknown("not judged: npu-smi is not there", remedy="install the driver's tools")
        else:
            yield not_read(of, table)
        return
    there = set(facts.cards) if isinstance(facts.dev, Unread) else set(facts.dev) & set(facts.cards)
    rows = facts.rows
    yield from _unavailable(facts, rows)
    for card in sorted(there - rows.unavailable):
        chip = rows.chips.get(card)
        if chip is None:
            cut = "" if table.whole or card not in rows.places else ", or its table was cut"
            yield Subject("npu-health", node, card).unknown(
                f"not judged: {rows.why(card)}{cut}",
                evidence=rows.evidence,
                remedy="npu-smi info; npu-smi info -m",
            )
            continue
        yield _health(node, card, chip)
        if chip.hbm_total_mb:
            yield _hbm(facts, scope, table, card, chip)


def _unavailable(facts: NodeFacts, rows: CardRows) -> Iterator[Finding]:
    """Chips that npu-smi lists with -1 for their NPU ID, its word for what is there and cannot be reached."""
    text = "npu-smi calls the card unavailable: its NPU ID is -1"
    remedy = "see what happened to it: dmesg | grep -i davinci; then power-cycle the node"
    for card in sorted(rows.unavailable):
        verdict = Verdict.FAILURE if card in facts.cards else Verdict.WARNING
        evidence = f"npu-smi info -m: chip {card} has NPU ID -1"
        yield Finding("npu-health", verdict, text, facts.node, card, evidence=evidence, remedy=remedy)
    if rows.unavailable_somewhere:
        count = rows.unavailable_somewhere
        text = f"npu-smi calls {count} of the chips unavailable (NPU ID -1), not saying which"
        yield Finding("npu-health", Verdict.FAILURE, text, facts.node, remedy=remedy)


def _health(node: str, card: int, chip: Chip) -> Finding:
    words = {
        "OK": Verdict.PASS,
        "Warning": Verdict.WARNING,
        "Alarm": Verdict.FAILURE,
        "Critical": Verdict.FAILURE,
    }
    verdict = words.get(chip.health, Verdict.UNKNOWN)
    remedy = f"npu-smi info -t health -i {chip.npu} -c {chip.chip}" if verdict else ""
    return Finding("npu-health", verdict, f"npu-smi says {chip.health}", node, card, remedy=remedy)


def _hbm(facts: NodeFacts, scope: Scope, table: NpuTable, card: int, chip: Chip) -> Finding:
    used, total = chip.hbm_used_mb or 0, chip.hbm_total_mb or 1
    said = f"{used} of {total} MB in use"
    of = Subject("hbm", facts.node, card)
    if used <= _IDLE_SHARE * total:
        return of.passes(said)
    own = own_service(facts, scope)
    if own:
        return of.passes(f"{said}, by this cluster's service")
    holders = [p for p in table.processes if (p.npu, p.chip) == (chip.npu, chip.chip)]
    return of.finding(
        Verdict.UNKNOWN if own is None else Verdict.WARNING,
        f"{said}, and {'it is not known whether by' if own is None else 'not by'} this cluster's service",
        evidence="\n".join(f"{p.name} (pid {p.pid}): {p.memory_mb} MB" for p in holders),
        remedy="see what uses the card: npu-smi info; then stop it",
    )


def own_service(facts: NodeFacts, scope: Scope) -> bool | None:
    """Whether this cluster's own daemon runs there; None where that is not known."""
    if not scope.service:
        return False
    return None if isinstance(facts.service, Unread) else facts.service
