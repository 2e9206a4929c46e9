"""How MindIE's consoles and logs are read, as the seam asks for it (``lingctl.engine.logs.LogReader``)."""

from __future__ import annotations

from lingctl.mindie.logs.console import Lines as lines_of
from lingctl.mindie.logs.diagnosis import diagnose, waits_for_ever
from lingctl.mindie.logs.failures import exit_meaning, explain, explain_waiting, first_errors

__all__ = [
    "diagnose",
    "exit_meaning",
    "explain",
    "explain_waiting",
    "first_errors",
    "lines_of",
    "waits_for_ever",
]
