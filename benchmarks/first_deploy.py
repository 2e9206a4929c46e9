"""What a first deploy's time is made of, without the engine's own.

    python benchmarks/first_deploy.py --nodes 2 8

Deploys to fresh emulated nodes from within Python, as docs/how-to/from-python.md shows, and cuts the time at
the events that it is told. Loading the model is the emulated engine's own and stands apart. The machine is
shared with the nodes: read the shares.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

LINGCTL = [sys.executable, "-m", "lingctl"]
OWN = "the engine's own"
# What a stretch of time belongs to, by the task that ends it; what no line names is a step of the plan.
PARTS = {
    "connect": "logging in",
    "ask the node": "checks of nodes and network",
    "ping the other cards": "checks of nodes and network",
    "look at the nodes": "the nodes' state, and the plan",
    "load the model": OWN,
}


class Clock:
    """Adds up the time between events, by what the later one ends."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self._last, self._lock = time.monotonic(), threading.Lock()

    def cut(self, part: str) -> None:
        """What passed since the last cut belongs to ``part``."""
        with self._lock:
            now = time.monotonic()
            self.parts[part] = self.parts.get(part, 0.0) + now - self._last
            self._last = now


def one_deploy(hosts: Path) -> dict[str, float]:
    """Seconds of each part of a deploy in this process, its start included."""
    clock = Clock()
    from lingctl.events import Event
    from lingctl.flows.change.deploy import deploy
    from lingctl.flows.run.person import Unattended
    from lingctl.inventory.load import load_cluster

    clock.cut("the start of the program")
    stage = ["before"]

    def tell(event: Event) -> None:
        if event.state == "started" and event.task == "start the daemon":
            clock.cut("the overlay is looked at in the container")
        elif event.state == "started" and stage[0] == "looked" and event.task != "connect":
            stage[0] = "changing"
            clock.cut("the lock, and whether anything changed since the plan")
        elif event.state == "done":
            if event.task == "look at the nodes":
                stage[0] = "looked"
            if event.task == "load the model":
                stage[0] = "loaded"
            proof = stage[0] == "loaded" and event.task != "load the model"
            clock.cut("the proof" if proof else PARTS.get(event.task, f"step: {without_id(event.task)}"))

    deploy(load_cluster(hosts), Unattended(listener=tell))
    clock.cut("the proof")
    return clock.parts


def without_id(task: str) -> str:
    """A task's name without what is another in each run."""
    return re.sub(r" \d{8}-\S+", "", task)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, nargs="+", default=[2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.one:
        for part, seconds in one_deploy(wanted.one).items():
            print(f"{seconds:.4f}\t{part}")
        return
    for count in wanted.nodes:
        runs = [fresh(count) for _ in range(wanted.rounds)]
        parts = {part: statistics.median(run.get(part, 0.0) for run in runs) for part in runs[0]}
        ours = sum(seconds for part, seconds in parts.items() if part != OWN)
        print(
            f"\n{count} nodes, median of {wanted.rounds}: {ours:.2f} s, and {parts.get(OWN, 0.0):.2f} s {OWN}"
        )
        for part, seconds in sorted(parts.items(), key=lambda one: -one[1]):
            if part != OWN:
                print(f"| {part} | {seconds:.2f} s | {seconds / ours:.0%} |")


def fresh(count: int) -> dict[str, float]:
    """The parts of one first deploy on nodes that nobody touched."""
    with tempfile.TemporaryDirectory(prefix="lingctl-bench-") as scratch:
        sandbox = ["sandbox", "{}", "--dir", f"{scratch}/sandbox"]
        shape = ["--nodes", str(count), "--devices", "1", "--time-scale", "0.001"]
        up, down = ([one.format(verb) for one in sandbox] for verb in ("up", "down"))
        subprocess.run([*LINGCTL, *up, *shape], check=True, capture_output=True)
        try:
            again = [sys.executable, __file__, "--one", f"{scratch}/sandbox/hosts.yaml"]
            done = subprocess.run(again, check=True, capture_output=True, text=True)
        finally:
            subprocess.run([*LINGCTL, *down], check=True, capture_output=True)
    lines = (line.split("\t") for line in done.stdout.splitlines())
    return {part: float(seconds) for seconds, part in lines}


if __name__ == "__main__":
    main()
