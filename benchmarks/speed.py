"""All that an operator waits for, and what others take for it, in one run: a table for docs/performance.md.

    python benchmarks/speed.py

Medians of five interleaved runs, fewer where a part has used up its share of ``--minutes``; how many is told.
Contenders run one after the other on one machine, which is also that of the nodes: read the ratios. What it
is timed beside is made ready at the first run, in ~/.cache/lingctl-peers.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import check_network
import deploy
import quick_nodes
import yaml
from clients.peers import CACHE, peers
from rows import Row, Runs, in_turns, machine, table
from slow_link import slow_link

MODEL = Path(__file__).parent / "clients" / "model_server.py"
LINGCTL = [sys.executable, "-m", "lingctl"]
ROUND_TRIP = 0.2
TOOL_SECONDS = 0.05
BARE = """
import typer
app = typer.Typer()
@app.command()
def one(): pass
@app.command()
def two(): pass
app()
"""


def network(count: int, latency: float, seconds: float) -> Iterator[Row]:
    """check-network beside pdsh and ansible, on nodes that share two cores with it."""
    with check_network.cluster(count, latency) as nodes:
        log, costs = nodes.directory / "log", dict[str, list[check_network.Cost]]()

        def timed(name: str, contender: check_network.Contender) -> Callable[[], float]:
            def run() -> float:
                costs.setdefault(name, []).append(contender(nodes, log))
                return costs[name][-1].wall

            return run

        found = check_network.contenders(slowest=False)
        if count > 8:
            found.pop("ansible raw, the same probe", None)
        runs = in_turns({name: timed(name, one) for name, one in found.items()}, seconds)
        ours, probe, pdsh = "lingctl check-network", "lingctl, the same probe", "pdsh, the same probe"
        yield runs.row(f"check-network, same script, {count} nodes", probe, pdsh)
        yield runs.row(f"check-network, the whole check, {count} nodes", ours, pdsh)
        if "ansible raw, the same probe" in found:
            yield runs.row(f"check-network, same script, {count} nodes", probe, "ansible raw, the same probe")
        used = Runs({name: [cost.cpu for cost in costs[name]] for name in costs})
        yield used.row(f"check-network, client's processor, {count} nodes", ours, pdsh)
        most = max(cost.megabytes for cost in costs[ours])
        yield Row(f"check-network, client's memory, {count} nodes", most, "MB", runs=len(costs[ours]))


def one_look() -> Row:
    """Processor of a node for check-network of eight cards; each tool is a program that does nothing."""
    with tempfile.TemporaryDirectory() as scratch:
        for tool in ("hccn_tool", "npu-smi", "docker"):
            (Path(scratch) / tool).symlink_to("/bin/true")
        path = {"PATH": f"{scratch}:/usr/sbin:/usr/bin:/sbin:/bin"}

        def look() -> float:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(
                ["sh", "-c", check_network.the_probe()], env={**os.environ, **path}, capture_output=True
            )
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

        return in_turns({"look": look}, 60).row(
            "node's processor for one look, 8 cards, tools of 0 s", "look"
        )


@contextmanager
def sandbox(work: Path, count: int) -> Iterator[Path]:
    """Emulated nodes while the block runs; yields their hosts.yaml."""
    place = work / "sandbox"
    shape = ["--nodes", str(count), "--devices", "1", "--time-scale", "0.001"]
    deploy.run([*LINGCTL, "sandbox", "up", "--dir", str(place), *shape])
    try:
        yield place / "hosts.yaml"
    finally:
        deploy.run([*LINGCTL, "sandbox", "down", "--dir", str(place)])


def deploys(count: int, tools: Path, seconds: float) -> Iterator[Row]:
    """A deploy with nothing to change beside ansible's and pyinfra's, near and far; status and smoke-test."""
    with (
        tempfile.TemporaryDirectory(prefix="lingctl-bench-") as scratch,
        sandbox(Path(scratch), count) as hosts,
    ):
        work = Path(scratch)
        near = yaml.safe_load(hosts.read_text())
        far = deploy._moved(near, work / "known_hosts")
        writers = {
            "lingctl": deploy._lingctl,
            "ansible": lambda place, cluster: deploy._ansible(place, cluster, tools),
            "pyinfra": lambda place, cluster: deploy._pyinfra(place, cluster, tools),
        }
        for part in ("near", "far"):
            (work / part).mkdir()
        full = {}
        for name, write in writers.items():
            if name == "ansible":
                deploy._prepare_files(work, hosts)
            full[name] = deploy.timed(*write(work / "near", near))
        yield Row(f"first deploy until it answers, {count} nodes", full["lingctl"], "s", "ansible, files and "
                  "container alone", full["ansible"])  # fmt: skip

        def runs_of(part: str, cluster: deploy.Row, share: float, most: int) -> Runs:
            jobs = {name: write(work / part, cluster) for name, write in writers.items()}
            return in_turns({n: lambda j=job: deploy.timed(*j) for n, job in jobs.items()}, share, most)

        close = runs_of("near", near, seconds, 5)
        for other in ("pyinfra", "ansible"):
            yield close.row(f"deploy, nothing to change, {count} nodes", "lingctl", other)
        addresses = [node["address"] for node in near["nodes"]]
        with slow_link(ROUND_TRIP, far["ssh"]["port"], near["ssh"]["port"], addresses) as counted:
            away = runs_of("far", far, 1, 1)
            # The link counts those of who keeps one connection to each node; it is the first to run.
            ours = float(counted())
        trips = {n: [max(0.0, away.median(n) - close.median(n)) / ROUND_TRIP] for n in writers}
        trips["lingctl"] = [ours]
        for other in ("pyinfra", "ansible"):
            yield Runs(trips).row(f"the same, round trips, {count} nodes", "lingctl", other, "")
        verbs = {
            verb: lambda v=verb: deploy.timed([*LINGCTL, v, "--nodes", str(hosts)])
            for verb in ("status", "smoke-test")
        }
        others = in_turns(verbs, 60)
        for verb in verbs:
            yield others.row(f"{verb}, {count} nodes", verb)


def smoke_test() -> Row:
    """smoke-test's whole ladder beside the time that the service itself computed answers meanwhile."""
    with subprocess.Popen([sys.executable, MODEL], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}"
            busy = list[float]()

            def ladder() -> float:
                took = deploy.timed([*LINGCTL, "smoke-test", "--url", url])
                with urllib.request.urlopen(f"{url}/busy") as answer:
                    busy.append(json.load(answer)["seconds"])
                return took

            runs = in_turns({"lingctl": ladder}, 20, 3)
        finally:
            server.terminate()
    runs.values["the service's own time"] = busy
    return runs.row("smoke-test, whole ladder, tokens of 30 ms", "lingctl", "the service's own time")


def helps() -> Row:
    """The start of the program beside that of a typer program of two commands."""
    with tempfile.TemporaryDirectory() as scratch:
        bare = Path(scratch) / "bare.py"
        bare.write_text(BARE)
        runs = in_turns(
            {
                "lingctl": lambda: deploy.timed([*LINGCTL, "--help"]),
                "bare typer": lambda: deploy.timed([sys.executable, str(bare), "--help"]),
            },
            60,
            9,
        )
        return runs.row("lingctl --help", "lingctl", "bare typer")


def main() -> None:
    """Measure all, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=12.0, help="about how long it may take")
    parser.add_argument("--peers", type=Path, default=CACHE, help="where the others are, or are made")
    parser.add_argument(
        "--only",
        nargs="*",
        default=[],
        help="parts: look help smoke network own-cores deploy",
    )
    options = parser.parse_args()
    tools = peers(options.peers)
    os.environ["PATH"] = f"{tools}:{os.environ['PATH']}"
    # lingctl is run by its module, from wherever this is started.
    os.environ["PYTHONPATH"] = str(check_network.ROOT)
    minute = 60 * options.minutes / 12
    loops = list[float]()
    parts: dict[str, Callable[[], Iterator[Row]]] = {
        "look": lambda: iter([one_look()]),
        "help": lambda: iter([helps()]),
        "smoke": lambda: iter([smoke_test()]),
        "network 8": lambda: network(8, 0.02, minute),
        "network 64": lambda: network(64, 0.02, 1.5 * minute),
        "network 256": lambda: network(256, 0.02, minute),
        **{
            f"own-cores {count}": functools.partial(
                quick_nodes.beside_loops, count, TOOL_SECONDS, tools / "python", loops, minute / 2
            )
            for count in (2, 8, 16)
        },
        "own-cores wide": lambda: quick_nodes.wide(64, TOOL_SECONDS, tools / "python", loops, minute),
        "deploy 2": lambda: deploys(2, tools, minute),
        "deploy 8": lambda: deploys(8, tools, minute),
    }
    load, begun, rows = os.getloadavg(), time.monotonic(), list[Row]()
    for name, part in parts.items():
        if not options.only or name.split()[0] in options.only or name in options.only:
            rows += part()
    took = (time.monotonic() - begun) / 60
    loads = f"load average {load[0]:.1f} before, {os.getloadavg()[0]:.1f} after"
    print(f"{machine()}; {loads}; {took:.1f} minutes\n")
    print(table(rows))


if __name__ == "__main__":
    main()
