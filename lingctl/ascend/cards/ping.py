"""Card-to-card ping: the only query that proves the way between two cards.

``-ping`` sends three packets of 4096 bytes by default, so it needs a path MTU above that or fragmentation
that works; ``pkt 64`` tells the one trouble from the other. Current drivers exit 1 on loss, older ones may
exit 0: the counts decide. ``-hccs_ping`` exits 0 even when everything is lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from lingctl.ascend.cards.hccn import query
from lingctl.ascend.unread import Unread, of_ended, the_one, unread
from lingctl.remote.command import Command
from lingctl.remote.probe import Answer

_SUMMARY = (
    r"^([0-9]{1,9}) packets transmitted,\s*([0-9]{1,9}) received,"
    r"\s*([0-9]{1,3}(?:\.[0-9]{1,9})?)% packet loss\s*$"
)
_HCCS_SUMMARY = _SUMMARY.replace("packet loss", "packets loss")
_TIME = r"recv seq[=: ]\s*[0-9]{1,9},\s*time\s*[:=]\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(ms|us)"


@dataclass(frozen=True, slots=True)
class Ping:
    """What a ping saw."""

    sent: int  # packets; 0 where the tool gave no count
    received: int  # answers
    slowest_ms: float | None = None  # longest round trip, None without an answer
    # ``too-long`` or ``unreachable`` where the tool says so; ``plane`` for an HCCS plane in error
    trouble: Literal["", "too-long", "unreachable", "plane"] = ""

    @property
    def said(self) -> str:
        """What was seen, in words."""
        words = {
            "too-long": "Message too long",
            "unreachable": "Destination Host Unreachable",
            "plane": "an L1 plane is in error",
        }
        counts = f"{self.received} of {self.sent} packets came back" if self.sent else ""
        return ", ".join(part for part in (counts, words.get(self.trouble, "")) if part)

    @property
    def ok(self) -> bool:
        """Whether every packet came back."""
        return self.sent > 0 and self.received == self.sent and not self.trouble


def ping(card: int, address: str, size: int | None = None) -> Command:
    """Ping an address from a card, with packets of ``size`` bytes or the tool's own default."""
    return query(card, "ping", "address", address, *(("pkt", size) if size else ()))


def hccs_ping(card: int, address: str) -> Command:
    """Ping a die's vNIC address inside a super-pod. Needs root and a super-pod board."""
    return query(card, "hccs_ping", "address", address)


@of_ended
def read_ping(answer: Answer) -> Ping | Unread:
    """``-ping -g`` (also ``-ub_ping``); loss may exit 1, and its summary is the last thing printed."""
    said = f"{answer.stdout}\n{answer.stderr}"
    found = re.findall(_SUMMARY, answer.stdout, re.MULTILINE)
    sent, received = (int(found[0][0]), int(found[0][1])) if len(found) == 1 else (0, 0)
    if re.search(r"^Message too long\s*$", said, re.MULTILINE):
        return Ping(sent, received, trouble="too-long")
    if re.search(r"^Destination Host Unreachable\s*$", said, re.MULTILINE):
        return Ping(sent, received, trouble="unreachable")
    if len(found) != 1:
        return unread(answer, "several answers in one" if found else "")
    late = len(re.findall(r"recv time out seq", said))
    return Ping(sent, min(received, max(0, sent - late)), _slowest(answer.stdout))


@of_ended
def read_hccs_ping(answer: Answer) -> Ping | Unread:
    """``-hccs_ping -g``: all packets back and every plane 0x0; its exit status says nothing."""
    counts = the_one(answer, _HCCS_SUMMARY)
    sent, received = int(counts[1]), int(counts[2])
    planes = re.findall(r"L1 plane check result = (0x[0-9a-fA-F]{1,16})", answer.stdout)
    if len(planes) < received:
        return unread(answer, f"{received} packets came back, and the planes of {len(planes)} are told")
    bad = any(int(plane, 16) for plane in planes)
    return Ping(sent, received, _slowest(answer.stdout), "plane" if bad else "")


def _slowest(text: str) -> float | None:
    times = [float(value) / (1000 if unit == "us" else 1) for value, unit in re.findall(_TIME, text)]
    return max(times, default=None)
