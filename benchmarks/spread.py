"""How long weights take from one node to all others: lingctl's chain against plain scp from that node.

Every node is a real OpenSSH server on a loopback address with disks of its own, in a network namespace that
ends with this program. Each node may send no more than its network card could (``--card``, by tc), so that
the figures show the shape that real machines have: scp from one node sends everything through that node's
card, a chain sends through every card at once. In turns in one run:

- scp: one node after the other, as deployment guides do it;
- scp, all at once: to all nodes side by side;
- rsync over the same ssh, one node after the other, where it is installed;
- lingctl: ``download --source node``, start, SHA-256 of every file, modes and manifest included.

Beside seconds stand the processor seconds of all machines together, for each GB that arrived.

    python benchmarks/spread.py                  # 2, 4 and 8 nodes, 128 MB, cards of 50 MB/s
    python benchmarks/spread.py --veth --nodes 2 --megabytes 1600 --files 8      # without a limit

With ``--veth`` each node has a network of its own with a virtual card on one bridge, as fast as the
processors can be: what a card of 25 Gbit/s and more would leave to them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import random
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.weights.ssh_nodes import MODELS, SshNodes, running, why_not  # noqa: E402  (needs the path above)

FOLDER = "Ling_lite"
SUBNET = 60
CIPHER = "aes128-gcm@openssh.com"
INSIDE = "LINGCTL_BENCH_SPREAD"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", default="2,4,8", help="numbers of nodes")
    parser.add_argument("--megabytes", type=int, default=128, help="size of the weights")
    parser.add_argument("--files", type=int, default=4, help="number of files of weights")
    parser.add_argument("--card", type=int, default=50, help="MB/s that a node may send; 0 for no limit")
    parser.add_argument("--veth", action="store_true", help="virtual cards without a limit")
    parser.add_argument("--only", default="", help="ways, with commas between; all where nothing is said")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    arguments = parser.parse_args()
    if why_not():
        sys.exit(why_not())
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    counts = [int(word) for word in arguments.nodes.split(",")]
    shape_network(max(counts), 0 if arguments.veth else arguments.card)
    if not shutil.which("rsync"):
        say("rsync is not installed: apt-get install rsync")
    with metered() as meter:
        show_head(arguments)
        rows = []
        for count in counts:
            rows.append(measure(count, arguments, meter))
            show(rows[-1])
    if arguments.json:
        arguments.json.write_text(json.dumps({"options": vars(arguments), "rows": rows}, default=str))


class Meter:
    """Processor seconds of this process and all that it began, also of what outlives its parents."""

    def __init__(self, group: Path | None) -> None:
        self._group = group

    def seconds(self) -> float:
        """Since some beginning; not a number where the system does not tell."""
        if self._group is None:
            return math.nan
        if (self._group / "cpuacct.usage").exists():
            return int((self._group / "cpuacct.usage").read_text()) / 1e9
        fields = dict(line.split() for line in (self._group / "cpu.stat").read_text().splitlines())
        return int(fields["usage_usec"]) / 1e6


@contextlib.contextmanager
def metered() -> Iterator[Meter]:
    """Processor time in a control group of our own: nodes' programs are nobody's children in the end."""
    first = Path("/sys/fs/cgroup/cpuacct")
    group = (first if first.is_dir() else Path("/sys/fs/cgroup")) / f"lingctl-spread-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as error:
        say(f"no processor seconds: {error}")
        yield Meter(None)
        return
    try:
        yield Meter(group)
    finally:
        (group.parent / "cgroup.procs").write_text(str(os.getpid()))
        with contextlib.suppress(OSError):  # a program of a node may still be ending
            group.rmdir()


def shape_network(nodes: int, card: int) -> None:
    """Loopback of this namespace alone, where each node's address sends at the speed of a card."""
    run("ip", "link", "set", "lo", "up")
    if not card:
        return
    run("tc", "qdisc", "add", "dev", "lo", "root", "handle", "1:", "htb")
    for number in range(1, nodes + 1):
        rate = ("rate", f"{card * 8}mbit", "burst", "512k", "quantum", "60000")
        run("tc", "class", "add", "dev", "lo", "parent", "1:", "classid", f"1:{number}", "htb", *rate)
        match = ("u32", "match", "ip", "src", f"127.{SUBNET}.0.{number}/32", "flowid", f"1:{number}")
        run("tc", "filter", "add", "dev", "lo", "parent", "1:", "protocol", "ip", *match)


def measure(count: int, arguments: argparse.Namespace, meter: Meter) -> dict[str, object]:
    """Of each way to fill ``count - 1`` nodes, the medians of seconds and of processor seconds a GB."""
    ways = {"scp": scp_in_turn, "scp at once": scp_at_once, "rsync": rsync_in_turn, "lingctl": lingctl}
    wanted = arguments.only.split(",") if arguments.only else list(ways)
    ways = {name: ways[name] for name in wanted if name != "rsync" or shutil.which("rsync")}
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    gigabytes = arguments.megabytes * (count - 1) / 1000
    with (
        tempfile.TemporaryDirectory(prefix="lingctl-spread-") as scratch,
        running(Path(scratch), count, SUBNET, cards=arguments.veth) as nodes,
    ):
        make_weights(nodes.nodes[0].disk / FOLDER, arguments.megabytes, arguments.files)
        lingctl(nodes)  # the first run sums the source's files and pushes lingctl's program
        for _ in range(arguments.rounds):
            for name, way in ways.items():
                empty(nodes)
                os.sync()
                used, began = meter.seconds(), time.monotonic()
                way(nodes)
                runs[name].append((time.monotonic() - began, (meter.seconds() - used) / gigabytes))
                prove_equal(nodes)
    made: dict[str, object] = {"nodes": count}
    for name, pairs in runs.items():
        made[name], made[f"{name}, processor"] = (
            statistics.median(column) for column in zip(*pairs, strict=True)
        )
    return made


def make_weights(folder: Path, megabytes: int, files: int) -> None:
    """Random tensors in real safetensors files, with their index."""
    folder.mkdir(parents=True)
    chance = random.Random(1)
    size = megabytes * 1_000_000 // files
    weight_map = {}
    for number in range(1, files + 1):
        name = f"model-{number:05}-of-{files:05}.safetensors"
        weight_map[f"w{number}"] = name
        header = {f"w{number}": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}
        head = json.dumps(header).encode()
        with (folder / name).open("wb") as file:
            file.write(len(head).to_bytes(8, "little") + head)
            for _ in range(size // 1_000_000):
                file.write(chance.randbytes(1_000_000))
            file.write(chance.randbytes(size % 1_000_000))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (folder / "config.json").write_text("{}")


def empty(nodes: SshNodes) -> None:
    for node in nodes.nodes[1:]:
        shutil.rmtree(node.disk / FOLDER, ignore_errors=True)


def ssh_options(nodes: SshNodes) -> list[str]:
    options = [f"BindAddress={nodes.nodes[0].address}", f"UserKnownHostsFile={nodes.directory}/known_hosts"]
    options += ["BatchMode=yes", f"Ciphers={CIPHER}", f"IdentityFile={nodes.directory}/id"]
    return [word for option in options for word in ("-o", option)]


def on_source(nodes: SshNodes) -> list[str]:
    """Words before a command that is to send from the first node, if it has a network of its own."""
    source = nodes.nodes[0]
    return ["nsenter", "--net", f"--target={source.process.pid}"] if source.address.startswith("10.") else []


def scp(nodes: SshNodes, number: int) -> subprocess.Popen[bytes]:
    source, target = nodes.nodes[0], nodes.nodes[number]
    files = [str(path) for path in (source.disk / FOLDER).iterdir() if path.is_file()]
    (target.disk / FOLDER).mkdir()
    goal = f"root@{target.address}:{MODELS}/{FOLDER}/"
    return subprocess.Popen(
        [*on_source(nodes), "scp", "-q", "-P", str(target.port), *ssh_options(nodes), *files, goal]
    )


def rsync_in_turn(nodes: SshNodes) -> None:
    """Whole files, each proved by rsync's own sum; nothing is compressed."""
    source = f"{nodes.nodes[0].disk / FOLDER}/"
    for target in nodes.nodes[1:]:
        (target.disk / FOLDER).mkdir()
        shell = shlex.join(["ssh", "-p", str(target.port), *ssh_options(nodes)])
        goal = f"root@{target.address}:{MODELS}/{FOLDER}/"
        need(subprocess.run([*on_source(nodes), "rsync", "-rW", "-e", shell, source, goal]).returncode)


def scp_in_turn(nodes: SshNodes) -> None:
    for number in range(1, len(nodes.nodes)):
        need(scp(nodes, number).wait())


def scp_at_once(nodes: SshNodes) -> None:
    for process in [scp(nodes, number) for number in range(1, len(nodes.nodes))]:
        need(process.wait())


def lingctl(nodes: SshNodes) -> None:
    words = ["download", "Ling-lite", "--nodes", str(nodes.hosts), "--source", "node", "--json"]
    done = subprocess.run([sys.executable, "-m", "lingctl", *words], capture_output=True, cwd=ROOT)
    need(done.returncode, done.stderr.decode())


def prove_equal(nodes: SshNodes) -> None:
    first = nodes.nodes[0].disk / FOLDER
    for node in nodes.nodes[1:]:
        for path in first.glob("*.safetensors"):
            need(subprocess.run(["cmp", "-s", path, node.disk / FOLDER / path.name]).returncode)


def show_head(arguments: argparse.Namespace) -> None:
    limit = f"{arguments.card} MB/s a card" if arguments.card and not arguments.veth else "no limit"
    load = os.getloadavg()[0]
    say(f"{arguments.megabytes} MB in {arguments.files} files, {limit}, median of {arguments.rounds}")
    say("seconds (processor seconds of all machines together for each GB that arrived)")
    say(f"load of this machine at the start: {load:.1f} on {os.cpu_count()} cores\n")
    say("| nodes | scp, one after the other | scp, all at once | rsync | lingctl | times faster than scp |")
    say("|---|---|---|---|---|---|")


def show(row: dict[str, object]) -> None:
    def cell(name: str) -> str:
        return f"{row[name]:.1f} ({row[f'{name}, processor']:.2f})" if name in row else "-"

    copied = [float(str(row[name])) for name in ("scp", "scp at once") if name in row]
    best = f"{min(copied) / float(str(row['lingctl'])):.1f}" if copied and "lingctl" in row else "-"
    cells = [cell(name) for name in ("scp", "scp at once", "rsync", "lingctl")]
    say(f"| {row['nodes']} | {' | '.join(cells)} | {best} |")


def say(text: str) -> None:
    print(text, flush=True)


def run(*words: str) -> None:
    need(subprocess.run(words, stderr=subprocess.DEVNULL).returncode, " ".join(words))


def need(status: int, said: str = "") -> None:
    if status:
        sys.exit(f"failed with status {status}: {said}")


if __name__ == "__main__":
    main()
