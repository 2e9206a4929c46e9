"""What a card's port has seen: flaps, optics, error counters, speed. It warns; it stops no start.

Sources: MindCluster's rules for flaps and optics, HDK's documents for the counters.
"""

from __future__ import annotations

from lingctl.ascend.facts import CardFacts
from lingctl.ascend.signal import LOSS
from lingctl.ascend.unread import Unread
from lingctl.checks.cards.roce import unknown
from lingctl.findings import Finding, Verdict

# Our own choice: the documents want no growth under load, and one look cannot tell growth.
_BAD_SHARE = 1e-5


def judge_flaps(node: str, card: CardFacts) -> Finding:
    """Times that the link was lost in service."""
    history = card.history
    if isinstance(history, Unread):
        return unknown("link-flaps", history, node, card.card, optional=True)
    flaps = history.flaps
    if not flaps and history.missing:
        counted = f"{history.ups} ups" + ("" if history.downs is None else f" and {history.downs} downs")
        text = f"not judged: {history.missing} of the changes that the card counts are not in its records"
        shown = f"{len(history.records)} records, {counted} counted"
        look = f"look at all of it: hccn_tool -i {card.card} -link_stat -g"
        return Finding("link-flaps", Verdict.UNKNOWN, text, node, card.card, evidence=shown, remedy=look)
    if not flaps:
        return Finding("link-flaps", Verdict.PASS, "none in the records", node, card.card)
    return Finding(
        "link-flaps",
        Verdict.NOTE if card.link == "DOWN" else Verdict.WARNING,
        f"the link was lost {len(flaps)} time{'s' if len(flaps) > 1 else ''} in service, last at {flaps[-1]}",
        node,
        card.card,
        remedy=f"re-seat or change cable and optics; then watch it: hccn_tool -i {card.card} -link_stat -g",
    )


def judge_optics(node: str, card: CardFacts) -> Finding:
    """Optical power against the module's own limits."""
    optics, n = card.optics, card.card
    if isinstance(optics, Unread):
        return unknown("optics", optics, node, n, optional=True)
    wrong = [*optics.outside, *(f"{flag} is raised" for flag in optics.lost)]
    if not optics.present and not optics.tx:
        return Finding("optics", Verdict.NOTE, "no module is reported (a copper cable has none)", node, n)
    if wrong:
        return Finding(
            "optics",
            Verdict.WARNING,
            wrong[0],
            node,
            n,
            evidence="\n".join(wrong),
            remedy="clean or change the module and the fibre",
        )
    if optics.untold:
        text = f"not judged: the answer does not tell {', '.join(optics.untold)}"
        look = f"hccn_tool -i {n} -optical -g"
        # Every driver tells powers and limits; flags came later.
        verdict = Verdict.NOTE if optics.untold == ("Los and LoL flags",) else Verdict.UNKNOWN
        return Finding("optics", verdict, text, node, n, remedy=look)
    return Finding("optics", Verdict.PASS, "power within the module's limits", node, n)


def judge_counters(node: str, card: CardFacts) -> Finding:
    """Damaged and repeated packets since the card was started."""
    counters, n = card.counters, card.card
    if isinstance(counters, Unread):
        return unknown("error-counters", counters, node, n, optional=True)
    errors, packets = counters.errors, counters.packets
    if not errors and not counters.told:
        text = f"not judged: the card does not count {LOSS}"
        return Finding("error-counters", Verdict.NOTE, text, node, n)
    if not errors:
        return Finding("error-counters", Verdict.PASS, "no damaged or repeated packets", node, n)
    bad = sum(errors.values())
    many = packets is not None and bad > _BAD_SHARE * packets
    among = "" if packets is None else f", of {packets} sent and received"
    return Finding(
        "error-counters",
        Verdict.WARNING if many else Verdict.NOTE,
        f"packets damaged or repeated since the card was started: {bad}{among}"
        + ("" if many else "; it matters if they grow"),
        node,
        n,
        evidence=", ".join(f"{name}: {value}" for name, value in errors.items()),
        remedy=f"look twice under load: hccn_tool -i {n} -stat -g",
    )


def judge_speed(node: str, card: CardFacts) -> Finding:
    """The port's speed; whether all agree is judged over the cluster."""
    speed, n = card.speed, card.card
    if isinstance(speed, Unread):
        return unknown("speed", speed, node, n, optional=True)
    if speed is None:
        verdict = Verdict.NOTE if card.link == "DOWN" else Verdict.WARNING
        return Finding(
            "speed",
            verdict,
            "the tool does not know it, as on a link in trouble",
            node,
            n,
            remedy=""
            if card.link == "DOWN"
            else f"hccn_tool -i {n} -optical -g; then look at the switch port",
        )
    return Finding("speed", Verdict.PASS, f"{speed // 1000} Gb/s", node, n)
