"""What stands in a daemon's console before the end that is watched, and by which clock it was stamped. Pure.

Sixteen ranks that lost a seventeenth print hundreds of kilobytes behind the line that says why.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from lingctl.assets import shell
from lingctl.engine.logs import Console
from lingctl.inventory.layout import Layout
from lingctl.release.site import Site
from lingctl.remote.command import Command, script
from lingctl.remote.runtime import runtime_script

# As many bytes as ``watch_command`` brings from the end.
WATCHED_BYTES = 40_000
_MOST_BYTES = 60_000
_EARLIER = shell("daemon/earlier")
# The container's clock stamps the lines; its zone may differ from the host's.
_CLOCK = '"$runtime" exec "$1" date "+%s.%N %z" 2>/dev/null || date "+%s.%N %z"'
_CLOCK_ANSWER = re.compile(r"\s*([0-9]{9,11}(?:\.[0-9]{1,9})?)\S* ([+-])([0-9]{2})([0-9]{2})\s", re.ASCII)


@dataclass(frozen=True, slots=True)
class ConsoleClock:
    """What the clock shows that stamps a daemon's lines."""

    now: float  # seconds since 1970, UTC
    offset: timedelta  # of its zone

    @property
    def shown(self) -> float:
        """The same moment as its lines write it, without their zone."""
        return self.now + self.offset.total_seconds()


def earlier_errors_command(layout: Layout, look_for: Console) -> Command:
    """Ask for what may tell in the console before its watched end, the first of each kind with the lines
    around it; nothing where the watched end is all."""
    return script(
        _EARLIER,
        layout.console,
        WATCHED_BYTES,
        _MOST_BYTES,
        look_for.requests,
        look_for.telling,
        title="read the console's first errors",
    )


def console_clock_command(site: Site) -> Command:
    """Ask the clock that stamps the lines of a daemon's console."""
    return runtime_script(site.runtime, _CLOCK, site.container, title="ask the clock")


def read_console_clock(answer: str) -> ConsoleClock | None:
    """What that clock shows; None where it did not tell."""
    found = _CLOCK_ANSWER.match(answer)
    if found is None:
        return None
    ahead = timedelta(hours=int(found[3]), minutes=int(found[4]))
    return ConsoleClock(float(found[1]), ahead if found[2] == "+" else -ahead)
