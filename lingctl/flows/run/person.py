"""Who wants a change: is shown what is planned, agrees to it or not, and hears how it goes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from lingctl.events import Listener, ignore
from lingctl.flows.run.proposal import Proposal


class Person(Protocol):
    """The part of a change that is not ours: see ``carry_out`` for when each is asked.

    A terminal is one (``lingctl.output.person``); a program uses ``Unattended``, or writes its own.
    """

    def progress(self) -> AbstractContextManager[Listener]:
        """A listener for the length of the block, in which nothing is shown or asked."""

    def show(self, proposal: Proposal[Any]) -> None:
        """Take note of what is planned: also where nothing has to change, and nothing will be asked."""

    def agrees(self, proposal: Proposal[Any]) -> bool:
        """Whether it may be done. Raises LingctlError: nobody is there to ask."""


@dataclass(frozen=True, slots=True)
class Unattended:
    """Nobody is asked: the program that calls has decided."""

    listener: Listener = ignore  # hears what is done; called from many threads
    # whether a plan may be carried out; without it every one may
    decide: Callable[[Proposal[Any]], bool] = lambda _: True

    def progress(self) -> AbstractContextManager[Listener]:
        """The same listener all the time."""
        return nullcontext(self.listener)

    def show(self, proposal: Proposal[Any]) -> None:
        """Nobody looks: ``decide`` is given it, and the outcome holds it."""

    def agrees(self, proposal: Proposal[Any]) -> bool:
        """What ``decide`` says."""
        return self.decide(proposal)
