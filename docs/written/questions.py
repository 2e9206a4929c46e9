"""The page of open questions, from their file: docs/hardware.md."""

from __future__ import annotations

from docs.written.tables import table
from lingctl.flows.accept.open_questions import OpenQuestion, open_questions

_HEAD = """\
# What only hardware can tell

Nothing of lingctl ran on an Ascend card: nobody who writes it has one. These are the questions that are open
for it, with where each came up. A report of [`lingctl accept`](how-to/accept.md) answers those whose part was
judged on a cluster of that kind, and says which; the figures stand in `lessons.json` beside it, without names
and addresses, which you may look at and send, or not.

Written from `lingctl/flows/accept/open_questions.toml`; a number is never used twice.
"""


def questions_page() -> str:
    """The page."""
    head = ("number", "question", "where it came up", "answered by the part, on")
    rows = [(str(one.number), one.question, one.source, _answered(one)) for one in open_questions()]
    return "\n".join([_HEAD, *table(head, rows)])


def _answered(one: OpenQuestion) -> str:
    of = [one.engine, one.model, f"{one.nodes} nodes" if one.nodes > 1 else ""]
    of += [f"{one.ranks} cards" if one.ranks > 1 else "", "not privileged" if one.unprivileged else ""]
    on = ", ".join(word for word in of if word) or "any"
    return f"*{one.part}*, {on}" if one.part else f"no report; {one.how}"
