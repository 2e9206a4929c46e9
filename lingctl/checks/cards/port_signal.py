"""What a card's port has seen: flaps, optics, error counters, speed. It warns; it stops no start.

Sources: MindCluster's rules for flaps and optics, HDK's documents for the counters.
"""

from __future__ import annotations

from lingctl.ascend.cards.signal import LOSS, Counters, LinkHistory, Optics
from lingctl.ascend.facts import CardFacts
from lingctl.checks.cards.judge import judge_of
from lingctl.findings import Finding, Subject, Verdict

# Our own choice: the documents want no growth under load, and one look cannot tell growth.
_BAD_SHARE = 1e-5


@judge_of("link-flaps", lambda card: card.history, optional=True)
def judge_flaps(of: Subject, history: LinkHistory, card: CardFacts) -> Finding:
    """Times that the link was lost in service."""
    flaps = history.flaps
    if not flaps and history.missing:
        counted = f"{history.ups} ups" + ("" if history.downs is None else f" and {history.downs} downs")
        text = f"not judged: {history.missing} of the changes that the card counts are not in its records"
        shown = f"{len(history.records)} records, {counted} counted"
        look = f"look at all of it: hccn_tool -i {card.card} -link_stat -g"
        return of.unknown(text, evidence=shown, remedy=look)
    if not flaps:
        return of.passes("none in the records")
    return of.finding(
        Verdict.NOTE if card.link == "DOWN" else Verdict.WARNING,
        f"the link was lost {len(flaps)} time{'s' if len(flaps) > 1 else ''} in service, last at {flaps[-1]}",
        remedy=f"re-seat or change cable and optics; then watch it: hccn_tool -i {card.card} -link_stat -g",
    )


@judge_of("optics", lambda card: card.optics, optional=True)
def judge_optics(of: Subject, optics: Optics, card: CardFacts) -> Finding:
    """Optical power against the module's own limits."""
    wrong = [*optics.outside, *(f"{flag} is raised" for flag in optics.lost)]
    if not optics.present and not optics.tx:
        return of.note("no module is reported (a copper cable has none)")
    if wrong:
        return of.warning(
            wrong[0], evidence="\n".join(wrong), remedy="clean or change the module and the fibre"
        )
    if optics.untold:
        text = f"not judged: the answer does not tell {', '.join(optics.untold)}"
        look = f"hccn_tool -i {card.card} -optical -g"
        # Every driver tells powers and limits; flags came later.
        verdict = Verdict.NOTE if optics.untold == ("Los and LoL flags",) else Verdict.UNKNOWN
        return of.finding(verdict, text, remedy=look)
    return of.passes("power within the module's limits")


@judge_of("error-counters", lambda card: card.counters, optional=True)
def judge_counters(of: Subject, counters: Counters, card: CardFacts) -> Finding:
    """Damaged and repeated packets since the card was started."""
    errors, packets = counters.errors, counters.packets
    if not errors and not counters.told:
        return of.note(f"not judged: the card does not count {LOSS}")
    if not errors:
        return of.passes("no damaged or repeated packets")
    bad = sum(errors.values())
    many = packets is not None and bad > _BAD_SHARE * packets
    return of.finding(
        Verdict.WARNING if many else Verdict.NOTE,
        f"packets damaged or repeated since the card was started: {_share(bad, packets)}"
        + ("" if many else "; it matters if they grow"),
        evidence=", ".join(f"{name}: {value}" for name, value in errors.items()),
        remedy=f"look twice under load: hccn_tool -i {card.card} -stat -g",
    )


def _share(bad: int, packets: int | None) -> str:
    if packets is None:
        return f"{bad:,}"
    if bad > packets:  # one may be repeated many times
        return f"{bad:,}, more than the {packets:,} that were sent and received"
    percent = 100 * bad / packets
    share = f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"
    return f"{bad:,} of {packets:,} ({'less than 0.001 %' if percent < 0.001 else share})"


@judge_of("speed", lambda card: card.speed, optional=True)
def judge_speed(of: Subject, speed: int | None, card: CardFacts) -> Finding:
    """The port's speed; whether all agree is judged over the cluster."""
    if speed is None:
        verdict = Verdict.NOTE if card.link == "DOWN" else Verdict.WARNING
        return of.finding(
            verdict,
            "the tool does not know it, as on a link in trouble",
            remedy=""
            if card.link == "DOWN"
            else f"hccn_tool -i {card.card} -optical -g; then look at the switch port",
        )
    return of.passes(f"{speed // 1000} Gb/s")
