"""How MindIE's consoles and logs are read, as the seam asks for it (``lingctl.engine.logs.LogReader``)."""

from __future__ import annotations

from lingctl.mindie.logs.catalogue.code_meanings import look_up
from lingctl.mindie.logs.console import Lines as lines_of
from lingctl.mindie.logs.diagnosis import diagnose, waits_for_ever
from lingctl.mindie.logs.failures import exit_meaning, explain, explain_waiting
from lingctl.mindie.logs.first_errors import first_errors
from lingctl.mindie.logs.long_log import first_of_each

__all__ = [
    "diagnose",
    "exit_meaning",
    "explain",
    "explain_waiting",
    "first_errors",
    "first_of_each",
    "lines_of",
    "look_up",
    "waits_for_ever",
]
