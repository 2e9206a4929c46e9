"""What the port itself has seen: link history, optics and counters.

Forms: captures of real servers, and the published hccn_tool (`hicann/driver`) for newer ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lingctl.ascend.unread import Unread, refusal, unread
from lingctl.remote.probe import Answer

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PREFIX = r"^\[(?:devid|device) \d+\]"
_BURST_SECONDS = 60
_LONG_GAP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class LinkHistory:
    """``-link_stat -g``.

    Attributes:
        records: (time, ``UP`` or ``DOWN``), oldest first.
        ups: times that the link came up.
        downs: times that it went down; None where the driver does not count.
    """

    records: tuple[tuple[datetime, str], ...]
    ups: int
    downs: int | None = None

    @property
    def flaps(self) -> tuple[datetime, ...]:
        """When the link was lost in service.

        Every healthy card shows UP, DOWN, UP within seconds at boot; so the first burst of records counts
        only where the link stayed down for longer than 30 s (MindCluster's own rule).
        """
        lost: list[datetime] = []
        first_burst = True
        for index, (at, state) in enumerate(self.records):
            before = self.records[index - 1][0] if index else at
            first_burst = first_burst and (at - before).total_seconds() < _BURST_SECONDS
            following = self.records[index + 1][0] if index + 1 < len(self.records) else None
            long = following is not None and (following - at).total_seconds() > _LONG_GAP_SECONDS
            if state == "DOWN" and (not first_burst or long):
                lost.append(at)
        return tuple(lost)


@dataclass(frozen=True, slots=True)
class Optics:
    """``-optical -g``. Powers in mW, by lane.

    Attributes:
        present: whether a module is plugged in.
        tx, rx: power of each lane.
        tx_limits, rx_limits: the module's own (low, high).
        lost: names of the Los and LoL flags that are raised.
    """

    present: bool
    tx: tuple[float, ...] = ()
    rx: tuple[float, ...] = ()
    tx_limits: tuple[float, float] | None = None
    rx_limits: tuple[float, float] | None = None
    lost: tuple[str, ...] = ()

    @property
    def outside(self) -> tuple[str, ...]:
        """Each lane whose power is outside the module's own limits, in words."""
        said = []
        for name, powers, limits in (("Tx", self.tx, self.tx_limits), ("Rx", self.rx, self.rx_limits)):
            if limits is None:
                continue
            low, high = limits
            said += [
                f"{name} lane {lane}: {power} mW is outside {low} to {high}"
                for lane, power in enumerate(powers)
                if not low <= power <= high
            ]
        return tuple(said)


@dataclass(frozen=True, slots=True)
class Counters:
    """``-stat -g``: packet counters by the tool's own names, since the card was started."""

    values: Mapping[str, int] = field(default_factory=dict)

    @property
    def errors(self) -> dict[str, int]:
        """The counters of damage and retransmission that are not 0."""
        return {name: value for name, value in self.values.items() if value and _ERROR.search(name)}

    @property
    def error_share(self) -> float | None:
        """Damaged and repeated packets per packet; None where packets are not counted."""
        packets = sum(self.values.get(name, 0) for name in _PACKETS)
        return sum(self.errors.values()) / packets if packets else None


_ERROR = re.compile(
    r"_err_pkt_num$|_bad_pkt_num$|_verification_err_num$|_qp_status_err_num$|_new_pkt_rty_num$"
)

_PACKETS = ("mac_tx_total_pkt_num", "mac_rx_total_pkt_num")


def read_link_history(answer: Answer | None) -> LinkHistory | Unread:
    """``-link_stat -g``."""
    if answer is None:
        return unread(answer)
    if refused := refusal(answer):
        return refused
    ups = re.findall(_PREFIX + r"link up count\s*:\s*(\d+)\s*$", answer.stdout, re.MULTILINE)
    downs = re.findall(_PREFIX + r"link down count\s*:\s*(\d+)\s*$", answer.stdout, re.MULTILINE)
    heads = re.findall(_PREFIX + r"link change records\s*:", answer.stdout, re.MULTILINE)
    if len(ups) != 1 or len(heads) != 1 or answer.exit_status != 0:
        return unread(answer, "several answers in one" if len(ups) > 1 else "")
    lines = re.findall(_PREFIX + r"\s+(\S.*?)\s+LINK (UP|DOWN)\s*$", answer.stdout, re.MULTILINE)
    records = []
    for text, state in lines:
        at = _time(text)
        if at is None:
            return unread(answer, f"a time is not understood: {text}")
        records.append((at, state))
    return LinkHistory(tuple(reversed(records)), int(ups[0]), int(downs[0]) if downs else None)


def read_optics(answer: Answer | None) -> Optics | Unread:
    """``-optical -g``; the module being absent is an answer."""
    if answer is None:
        return unread(answer)
    if re.search(r"^Optical module is not present", answer.stdout, re.MULTILINE):
        return Optics(False)
    if refused := refusal(answer):
        return refused
    if answer.stdout.count("optical info:") != 1 or answer.exit_status != 0:
        return unread(answer, "several answers in one" if answer.stdout.count("optical info:") > 1 else "")
    values = dict(re.findall(r"^([A-Za-z][^:\n]*?)[ \t]*:[ \t]*(\S.*?)[ \t]*$", answer.stdout, re.MULTILINE))
    if values.get("present") not in ("present", "not present"):
        return unread(answer)
    lost = tuple(
        name
        for name, value in values.items()
        if name.endswith("Flag") and _hexadecimal(value) not in (0, None)
    )
    return Optics(
        values["present"] == "present",
        _powers(values, "Tx"),
        _powers(values, "Rx"),
        _limits(values, "Tx"),
        _limits(values, "Rx"),
        lost,
    )


def read_counters(answer: Answer | None) -> Counters | Unread:
    """``-stat -g``."""
    if answer is None:
        return unread(answer)
    if refused := refusal(answer):
        return refused
    heads = answer.stdout.count("packet statistics:")
    found = re.findall(r"^([a-z][a-z0-9_]*)\s*:\s*(\d+)\s*$", answer.stdout, re.MULTILINE)
    if heads != 1 or not found or answer.exit_status != 0:
        return unread(answer, "several answers in one" if heads > 1 else "")
    return Counters({name: int(value) for name, value in found})


def _time(text: str) -> datetime | None:
    found = re.fullmatch(r"[A-Z][a-z]{2} ([A-Z][a-z]{2})\s+(\d+) (\d+):(\d+):(\d+) (\d{4})", text)
    if not found or found.group(1) not in _MONTHS:
        return None
    month, (day, hour, minute, second, year) = found.group(1), map(int, found.groups()[1:])
    try:
        return datetime(year, _MONTHS.index(month) + 1, day, hour, minute, second)
    except ValueError:
        return None


def _powers(values: Mapping[str, str], way: str) -> tuple[float, ...]:
    lanes = sorted(name for name in values if re.fullmatch(rf"{way} Power\d*", name))
    return tuple(power for name in lanes if (power := _milliwatts(values[name])) is not None)


def _limits(values: Mapping[str, str], way: str) -> tuple[float, float] | None:
    low = _milliwatts(values.get(f"{way}Power Low Thres", ""))
    high = _milliwatts(values.get(f"{way}Power High Thres", ""))
    return None if low is None or high is None else (low, high)


def _milliwatts(text: str) -> float | None:
    found = re.fullmatch(r"([\d.]+) mW", text)
    return float(found.group(1)) if found else None


def _hexadecimal(text: str) -> int | None:
    return int(text, 16) if re.fullmatch(r"0x[0-9a-fA-F]+", text) else None
