"""A change of which no node hears: nobody holds a lock, and nothing is written down."""

from __future__ import annotations

from lingctl.flows.run.change import Change


class _Unwritten(Change):
    def __init__(self) -> None:
        pass

    begin = check = steps = lambda *_: None


UNWRITTEN = _Unwritten()
