"""Time of a full and of a no-change deploy against ansible and pyinfra, on the same emulated nodes.

All three place the same files and run the same container; lingctl also checks the network, starts MindIE, and
waits until it answers, which the others are not asked to. Run where a sandbox can be started:

    python benchmarks/deploy.py --nodes 1 2 8 32 --tools /path/to/venv/bin

``--tools`` names a folder with ansible-playbook and pyinfra (pip install ansible-core pyinfra); without it
lingctl is measured alone. Figures of no-change runs are medians of ``--rounds``. The same run is then timed
over a link whose round trip takes ``--round-trip`` seconds: what it takes longer, divided by that, is the
number of round trips that a run waits for, one after the other, logging in included; lingctl's the link
counts (slow_link.py), which the load of the machine does not change. The machine is shared with the nodes, so
only ratios count.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from slow_link import slow_link

LINGCTL = [sys.executable, "-m", "lingctl"]
CONTAINER = "bench"
Row = dict[str, Any]
Job = tuple[list[str], dict[str, str]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--round-trip", type=float, default=0.2, help="seconds, of the slow link")
    parser.add_argument("--tools", type=Path)
    parser.add_argument("--only", nargs="+", default=["lingctl", "ansible", "pyinfra"], help="contenders")
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    columns = ("full", "no_change", "far_no_change", "round_trips")
    titles = ("full s", "no change s", "far s", "round trips")
    print(f"{'nodes':>5}  {'tool':<8}", *(f"{title:>11}" for title in titles))
    rows = []
    for count in wanted.nodes:
        for row in measure(count, wanted):
            print(f"{count:>5}  {row['tool']:<8}", *(f"{row[key]:>11.2f}" for key in columns), flush=True)
            rows.append(row)
    if wanted.out:
        wanted.out.write_text(json.dumps(rows, indent=1) + "\n")


def measure(count: int, wanted: argparse.Namespace) -> Iterator[Row]:
    """The contenders one after the other on one fresh sandbox."""
    with tempfile.TemporaryDirectory(prefix="lingctl-bench-") as scratch:
        work = Path(scratch)
        sandbox = work / "sandbox"
        shape = ["--nodes", str(count), "--devices", "1", "--time-scale", "0.001"]
        run([*LINGCTL, "sandbox", "up", "--dir", str(sandbox), *shape])
        try:
            yield from _measured(work, sandbox / "hosts.yaml", wanted)
        finally:
            run([*LINGCTL, "sandbox", "down", "--dir", str(sandbox)])


def _measured(work: Path, hosts: Path, wanted: argparse.Namespace) -> Iterator[Row]:
    near = yaml.safe_load(hosts.read_text())
    far = _moved(near, work / "known_hosts")
    addresses = [node["address"] for node in near["nodes"]]
    contenders: dict[str, Callable[[Path, Row], Job]] = {"lingctl": _lingctl}
    if wanted.tools is not None:
        contenders["ansible"] = lambda place, cluster: _ansible(place, cluster, wanted.tools)
        contenders["pyinfra"] = lambda place, cluster: _pyinfra(place, cluster, wanted.tools)
    for tool, write in contenders.items():
        if tool not in wanted.only:
            continue
        if tool != "lingctl" and not (work / "files").exists():
            _prepare_files(work, hosts)
        (work / "near").mkdir(exist_ok=True)
        (work / "far").mkdir(exist_ok=True)
        full = timed(*write(work / "near", near))
        again = [timed(*write(work / "near", near)) for _ in range(wanted.rounds)]
        with slow_link(wanted.round_trip, far["ssh"]["port"], near["ssh"]["port"], addresses) as count:
            over_there = [timed(*write(work / "far", far)) for _ in range(wanted.rounds)]
            # Others keep connections, or make one for each command.
            counted = [count() for _ in range(wanted.rounds)] if tool == "lingctl" else []
        no_change, far_no_change = statistics.median(again), statistics.median(over_there)
        yield {
            "tool": tool,
            "nodes": len(addresses),
            "full": full,
            "no_change": no_change,
            "far_no_change": far_no_change,
            "round_trips": min(counted, default=(far_no_change - no_change) / wanted.round_trip),
        }


def _moved(cluster: Row, known_hosts: Path) -> Row:
    """The same cluster at the slow link's port."""
    port = cluster["ssh"]["port"]
    known_hosts.write_text(
        Path(cluster["ssh"]["known_hosts"]).read_text().replace(f"]:{port}", f"]:{port + 1}")
    )
    return {**cluster, "ssh": {**cluster["ssh"], "port": port + 1, "known_hosts": str(known_hosts)}}


def _prepare_files(work: Path, hosts: Path) -> None:
    """What lingctl would place, for the others to place."""
    # The cards are in use by now, which is a finding; the answers are saved all the same.
    run([*LINGCTL, "check-network", "--nodes", str(hosts), "--save", str(work / "facts")], check=False)
    run([*LINGCTL, "render", "--nodes", str(hosts), "--from", str(work / "facts"), "-o", str(work / "files")])
    overlay = Path(__file__).resolve().parents[1] / "atb_patches" / "bailing_moe"
    shutil.copytree(overlay, work / "overlay", ignore=shutil.ignore_patterns("__pycache__"))


def _lingctl(place: Path, cluster: Row) -> Job:
    hosts = place / "hosts.yaml"
    hosts.write_text(yaml.safe_dump(cluster, sort_keys=False))
    return [*LINGCTL, "deploy", "--nodes", str(hosts), "--yes", "--no-smoke-test"], {}


def _ansible(place: Path, cluster: Row, tools: Path) -> Job:
    work = place.parent
    ssh = cluster["ssh"]
    lines = ["[all]"]
    for node in cluster["nodes"]:
        lines.append(
            f"{node['name']} ansible_host={node['address']} ansible_port={ssh['port']} ansible_user=root"
        )
    (place / "inventory").write_text("\n".join(lines) + "\n")
    tasks = [
        {"file": {"path": f"/opt/bench/{folder}", "state": "directory", "mode": "0750"}}
        for folder in ("release", "overlay")
    ]
    copy = {
        "src": f"{work}/files/{{{{ inventory_hostname }}}}/{{{{ item }}}}",
        "dest": "/opt/bench/release/{{ item }}",
    }
    names = [p.name for p in sorted((work / "files" / cluster["nodes"][0]["name"]).iterdir())]
    tasks.append({"copy": {**copy, "mode": "0640"}, "loop": names})
    tasks.append({"copy": {"src": f"{work}/overlay/", "dest": "/opt/bench/overlay/", "mode": "0640"}})
    tasks.append(
        {
            "command": f"docker inspect {CONTAINER}",
            "register": "seen",
            "failed_when": False,
            "changed_when": False,
        }
    )
    tasks.append({"command": _docker_run(cluster, "ansible"), "when": "seen.rc != 0"})
    play = [{"hosts": "all", "gather_facts": False, "tasks": tasks}]
    (place / "play.yaml").write_text(yaml.safe_dump(play, sort_keys=False))
    environment = {
        "ANSIBLE_PRIVATE_KEY_FILE": ssh["key"],
        "ANSIBLE_SSH_ARGS": f"-o UserKnownHostsFile={ssh['known_hosts']} "
        "-o ControlMaster=auto -o ControlPersist=60s",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_FORKS": "64",
        "ANSIBLE_HOME": str(work / "ansible"),
    }
    return [
        str(tools / "ansible-playbook"),
        "-i",
        str(place / "inventory"),
        str(place / "play.yaml"),
    ], environment


def _pyinfra(place: Path, cluster: Row, tools: Path) -> Job:
    work = place.parent
    ssh = cluster["ssh"]
    nodes = [
        (
            node["address"],
            {
                "ssh_port": ssh["port"],
                "ssh_user": "root",
                "ssh_key": ssh["key"],
                "ssh_known_hosts_file": ssh["known_hosts"],
                "node": node["name"],
            },
        )
        for node in cluster["nodes"]
    ]
    (place / "inventory.py").write_text(f"nodes = {nodes!r}\n")
    names = [p.name for p in sorted((work / "files" / cluster["nodes"][0]["name"]).iterdir())]
    (place / "deploy.py").write_text(
        "from pyinfra import host\n"
        "from pyinfra.operations import files, server\n"
        f"for name in {names!r}:\n"
        f"    source = f'{work}/files/{{host.data.node}}/{{name}}'\n"
        "    files.put(src=source, dest=f'/opt/bench-p/release/{name}', mode='640')\n"
        f"files.sync(src='{work}/overlay', dest='/opt/bench-p/overlay', mode='640')\n"
        f"there = 'docker inspect {CONTAINER}-p >/dev/null 2>&1'\n"
        f"server.shell(commands=[there + ' || {_docker_run(cluster, 'pyinfra', '-p')}'])\n"
    )
    return [str(tools / "pyinfra"), "-y", str(place / "inventory.py"), str(place / "deploy.py")], {}


def _docker_run(cluster: Row, label: str, suffix: str = "") -> str:
    from lingctl.mindie.profile import profile_for

    image = profile_for(cluster["mindie"]).image
    return (
        f"docker run -d --name {CONTAINER}{suffix} --network host --label by={label} {image} sleep infinity"
    )


def timed(command: list[str], environment: dict[str, str] | None = None) -> float:
    begun = time.monotonic()
    run(command, environment)
    return time.monotonic() - begun


def run(command: list[str], environment: dict[str, str] | None = None, *, check: bool = True) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if check and done.returncode != 0:
        said = f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        sys.exit(f"{' '.join(command[:6])}: exit status {done.returncode}\n{said}")


if __name__ == "__main__":
    main()
