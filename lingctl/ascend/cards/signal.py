"""What the port itself has seen: link history, optics and counters.

Forms: captures of real servers, and the published hccn_tool (`hicann/driver`) for newer ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lingctl.ascend.unread import CUT_SHORT, Unread, of_whole, the_one, unread
from lingctl.remote.probe import Answer

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PREFIX = r"^\[(?:devid|device) [0-9]{1,18}\]"
_BURST_SECONDS = 60
_LONG_GAP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class LinkHistory:
    """``-link_stat -g``."""

    records: tuple[tuple[datetime, str], ...]  # (time, ``UP`` or ``DOWN``), oldest first
    ups: int  # times that the link came up
    downs: int | None = None  # times that it went down; None where the driver does not count

    @property
    def missing(self) -> int:
        """Changes that were counted and are not among the records: the oldest ones."""
        shown = [state for _, state in self.records]
        lost = max(0, self.ups - shown.count("UP"))
        return lost + max(0, (self.downs or 0) - shown.count("DOWN"))

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
    """``-optical -g``. Powers in mW, by lane."""

    present: bool  # whether a module is plugged in
    # tx, rx: power of each lane; None where it is not told
    tx: tuple[float | None, ...] = ()
    rx: tuple[float | None, ...] = ()
    # tx_limits, rx_limits: the module's own (low, high); None where they are not told
    tx_limits: tuple[float, float] | None = None
    rx_limits: tuple[float, float] | None = None
    lost: tuple[str, ...] = ()  # names of the Los and LoL flags that are raised
    flags: bool = False  # whether all four flags are told

    @property
    def untold(self) -> tuple[str, ...]:
        """What would have to be told for a module to pass, and is not."""
        parts = {
            "Tx power": bool(self.tx) and None not in self.tx,
            "Rx power": bool(self.rx) and None not in self.rx,
            "limits of Tx power": self.tx_limits is not None,
            "limits of Rx power": self.rx_limits is not None,
            "Los and LoL flags": self.flags,
        }
        return tuple(name for name, told in parts.items() if not told)

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
                if power is not None and not low <= power <= high
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
    def packets(self) -> int | None:
        """Packets sent and received; None where they are not counted."""
        found = [self.values[name] for name in _PACKETS if name in self.values]
        return sum(found) if found else None

    @property
    def told(self) -> bool:
        """Whether it counts what tells of damage; other products have other counters."""
        return LOSS in self.values


# The documents' own indicator of loss, and the last counter of damage that the tool prints.
LOSS = "roce_new_pkt_rty_num"
_ERROR = re.compile(
    r"_err_pkt_num$|_bad_pkt_num$|_verification_err_num$|_qp_status_err_num$|_new_pkt_rty_num$"
)

_FLAGS = ("Tx Los Flag", "Rx Los Flag", "Tx LoL Flag", "Rx LoL Flag")
_PACKETS = ("mac_tx_total_pkt_num", "mac_rx_total_pkt_num")


@of_whole
def read_link_history(seen: Answer) -> LinkHistory | Unread:
    """``-link_stat -g``. Every line after the head of the records must be one."""
    ups = int(the_one(seen, _PREFIX + r"link up count\s*:\s*([0-9]{1,18})\s*$")[1])
    downs = re.findall(_PREFIX + r"link down count\s*:\s*([0-9]{1,18})\s*$", seen.stdout, re.MULTILINE)
    said = seen.stdout[the_one(seen, _PREFIX + r"link change records\s*:").end() :]
    lines = [line for line in said.splitlines() if line.strip() not in ("", "NA")]
    records = []
    for line in lines:
        found = re.fullmatch(_PREFIX + r"\s+(\S.*?)\s+LINK (UP|DOWN)\s*", line)
        at = _time(found.group(1)) if found else None
        if found is None or at is None:
            return unread(seen, f"a record is not understood: {line.strip()[:80]}")
        records.append((at, found.group(2)))
    # "NA" is how an empty list is printed; nothing at all is a list that was cut.
    if not records and (said.split() != ["NA"] or ups):
        return unread(seen, CUT_SHORT if not said.strip() else "link changes are counted, and none is shown")
    return LinkHistory(tuple(reversed(records)), ups, int(downs[0]) if downs else None)


def read_optics(answer: Answer | None) -> Optics | Unread:
    """``-optical -g``; the module being absent is an answer."""
    if answer is not None and re.search(r"^Optical module is not present", answer.stdout, re.MULTILINE):
        return Optics(False)
    return _optics(answer)


@of_whole
def _optics(seen: Answer) -> Optics | Unread:
    the_one(seen, "optical info:")
    values = dict(re.findall(r"^([A-Za-z][^:\n]*?)[ \t]*:[ \t]*(\S.*?)[ \t]*$", seen.stdout, re.MULTILINE))
    if values.get("present") not in ("present", "not present"):
        return unread(seen)
    # The last line that every form has, that of an empty cage too.
    if "RxPower Low Thres" not in values:
        return unread(seen, CUT_SHORT)
    flags = {name: _hexadecimal(values.get(name, "")) for name in _FLAGS}
    return Optics(
        values["present"] == "present",
        _powers(values, "Tx"),
        _powers(values, "Rx"),
        _limits(values, "Tx"),
        _limits(values, "Rx"),
        tuple(name for name, raised in flags.items() if raised),
        None not in flags.values(),
    )


@of_whole
def read_counters(seen: Answer) -> Counters | Unread:
    """``-stat -g``. Every line must be a counter: one that cannot be read may be the one that matters."""
    head = the_one(seen, "packet statistics:")
    values: dict[str, int] = {}
    for line in seen.stdout[head.end() :].splitlines():
        found = re.fullmatch(r"([a-z][a-z0-9_]*)\s*:\s*([0-9]{1,18})\s*", line)
        if found is None and line.strip():
            return unread(seen, f"a counter is not understood: {line.strip()[:80]}")
        if found:
            values[found.group(1)] = int(found.group(2))
    return Counters(values) if values else unread(seen, CUT_SHORT)


def _time(text: str) -> datetime | None:
    found = re.fullmatch(
        r"[A-Z][a-z]{2} ([A-Z][a-z]{2})\s+([0-9]{1,2}) ([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2}) ([0-9]{4})",
        text,
    )
    if not found or found.group(1) not in _MONTHS:
        return None
    month, (day, hour, minute, second, year) = found.group(1), map(int, found.groups()[1:])
    try:
        return datetime(year, _MONTHS.index(month) + 1, day, hour, minute, second)
    except ValueError:
        return None


def _powers(values: Mapping[str, str], way: str) -> tuple[float | None, ...]:
    lanes = {
        int(found.group(1) or 0): _milliwatts(value)
        for name, value in values.items()
        if (found := re.fullmatch(rf"{way} Power([0-9]{{0,2}})", name))
    }
    powers = tuple(lanes.get(lane) for lane in range(max(lanes, default=-1) + 1))
    # An empty cage has no lanes: "NA" there is no power that is not told.
    return () if set(powers) == {None} else powers


def _limits(values: Mapping[str, str], way: str) -> tuple[float, float] | None:
    low = _milliwatts(values.get(f"{way}Power Low Thres", ""))
    high = _milliwatts(values.get(f"{way}Power High Thres", ""))
    return None if low is None or high is None else (low, high)


def _milliwatts(text: str) -> float | None:
    found = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]{1,18})?) mW", text)
    return float(found.group(1)) if found else None


def _hexadecimal(text: str) -> int | None:
    return int(text, 16) if re.fullmatch(r"0x[0-9a-fA-F]{1,16}", text) else None
