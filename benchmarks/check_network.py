"""check-network beside what else there is: the README's loops over ssh, pdsh, ansible's raw module.

Every node is an OpenSSH server of its own on a loopback address, with an emulated hccn_tool that takes
``--latency`` seconds per call. All contenders run one after the other in one run, on the same machine, and
share its cores with the servers; read the ratios, not the seconds.

    python benchmarks/check_network.py --nodes 1,8,64 --latency 0.02
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lingctl.ascend.questions import questions
from lingctl.ascend.scope import NodeScope, Scope
from lingctl.remote.probe import probe_script, read_answers

ROOT = Path(__file__).resolve().parents[1]
PORT = 2299
BASTION, BASTION_PORT = "127.88.250.1", 2298
CARDS = 8
KEX = "curve25519-sha256"
# Answers as a healthy A2; the node is told by the address that was logged in to.
TOOL = r"""#!/bin/sh
TAKES
set -- "$2" "$3" $SSH_CONNECTION
rest=${5#127.*.} low=${5##*.} third=${rest%%.*}
case $2 in
  -ip) printf 'ipaddr:10.%s.%s.%s\nnetmask:255.0.0.0\n' "$third" "$low" "$(($1 + 1))";;
  -link) echo 'link status: UP';;
  -net_health) echo 'net health status: Success';;
  -netdetect) echo 'netdetect address: 10.255.255.254';;
  -gateway) echo "default gateway:10.255.255.254, Iface:eth$1";;
  -tls) echo "dev_id:$1, tls switch[0](0:disable, 1:enable), tls alarm time threshold[60]days";;
  -lldp) printf 'Port ID TLV\n\tIfname: 400GE1/%s/%s:%s\n' "$third" "$low" "$1";;
  -mtu) echo 'mtu:4200';;
  -speed) echo 'Speed: 200000 Mb/s';;
  -stat) printf 'packet statistics:\nmac_tx_total_pkt_num:1\n';;
  *) echo 'Get unknown option!' >&2; exit 3;;
esac
"""
# The Ling README's loops, one ssh call each, node by node.
README = (
    "for i in 0 1 2 3 4 5 6 7; do hccn_tool -i $i -lldp -g | grep Ifname; done",
    "for i in 0 1 2 3 4 5 6 7; do hccn_tool -i $i -link -g; done",
    "for i in 0 1 2 3 4 5 6 7; do hccn_tool -i $i -net_health -g; done",
    "for i in 0 1 2 3 4 5 6 7; do hccn_tool -i $i -netdetect -g; done",
    "for i in 0 1 2 3 4 5 6 7; do hccn_tool -i $i -gateway -g; done",
    "for i in 0 1 2 3 4 5 6 7; do hccn_tool -i $i -tls -g; done | grep switch",
    "for i in 0 1 2 3 4 5 6 7; do hccn_tool -i $i -ip -g; done",
)


@dataclass(frozen=True)
class Cluster:
    directory: Path
    addresses: list[str]

    @property
    def hosts(self) -> Path:
        return self.directory / "hosts.yaml"

    @property
    def ssh_options(self) -> list[str]:
        return [
            *("-p", str(PORT), "-i", str(self.directory / "id"), "-F", "/dev/null"),
            *("-o", f"UserKnownHostsFile={self.directory}/known_hosts", "-o", f"KexAlgorithms={KEX}"),
            *("-o", "BatchMode=yes", "-o", "GSSAPIAuthentication=no", "-o", "IdentityAgent=none"),
        ]


@dataclass(frozen=True)
class Cost:
    wall: float
    cpu: float
    megabytes: float


@contextlib.contextmanager
def cluster(count: int, latency: float) -> Iterator[Cluster]:
    """So many OpenSSH servers while the block runs, whose hccn_tool sleeps for so many seconds."""
    with prepared(count, f"sleep {latency:g}") as nodes, contextlib.ExitStack() as servers:
        for address in nodes.addresses:
            servers.enter_context(sshd(nodes, address, PORT))
        yield nodes


@contextlib.contextmanager
def prepared(count: int, takes: str) -> Iterator[Cluster]:
    """All that servers of nodes and their clients need, in a folder.

    Args:
        count: how many nodes.
        takes: what hccn_tool does before it answers, as shell text.
    """
    directory = Path(tempfile.mkdtemp(prefix="lingctl-bench-"))
    addresses = [f"127.88.{n // 250 + 1}.{n % 250 + 1}" for n in range(count)]
    try:
        (directory / "bin").mkdir()
        tool = directory / "bin" / "hccn_tool"
        tool.write_text(TOOL.replace("TAKES", takes))
        tool.chmod(0o755)
        for name in ("host", "id"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name], check=True
            )
        shutil.copy(directory / "id.pub", directory / "authorized_keys")
        key = (directory / "host.pub").read_text()
        places = [*((address, PORT) for address in addresses), (BASTION, BASTION_PORT)]
        (directory / "known_hosts").write_text("".join(f"[{a}]:{port} {key}" for a, port in places))
        lines = [f"  - {{name: n{n}, address: {address}}}" for n, address in enumerate(addresses, 1)]
        (directory / "hosts.yaml").write_text(
            "name: bench\nmodel: Ling-lite\n"
            f"ssh: {{user: root, port: {PORT}, key: {directory}/id, known_hosts: {directory}/known_hosts}}\n"
            "nodes:\n" + "\n".join(lines) + "\n"
        )
        yield Cluster(directory, addresses)
    finally:
        shutil.rmtree(directory)


@contextlib.contextmanager
def sshd(nodes: Cluster, address: str, port: int) -> Iterator[None]:
    """An OpenSSH server at an address while the block runs."""
    directory = nodes.directory
    Path("/run/sshd").mkdir(exist_ok=True)
    config = directory / f"sshd-{address}"
    config.write_text(
        f"Port {port}\nListenAddress {address}\nHostKey {directory}/host\nPidFile none\n"
        f"AuthorizedKeysFile {directory}/authorized_keys\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nMaxStartups 100\n"
        f"SetEnv PATH={directory}/bin:{os.environ['PATH']}\n"
    )
    server = subprocess.Popen([shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-f", config])
    try:
        await_server(address, port)
        yield
    finally:
        server.terminate()
        server.wait(10)


def await_server(address: str, port: int) -> None:
    """Return when something listens there."""
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex((address, port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"no SSH server at {address}")


def measured(words: list[str], log: Path, environment: dict[str, str] | None = None) -> Cost:
    """Wall, CPU and largest resident process of a command and all that it started."""
    begun = time.monotonic()
    with log.open("wb") as out:
        child = subprocess.Popen(
            words, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})}
        )
        _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return Cost(time.monotonic() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def the_probe() -> str:
    node = NodeScope("node", tuple(range(CARDS)))
    return probe_script(questions(Scope((node,), disks=("/dev/shm",)), node)).text


def readme_loops(nodes: Cluster, log: Path) -> Cost:
    script = nodes.directory / "readme.sh"
    options = " ".join(nodes.ssh_options)
    calls = [f"ssh {options} root@{address} '{loop}'" for address in nodes.addresses for loop in README]
    script.write_text("\n".join(calls) + "\n")
    cost = measured(["sh", str(script)], log)
    _expect(log.read_text().count("link status: UP"), CARDS * len(nodes.addresses), "README's loops")
    return cost


def pdsh(nodes: Cluster, log: Path) -> Cost:
    # pdsh takes %h and %u for itself, so the script travels encoded.
    encoded = base64.b64encode(the_probe().encode()).decode()
    words = ["pdsh", "-R", "ssh", "-f", "64", "-w", ",".join(f"root@{a}" for a in nodes.addresses)]
    environment = {"PDSH_SSH_ARGS_APPEND": " ".join(nodes.ssh_options)}
    cost = measured([*words, f"echo {encoded} | base64 -d | sh"], log, environment)
    _expect(log.read_text().count("lingctl-end"), len(nodes.addresses), "pdsh")
    return cost


def ansible(nodes: Cluster, log: Path) -> Cost:
    inventory = nodes.directory / "inventory"
    inventory.write_text("\n".join(nodes.addresses) + "\n")
    script = the_probe().replace("{{", "{{ '{{' }}")
    environment = {
        "ANSIBLE_SSH_ARGS": " ".join(nodes.ssh_options),
        "ANSIBLE_FORKS": "64",
        "ANSIBLE_REMOTE_PORT": str(PORT),
        "ANSIBLE_HOME": str(nodes.directory / "ansible"),
    }
    words = ["ansible", "all", "-i", str(inventory), "-u", "root", "-m", "raw", "-a", script]
    cost = measured(words, log, environment)
    _expect(log.read_text().count("lingctl-end"), len(nodes.addresses), "ansible")
    return cost


SAME_PROBE = """
import sys
from pathlib import Path
from lingctl.inventory.load import load_cluster
from lingctl.remote.command import Command
from lingctl.remote.group import connect
probe = Command(Path(sys.argv[2]).read_text())
with connect(load_cluster(Path(sys.argv[1])), wait=False) as group:
    for done in group.all(lambda node: node.run(probe, timeout=600)).values():
        sys.stdout.write(done.stdout)
"""


def same_probe(nodes: Cluster, log: Path) -> Cost:
    script = nodes.directory / "probe.sh"
    script.write_text(the_probe())
    words = [sys.executable, "-c", SAME_PROBE, str(nodes.hosts), str(script)]
    cost = measured(words, log, {"PYTHONPATH": str(ROOT)})
    text = log.read_text()
    _expect(text.count("lingctl-end"), len(nodes.addresses), "the same probe")
    assert read_answers(text).complete
    return cost


def check_network(nodes: Cluster, log: Path, hosts: Path | None = None) -> Cost:
    program = "from lingctl.cli.app import main; main()"
    words = [
        sys.executable,
        "-c",
        program,
        "check-network",
        "--nodes",
        str(hosts or nodes.hosts),
        "--mesh",
        "off",
        "--json",
    ]
    cost = measured(words, log, {"PYTHONPATH": str(ROOT)})
    document = json.loads(log.read_text()[log.read_text().index("{\n") :])
    links = [f for f in document["findings"] if f["check"] == "link" and f["verdict"] in ("pass", "note")]
    _expect(len(links), CARDS * len(nodes.addresses), "check-network")
    return cost


def _expect(seen: int, wanted: int, who: str) -> None:
    if seen != wanted:
        raise SystemExit(f"{who} brought {seen} of {wanted} answers: this run says nothing")


Contender = Callable[[Cluster, Path], Cost]


def contenders(slowest: bool) -> dict[str, Contender]:
    found: dict[str, Contender] = {
        "lingctl check-network": check_network,
        "lingctl, the same probe": same_probe,
    }
    if shutil.which("pdsh"):
        found["pdsh, the same probe"] = pdsh
    if shutil.which("ansible"):
        found["ansible raw, the same probe"] = ansible
    if slowest:
        found["README's loops over ssh"] = readme_loops
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", default="1,8,64", help="numbers of nodes")
    parser.add_argument("--latency", type=float, default=0.02, help="seconds that hccn_tool takes")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, interleaved; the median counts")
    parser.add_argument("--readme-rounds", type=int, default=1, help="rounds of the README's slow loops")
    options = parser.parse_args()
    print(f"hccn_tool: {options.latency:g} s a call; {CARDS} cards a node; {os.cpu_count()} cores for all")
    for count in map(int, options.nodes.split(",")):
        with cluster(count, options.latency) as nodes:
            costs: dict[str, list[Cost]] = {}
            for turn in range(options.rounds):
                for name, contender in contenders(turn < options.readme_rounds).items():
                    log = nodes.directory / "log"
                    costs.setdefault(name, []).append(contender(nodes, log))
        _report(count, costs)


def _report(count: int, costs: dict[str, list[Cost]]) -> None:
    base = statistics.median(cost.wall for cost in next(iter(costs.values())))
    print(f"\n{count} nodes\n")
    print("| contender | wall s | ratio | client CPU s | largest process MB |\n|---|---|---|---|---|")
    for name, runs in costs.items():
        wall, cpu = (statistics.median(getattr(run, what) for run in runs) for what in ("wall", "cpu"))
        print(
            f"| {name} | {wall:.2f} | {wall / base:.2f} | {cpu:.2f} | {max(r.megabytes for r in runs):.0f} |"
        )


if __name__ == "__main__":
    main()
