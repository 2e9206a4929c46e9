"""When a request is asked again, and after how long. Pure."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from lingctl.serving.faults import fault_of, of_the_request
from lingctl.serving.trouble import ExchangeTrouble

LONGEST_WAIT = 600.0
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Retries:
    """How often, and how far apart: twice as long each time, and shorter by chance, so that not all come at
    once. What a service asks for in Retry-After counts instead.
    """

    most: int = 6  # times that a request is asked again
    first: float = 1.0  # seconds before the first
    longest: float = 60.0  # seconds before any

    def wait(
        self,
        trouble: ExchangeTrouble,
        headers: Mapping[str, str],
        tried: int,
        chance: random.Random,
        now: datetime | None = None,
    ) -> float | None:
        """Seconds until a request is asked again; None where that is no use, or was done often enough.

        Args:
            headers: of the answer; empty where there was none.
            tried: how often it was asked.
        """
        if tried > self.most or of_the_request(trouble):
            return None
        # One that asks for no time at all gets our own: it refused just now.
        if told := retry_after(headers.get("retry-after", ""), now or datetime.now(UTC)):
            return told
        seconds = min(self.longest, self.first * 2.0 ** (tried - 1))
        return seconds * (0.5 + chance.random() / 2)


def retry_after(value: str, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for, ``LONGEST_WAIT`` at most; None where it says nothing.

    Source: RFC 9110, 10.2.3: seconds, or a date.
    """
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text)
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(0.0, seconds), LONGEST_WAIT)


def ends_all(trouble: ExchangeTrouble) -> bool:
    """Whether no other request would fare better: nothing is there, a key is wanted, it is elsewhere."""
    return trouble.no_service or trouble.kind == "tls" or fault_of(trouble) in ("key", "redirect")
