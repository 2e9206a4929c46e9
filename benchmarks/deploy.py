"""Time of a full and of a no-change deploy against ansible and pyinfra, on the same emulated nodes.

All three place the same files and run the same container; lingctl also checks the network, starts MindIE, and
waits until it answers, which the others are not asked to. Run where a sandbox can be started:

    python benchmarks/deploy.py --nodes 1 2 8 --tools /path/to/venv/bin

``--tools`` names a folder with ansible-playbook and pyinfra (pip install ansible-core pyinfra); without it
lingctl is measured alone. Figures of no-change runs are medians of ``--rounds``. The machine is shared with
the nodes, so only ratios count.
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
from pathlib import Path

import yaml

LINGCTL = [sys.executable, "-m", "lingctl"]
CONTAINER = "bench"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tools", type=Path)
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    rows = [row for count in wanted.nodes for row in measure(count, wanted.rounds, wanted.tools)]
    print(f"{'nodes':>5}  {'tool':<8}  {'full s':>8}  {'no change s':>11}")
    for row in rows:
        print(f"{row['nodes']:>5}  {row['tool']:<8}  {row['full']:>8.2f}  {row['no_change']:>11.2f}")
    if wanted.out:
        wanted.out.write_text(json.dumps(rows, indent=1) + "\n")


def measure(count: int, rounds: int, tools: Path | None) -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory(prefix="lingctl-bench-") as scratch:
        work = Path(scratch)
        sandbox = work / "sandbox"
        shape = ["--nodes", str(count), "--devices", "1", "--time-scale", "0.001"]
        run([*LINGCTL, "sandbox", "up", "--dir", str(sandbox), *shape])
        try:
            return list(_measured(work, sandbox / "hosts.yaml", count, rounds, tools))
        finally:
            run([*LINGCTL, "sandbox", "down", "--dir", str(sandbox)])


def _measured(work: Path, hosts: Path, count: int, rounds: int, tools: Path | None):
    lingctl = [*LINGCTL, "deploy", "--nodes", str(hosts), "--yes", "--no-smoke-test"]
    full = timed(lingctl)
    yield _row("lingctl", count, full, [timed(lingctl) for _ in range(rounds)])
    if tools is None:
        return
    run([*LINGCTL, "check-network", "--nodes", str(hosts), "--save", str(work / "facts")], check=False)
    run([*LINGCTL, "render", "--nodes", str(hosts), "--from", str(work / "facts"), "-o", str(work / "files")])
    overlay = Path(__file__).resolve().parents[1] / "atb_patches" / "bailing_moe"
    shutil.copytree(overlay, work / "overlay", ignore=shutil.ignore_patterns("__pycache__"))
    cluster = yaml.safe_load(hosts.read_text())
    for tool, write in (("ansible", _ansible), ("pyinfra", _pyinfra)):
        command, environment = write(work, cluster, tools)
        full = timed(command, environment)
        yield _row(tool, count, full, [timed(command, environment) for _ in range(rounds)])


def _row(tool: str, nodes: int, full: float, again: list[float]) -> dict[str, object]:
    return {
        "tool": tool,
        "nodes": nodes,
        "full": full,
        "no_change": statistics.median(again),
    }


def _ansible(work: Path, cluster: dict, tools: Path) -> tuple[list[str], dict[str, str]]:
    ssh = cluster["ssh"]
    lines = ["[all]"]
    for node in cluster["nodes"]:
        lines.append(
            f"{node['name']} ansible_host={node['address']} ansible_port={ssh['port']} ansible_user=root"
        )
    (work / "inventory").write_text("\n".join(lines) + "\n")
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
    (work / "play.yaml").write_text(yaml.safe_dump(play, sort_keys=False))
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
        str(work / "inventory"),
        str(work / "play.yaml"),
    ], environment


def _pyinfra(work: Path, cluster: dict, tools: Path) -> tuple[list[str], dict[str, str]]:
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
    (work / "inventory.py").write_text(f"nodes = {nodes!r}\n")
    names = [p.name for p in sorted((work / "files" / cluster["nodes"][0]["name"]).iterdir())]
    (work / "deploy.py").write_text(
        "from pyinfra import host\n"
        "from pyinfra.operations import files, server\n"
        f"for name in {names!r}:\n"
        f"    source = f'{work}/files/{{host.data.node}}/{{name}}'\n"
        "    files.put(src=source, dest=f'/opt/bench-p/release/{name}', mode='640')\n"
        f"files.sync(src='{work}/overlay', dest='/opt/bench-p/overlay', mode='640')\n"
        f"there = 'docker inspect {CONTAINER}-p >/dev/null 2>&1'\n"
        f"server.shell(commands=[there + ' || {_docker_run(cluster, 'pyinfra', '-p')}'])\n"
    )
    return [str(tools / "pyinfra"), "-y", str(work / "inventory.py"), str(work / "deploy.py")], {}


def _docker_run(cluster: dict, label: str, suffix: str = "") -> str:
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
