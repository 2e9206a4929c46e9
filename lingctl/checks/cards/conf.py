"""/etc/hccn.conf against what the cards say: the file counts after the next reboot or reset.

Sources: the published driver (`-cfg recovery`); vllm-ascend #16847, where one stale line made a card
unreachable.
"""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.ascend.cards.hccn import DeviceAddress, Gateway, Tls
from lingctl.ascend.conf import Conf
from lingctl.ascend.facts import CardFacts
from lingctl.ascend.unread import Unread
from lingctl.checks.cards.roce import UNSET
from lingctl.checks.remedies import clauses, restore, settings
from lingctl.findings import Finding, Subject, Verdict


def conf_findings(node: str, card: CardFacts, conf: Conf | Unread) -> Iterator[Finding]:
    """Live values against /etc/hccn.conf, which the driver applies again after a reboot or reset."""
    n = card.card
    if isinstance(conf, Unread):
        return
    written = conf.get(n, {})
    live = _live(card)
    of = Subject("hccn-conf", node, n)
    if not written:
        if live:
            text = "/etc/hccn.conf has nothing for this card: its settings are lost at the next reboot"
            yield of.warning(text, remedy=clauses(*settings(n, live, live)))
        return
    differ = {key: value for key, value in live.items() if written.get(key, value) != value}
    lost = {key for key in ("address", "netmask") if key in live and key not in written}
    for key, value in differ.items():
        yield of.finding(
            Verdict.FAILURE if key in ("address", "netmask") else Verdict.WARNING,
            f"{key} is {value} on the card, but {written[key]} in /etc/hccn.conf",
            evidence=f"{key}_{n}={written[key]}",
            remedy=_either(card, live, key),
        )
    if lost:
        text = f"/etc/hccn.conf lacks {' and '.join(sorted(lost))}: lost at the next reboot"
        yield of.warning(text, remedy=clauses(*settings(n, live, lost)))
    if not differ and not lost:
        yield _alike(node, card)


def _either(card: CardFacts, live: dict[str, str], key: str) -> str:
    """Keep what is live, unless that can be no address, or take what the file says."""
    n, address = card.card, card.address
    keep = settings(n, live, (key,))
    if key in ("address", "netmask") and isinstance(address, DeviceAddress) and address.network is None:
        keep = []
    if not keep:
        return f"to take what the file says: {restore(n)}"
    return clauses(
        f"to keep what the card has: {clauses(*keep)}", f"or to take what the file says: {restore(n)}"
    )


def _alike(node: str, card: CardFacts) -> Finding:
    """Nothing differs of what is known; it passes only where everything that matters is."""
    known = {"address": card.address, "gateway": card.gateway, "netdetect": card.netdetect, "TLS": card.tls}
    silent = [name for name, value in known.items() if isinstance(value, Unread)]
    of = Subject("hccn-conf", node, card.card)
    if silent:
        return of.note(f"not judged: the card does not tell its {', '.join(silent)}")
    return of.passes("as live")


def _live(card: CardFacts) -> dict[str, str]:
    live: dict[str, str] = {}
    if isinstance(card.address, DeviceAddress) and card.address.family == 4:
        live |= {"address": card.address.address, "netmask": card.address.netmask}
    if isinstance(card.gateway, Gateway):
        live["gateway"] = card.gateway.address
    if isinstance(card.netdetect, str) and card.netdetect != UNSET:
        live["netdetect"] = card.netdetect
    if isinstance(card.tls, Tls) and card.tls.switch is not None:
        live["tls_enable"] = str(card.tls.switch)
    if isinstance(card.mtu, int):
        live["mtu"] = str(card.mtu)
    return live
