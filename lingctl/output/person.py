"""The person at the terminal, as the flows know them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

from lingctl.events import Listener
from lingctl.findings import Verdict
from lingctl.flows.run.proposal import Proposal
from lingctl.output.findings import print_findings
from lingctl.output.progress import progress
from lingctl.output.questions import confirm
from lingctl.output.screen.terminal import conversation, say
from lingctl.output.verbs.plans import plan_details, print_plan, rows_left_out


@dataclass(frozen=True, slots=True)
class Terminal:
    """Shows plans and progress on standard error, and asks there."""

    yes: bool = False  # they agreed beforehand
    differences: bool = False  # those of the files are shown with a plan, and nothing is asked

    def progress(self) -> AbstractContextManager[Listener]:
        """Progress as ``output.progress`` shows it."""
        return progress()

    def show(self, proposal: Proposal[Any]) -> None:
        """Print what is planned: the conversation before a change."""
        if proposal.heading:
            say(proposal.heading)
        print_findings(proposal.findings, above=Verdict.NOTE, console=conversation())
        for line in proposal.instead:
            say(line)
        if not proposal.instead:
            asks = not (self.yes or self.differences)
            print_plan(proposal.plan, differences=self.differences, wanted=proposal.wanted, short=asks)
        for remark in proposal.remarks:
            say(remark)

    def agrees(self, proposal: Proposal[Any]) -> bool:
        """Ask. Raises UsageError: nobody is there to ask; names the command to type."""
        cut = not proposal.instead and rows_left_out(proposal.plan) > 0
        details = partial(plan_details, proposal.plan, proposal.differences, rows=cut)
        some = cut or proposal.plan.differences or proposal.differences
        return confirm(proposal.question, yes=self.yes, differences=details if some else None)
