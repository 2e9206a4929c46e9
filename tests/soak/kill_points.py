"""Kill lingctl at random points of deploys and rollbacks, and look at every node after each.

Run by ``make kill-points``, not by the tests: it takes long. The lab is that of tests/cluster: real sshd and
Docker. After each kill:

- no file of a release is torn: each is byte for byte that of one of the known releases;
- the lock keeps nobody out: the next command, at once and on the same machine, is never refused;
- what the daemons were started with is one of the known releases, or nothing.

After every few kills, and at the end, a plain deploy must bring all nodes to one whole release that answers.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.cluster.lab import Lab, why_not

STATE = "var/lib/lingctl/lab"
FILES = ("config.json", "environment.sh", "start.sh", "rank_table.json")
WAYS = ("kill -9", "kill -9", "kill -9", "Ctrl-C", "connection cut")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--repair-every", type=int, default=10)
    parser.add_argument(
        "--minutes", type=float, default=120.0, help="end after so long, whatever was reached"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the figures there as JSON")
    wanted = parser.parse_args()
    reason = why_not()
    if reason:
        print(f"not run: {reason}")
        return 0
    lab = Lab(Path(tempfile.mkdtemp(prefix="lingctl-kill-", dir="/var/tmp")) / "lab")
    try:
        lab.up()
        figures = Soak(lab, random.Random(wanted.seed)).run(
            wanted.kills, wanted.repair_every, wanted.minutes * 60
        )
    finally:
        lab.down()
        lab.directory.parent.rmdir()
    print(json.dumps(figures, indent=1))
    if wanted.out:
        wanted.out.write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if figures["broken"] else 0


class Soak:
    """Kills and looks."""

    def __init__(self, lab: Lab, chance: random.Random) -> None:
        self.lab = lab
        self.chance = chance
        self.other = lab.write_hosts(lab.directory / "other.yaml", "serving: {max_batch_size: 7}\n")
        self.known: set[bytes] = set()
        self.started: set[str] = {""}
        self.broken: list[str] = []
        self.killed: Counter[str] = Counter()
        self.longest = 0.0
        self.ended_before = 0
        self.with_lock = 0
        self.told = 0
        self.repairs: list[float] = []

    def run(self, kills: int, repair_every: int, seconds: float) -> dict[str, object]:
        until = time.monotonic() + seconds
        for hosts in (self.lab.hosts, self.other):
            begun = time.monotonic()
            self.must("deploy", "--yes", hosts=hosts)
            self.longest = time.monotonic() - begun
            self.learn()
        repaired = 0
        while (done := sum(self.killed.values())) < kills and time.monotonic() < until:
            self.kill_once()
            self.look(f"kill {done + 1}")
            if sum(self.killed.values()) >= repaired + repair_every:
                repaired = sum(self.killed.values())
                self.repair(f"repair after kill {repaired}")
        self.repair("the last repair")
        return {
            "kills": sum(self.killed.values()),
            "ways": dict(self.killed),
            "runs that ended before the kill": self.ended_before,
            "kills with the lock held": self.with_lock,
            "next runs that told what was half-done": self.told,
            "repairs": len(self.repairs),
            "slowest repair in s": round(max(self.repairs), 1),
            "broken": self.broken,
        }

    def repair(self, when: str) -> None:
        """A plain deploy brings all nodes to one whole release that answers."""
        begun = time.monotonic()
        self.must("deploy", "--yes", hosts=self.chance.choice((self.lab.hosts, self.other)))
        self.repairs.append(time.monotonic() - begun)
        self.must("status")
        self.look(when)
        print(f"{sum(self.killed.values())} kills, {len(self.broken)} broken", file=sys.stderr, flush=True)

    def kill_once(self) -> None:
        words, hosts = self.chance.choice(
            (
                (("deploy", "--yes", "--no-smoke-test"), self.lab.hosts),
                (("deploy", "--yes", "--no-smoke-test"), self.other),
                (("rollback", "--yes", "--no-smoke-test"), self.lab.hosts),
            )
        )
        process = self.lab.start(*words, hosts=hosts)
        locked = self.chance.random() < 0.8 and self.await_lock(process)
        try:
            process.wait(self.chance.uniform(0.0, self.longest / 2 if locked else self.longest))
            self.ended_before += 1
        except subprocess.TimeoutExpired:
            self.end(process, self.chance.choice(WAYS))
            self.with_lock += locked
        _, err = process.communicate(timeout=120)
        self.told += "half-done before" in err
        if process.returncode == 5:
            self.broken.append(f"the lock kept {words[0]} out: {err[-400:]}")
        elif process.returncode >= 0 and ("Traceback" in err or "(internal)" in err):
            self.broken.append(f"a traceback of {words[0]}: {err[-800:]}")

    def await_lock(self, process: subprocess.Popen[str]) -> bool:
        """Wait until the run changes nodes; an older lock of a killed one does not count."""
        lock = self.lab.root("node1") / STATE / "lock"
        before = set(lock.iterdir()) if lock.exists() else set()
        while process.poll() is None:
            with contextlib.suppress(OSError):
                if set(lock.iterdir()) - before:
                    return True
            time.sleep(0.005)
        return False

    def end(self, process: subprocess.Popen[str], way: str) -> None:
        self.killed[way] += 1
        if way == "connection cut":
            name = self.chance.choice(self.lab.names)
            self.lab.on(name, "sh", "-c", "pkill -9 -f 'sshd: root' || true", check=False)
        else:
            os.killpg(process.pid, signal.SIGKILL if way == "kill -9" else signal.SIGINT)

    def must(self, *words: str, hosts: Path | None = None) -> None:
        done = self.lab.lingctl(*words, hosts=hosts, timeout=300)
        if done.returncode != 0:
            self.broken.append(f"{' '.join(words)}: exit {done.returncode}: {done.stderr[-800:]}")

    def learn(self) -> None:
        """A release that was deployed without being disturbed: its files and digests are right."""
        for name in self.lab.names:
            root = self.lab.root(name) / STATE
            self.known |= {(root / "release" / file).read_bytes() for file in FILES}
            self.started.add((root / "run/started").read_text().split()[0])

    def look(self, when: str) -> None:
        for name in self.lab.names:
            root = self.lab.root(name) / STATE
            for file in FILES:
                if (root / "release" / file).read_bytes() not in self.known:
                    self.broken.append(f"{when}: {name} has a torn or unknown {file}")
            path = root / "run/started"
            words = path.read_text().split() if path.exists() else []
            if words and words[0] not in self.started:
                self.broken.append(f"{when}: {name} runs an unknown release {words[0]}")


if __name__ == "__main__":
    sys.exit(main())
