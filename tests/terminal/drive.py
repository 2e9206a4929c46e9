"""Small programs that show progress or ask, by name; tests look at them on a terminal."""

from __future__ import annotations

import select
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from lingctl.events import Event
from lingctl.flows.look.status.cluster_status import NodeStatus
from lingctl.flows.run.proposal import Proposal
from lingctl.output.person import Terminal
from lingctl.output.progress import progress
from lingctl.output.questions import confirm
from lingctl.output.screen.terminal import answer, say
from lingctl.output.tables import print_table
from lingctl.output.verbs.status import watch_status
from lingctl.plan import Plan, Stage, Step
from tests.unit.output.test_tables import SPARE, STATUS, nodes


def notes() -> None:
    """Notes and steps of many nodes from as many threads."""

    def node(name: str) -> None:
        for number in range(20):
            listener(Event(f"step {number}", "started", name))
            listener(Event("said", "note", name, f"note {number}"))
            listener(Event(f"step {number}", "done", name))

    with progress() as listener:
        threads = [threading.Thread(target=node, args=(f"node{number}",)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    say("all said")


def crowd() -> None:
    """More under way than there are lines; ends when a line is typed."""
    with progress() as listener:
        for number in range(100):
            listener(Event("load the model", "started", f"node{number}"))
        listener(Event("write config.json", "failed", "node7", "the disk is full: " + "x" * 200))
        sys.stdin.readline()
    say("over")


def rack() -> None:
    """64 nodes that load: some have, two failed, one is slow; ends when a line is typed."""
    with progress() as listener:
        for number in range(1, 65):
            listener(Event("load the model", "started", f"node{number}"))
        for number in range(1, 21):
            listener(Event("load the model", "done", f"node{number}"))
        for number in (33, 44):
            listener(Event("load the model", "failed", f"node{number}", "the card's memory is full"))
        for number in range(45, 65):
            done = 10**9 if number == 50 else 3 * 10**9
            listener(Event("load the model", "progress", f"node{number}", done=done, total=4 * 10**9))
        sys.stdin.readline()
    say("over")


def long_names() -> None:
    """Steps of nodes with long names, with and without numbers; ends when a line is typed."""
    with progress() as listener:
        listener(Event("ready", "started"))
        listener(
            Event("load the model of the primary", "started", "rack-17-unit-4", "last log line: warm-up")
        )
        listener(Event("download", "progress", "机架七服务器一", done=5 * 10**9, total=10**10))
        sys.stdin.readline()
    say("over")


def library() -> None:
    """Something else prints to standard error meanwhile, as libraries do."""
    with progress() as listener:
        listener(Event("load", "started", "node1"))
        print("a warning of a library", file=sys.stderr)
        sys.stdin.readline()
    say("over")


def hostile() -> None:
    """A node's text that would switch the terminal over."""
    with progress() as listener:
        listener(Event("look", "note", "node1", "\x1b[?1049h\x1b[31mred\x07"))
        listener(Event("look", "failed", "node1", "\x1b[?25l"))
    answer("\x1b[?1049hanswer\x1b[31m")
    say("over")


def answer_meanwhile() -> None:
    """Standard output is a file; progress is shown on the terminal."""
    with progress() as listener, Path(sys.argv[2]).open("w") as file:
        sys.stdout = file
        listener(Event("load", "started", "node1"))
        answer("the answer")
    say("over")


def watch() -> None:
    """Three looks at so many nodes; each is over when a file of its number is there."""

    def looks() -> Iterator[list[NodeStatus]]:
        for number, word in enumerate(("loading", "running", "dead")):
            yield [NodeStatus(f"node{node + 1}", True, "running", word) for node in range(int(sys.argv[2]))]
            while not Path(sys.argv[3], str(number)).exists():
                time.sleep(0.02)

    watch_status("sandbox", looks(), "", 2, as_json=False)
    answer("over")


def table() -> None:
    """A table of so many nodes."""
    print_table(STATUS, nodes(int(sys.argv[2]), sys.argv[3]), spare=SPARE)


def question() -> None:
    """One question; says what was understood. ``late``: once something was typed."""
    if "late" in sys.argv:
        say("not yet")
        select.select([sys.stdin], [], [])
    say(f"agreed: {confirm('Do this?', yes=False)}")


def differing() -> None:
    """A question about a hundred nodes, which each write a line of their own into a file."""
    text = "@@\n+of {node}\n" + "\n".join(f"+line {number}" for number in range(40))
    steps = [
        Step(Stage.FILES, f"node{n}", "write x", "change", "missing", difference=text.format(node=f"node{n}"))
        for n in range(100)
    ]
    proposal: Proposal[None] = Proposal(command="", question="Do this?", plan=Plan(tuple(steps)))
    person = Terminal()
    person.show(proposal)
    say(f"agreed: {person.agrees(proposal)}")


if __name__ == "__main__":
    {
        "notes": notes,
        "crowd": crowd,
        "rack": rack,
        "long": long_names,
        "library": library,
        "hostile": hostile,
        "answer": answer_meanwhile,
        "question": question,
        "differing": differing,
        "table": table,
        "watch": watch,
    }[sys.argv[1]]()
