"""check-network where nodes have cores of their own: what they cost is time that passes, and no computing.

One process is all nodes. It answers each command of a node after the time that a node would take: that of the
command here with tools of no time, and ``--latency`` for each call of hccn_tool, one after the other. No
figure of a real hccn_tool is known: the latencies are assumptions. A login costs such a server less than
sshd, to the advantage of the README's loops, which log in seven times to each node.

    python benchmarks/quick_nodes.py --nodes 2,8,16 --latency 0.05,0.1,0.2
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import check_network
from check_network import BASTION, BASTION_PORT, PORT, Cluster
from clients.peers import peers
from rows import Row, Runs, in_turns, table

SERVER = Path(__file__).parent / "clients" / "answering_nodes.py"
# An answer's clock is that of the moment; `date` is run once only.
# More nodes than this are not asked by the loops: they take as long again for each node.
MOST_LOOPS = 8
DATE = "#!/bin/sh\necho 1000000000.000000000\n"


@contextlib.contextmanager
def quick_nodes(count: int, latency: float, python: Path) -> Iterator[Cluster]:
    """So many nodes while the block runs; ``python`` has asyncssh."""
    with check_network.prepared(count, 'printf . >>"$CALLS"') as nodes:
        date = nodes.directory / "bin" / "date"
        date.write_text(DATE)
        date.chmod(0o755)
        words = [python, SERVER, nodes.directory, f"{latency:g}", f"{PORT}", *nodes.addresses]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                if server.stdout.readline().strip() != "ready":
                    raise SystemExit(f"no nodes: is port {PORT} free?")
                yield nodes
            finally:
                server.terminate()


@contextlib.contextmanager
def behind_bastion(nodes: Cluster) -> Iterator[Path]:
    """A hosts.yaml of the same nodes, reached over an OpenSSH server alone, while the block runs."""
    directory = nodes.directory
    config = directory / "ssh_config"
    config.write_text(
        f"Host bastion\n  HostName {BASTION}\n  Port {BASTION_PORT}\n  User root\n"
        f"  IdentityFile {directory}/id\n  UserKnownHostsFile {directory}/known_hosts\n"
        "Host 127.88.*\n  ProxyJump bastion\n"
    )
    hosts = directory / "behind.yaml"
    hosts.write_text(nodes.hosts.read_text().replace("ssh: {", f"ssh: {{config: {config}, "))
    with check_network.sshd(nodes, BASTION, BASTION_PORT):
        yield hosts


def answered_once(nodes: Cluster, *contenders: check_network.Contender) -> None:
    """Let each contender ask once, untimed: from then on what it asks is known and answered by the clock."""
    for contender in contenders:
        contender(nodes, nodes.directory / "log")


def over_bastion(hosts: Path) -> check_network.Contender:
    """check-network by the hosts.yaml of ``behind_bastion``."""
    return functools.partial(check_network.check_network, hosts=hosts)


def beside_loops(
    count: int, latency: float, python: Path, loops: list[float], seconds: float
) -> Iterator[Row]:
    """check-network of nodes with cores of their own, beside the README's loops, run once.

    Args:
        loops: seconds of the loops by node, of those that were run before.
    """
    with quick_nodes(count, latency, python) as nodes:
        log, ours = nodes.directory / "log", check_network.check_network
        answered_once(nodes, ours)
        runs = in_turns({"lingctl": lambda: ours(nodes, log).wall}, seconds, 3)
        if count <= MOST_LOOPS:
            answered_once(nodes, check_network.readme_loops)
            loops.append(check_network.readme_loops(nodes, log).wall / count)
        yield _against(loops, count, latency, runs)


def _against(loops: list[float], count: int, latency: float, runs: Runs) -> Row:
    once = "once" if count <= MOST_LOOPS else "by their seconds a node above"
    work = f"check-network, {count} nodes with cores of their own, tools of {latency:g} s"
    ours = runs.median("lingctl")
    return Row(work, ours, "s", f"README's loops, {once}", loops[-1] * count, len(runs.values["lingctl"]))


def wide(count: int, latency: float, python: Path, loops: list[float], seconds: float) -> Iterator[Row]:
    """Many nodes with cores of their own, beside the loops and pdsh; and the same behind one bastion."""
    with (
        quick_nodes(count, latency, python) as nodes,
        behind_bastion(nodes) as hosts,
    ):
        contenders = {
            "lingctl": check_network.check_network,
            "behind one bastion": over_bastion(hosts),
            "pdsh, the same probe": check_network.pdsh,
        }
        if not shutil.which("pdsh"):
            del contenders["pdsh, the same probe"]
        costs = dict[str, list[check_network.Cost]]()
        answered_once(nodes, *contenders.values())

        def timed(name: str) -> float:
            costs.setdefault(name, []).append(contenders[name](nodes, nodes.directory / "log"))
            return costs[name][-1].wall

        runs = in_turns({name: functools.partial(timed, name) for name in contenders}, seconds)
        used = Runs({name: [cost.cpu for cost in costs[name]] for name in contenders})
        work = f"{count} nodes with cores of their own, tools of {latency:g} s"
        if loops:
            yield _against(loops, count, latency, runs)
        yield runs.row(f"check-network, the whole check, {work}", "lingctl", "pdsh, the same probe")
        yield used.row("the same, client's processor", "lingctl", "pdsh, the same probe")
        yield runs.row(f"check-network behind one bastion, {work}", "behind one bastion", "lingctl")
        yield used.row("the same, client's processor", "behind one bastion", "lingctl")


def main() -> None:
    """Time check-network beside the README's loops, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", default="2,8,16", help="numbers of nodes")
    parser.add_argument("--latency", default="0.05,0.1,0.2", help="seconds of a call of hccn_tool")
    options = parser.parse_args()
    python = peers() / "python"
    os.environ["PYTHONPATH"] = str(check_network.ROOT)
    rows = list[Row]()
    for latency in map(float, options.latency.split(",")):
        loops = list[float]()
        for count in map(int, options.nodes.split(",")):
            rows += beside_loops(count, latency, python, loops, 60)
    print(table(rows))


if __name__ == "__main__":
    main()
