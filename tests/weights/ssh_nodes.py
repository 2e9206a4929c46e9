"""Several machines on this one: an OpenSSH server on a loopback address each, with disks of its own.

Each server runs in a mount namespace where /srv/weights, /var/lib/lingctl and /etc/hosts are its own. With
``cards`` each also has a network of its own, with a card (veth) on one bridge; the caller has to be in a
network namespace then, whose end takes bridge and cards away.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
# Mounted over in each server's own view; made here if missing.
WEIGHTS, STATE = Path("/srv/weights"), Path("/var/lib/lingctl")
MODELS = WEIGHTS
_BRIDGE = "switch"
_ENTER = """
set -e
mount --make-rprivate /
mount --bind "$1/weights" /srv/weights
mount --bind "$1/state" /var/lib/lingctl
mount --bind "$1/hosts" /etc/hosts
# What this machine's own login files start, a test does not depend on.
[ ! -e ~/.bashrc ] || mount --bind /dev/null ~/.bashrc
[ -z "$3" ] || mount -t tmpfs -o "size=$3,mode=750" tmpfs /srv/weights
if [ -n "$4" ]; then
  until ip link set card up 2>/dev/null; do sleep 0.02; done
  ip link set lo up
  ip address add "$4/24" dev card
fi
exec "$2" -D -e -f "$1/config"
"""


@dataclass
class SshNode:
    """One machine."""

    name: str
    address: str
    port: int
    disk: Path
    names: Path
    process: subprocess.Popen[bytes]


@dataclass
class SshNodes:
    """Several machines, and the hosts.yaml that names them."""

    nodes: list[SshNode]
    hosts: Path
    directory: Path


def why_not() -> str:
    """Why such machines cannot be had here; empty when they can."""
    if not Path(SSHD).exists():
        return "OpenSSH's server is not installed: apt-get install openssh-server"
    if os.geteuid() != 0:
        return "mount namespaces need root"
    return ""


@contextmanager
def running(
    directory: Path,
    count: int,
    subnet: int,
    *,
    model: str = "Ling-lite",
    small: int | None = None,
    cards: bool = False,
) -> Iterator[SshNodes]:
    """Machines 127.<subnet>.0.1 and on while the block runs; number ``small`` has a disk of 8 MB.

    With ``cards`` they are 10.<subnet>.0.1 and on.
    """
    directory.chmod(0o700)
    for name in ("host", "id"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)]
        subprocess.run(command, check=True)
    for path in (WEIGHTS, STATE, Path("/run/sshd")):
        path.mkdir(parents=True, exist_ok=True)
    if cards:
        _ip("link", "add", _BRIDGE, "type", "bridge")
        _ip("address", "add", f"10.{subnet}.0.254/24", "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")
    nodes = [
        _start(
            directory,
            number,
            f"{10 if cards else 127}.{subnet}.0.{number + 1}",
            "8m" if number == small else "",
            cards=cards,
        )
        for number in range(count)
    ]
    try:
        yield SshNodes(nodes, _hosts(directory, nodes, model), directory)
    finally:
        for node in nodes:
            _end(node)
        if cards:
            _ip("link", "delete", _BRIDGE)


def _start(directory: Path, number: int, address: str, disk: str, *, cards: bool) -> SshNode:
    own = directory / f"node{number + 1}"
    for name in ("weights", "state"):
        (own / name).mkdir(parents=True)
    (own / "hosts").write_text("127.0.0.1 localhost hub.test\n")
    port = 2222
    if not cards:
        with socket.create_server((address, 0)) as probe:
            port = int(probe.getsockname()[1])
    (own / "config").write_text(
        f"Port {port}\nListenAddress {address}\nHostKey {directory}/host\nPidFile {own}/pid\n"
        f"AuthorizedKeysFile {directory}/id.pub\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        "PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
    )
    apart = ["unshare", "--mount", *(["--net"] if cards else [])]
    process = subprocess.Popen(
        [*apart, "sh", "-c", _ENTER, "node", str(own), SSHD, disk, address if cards else ""],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    if cards:
        network = Path(f"/proc/{process.pid}/ns/net")
        while network.readlink() == Path("/proc/self/ns/net").readlink():
            assert time.monotonic() < deadline, "it gets no network"
            time.sleep(0.01)
        outer = f"to-{number}"
        _ip("link", "add", outer, "type", "veth", "peer", "name", "card", "netns", str(process.pid))
        _ip("link", "set", outer, "master", _BRIDGE, "up")
    with socket.socket() as probe:
        while probe.connect_ex((address, port)) != 0:
            assert time.monotonic() < deadline and process.poll() is None, "sshd does not come up"
            time.sleep(0.02)
    return SshNode(f"node{number + 1}", address, port, own / "weights", own / "hosts", process)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _hosts(directory: Path, nodes: list[SshNode], model: str) -> Path:
    key = (directory / "host.pub").read_text().strip()
    (directory / "known_hosts").write_text("".join(f"[{node.address}]:{node.port} {key}\n" for node in nodes))
    listed = "".join(
        f"  - name: {node.name}\n    address: {node.address}\n    ssh: {{port: {node.port}}}\n"
        for node in nodes
    )
    hosts = directory / "hosts.yaml"
    hosts.write_text(
        f'name: spread\nmodel: {model}\nmindie: "1.0.0"\nnodes:\n{listed}'
        f"ssh: {{user: root, key: {directory}/id, known_hosts: {directory}/known_hosts, config: none}}\n"
        f"paths: {{models: {MODELS}}}\n"
    )
    return hosts


def _end(node: SshNode) -> None:
    """End the server, and what lingctl left running on this machine in its view."""
    own = Path(f"/proc/{node.process.pid}/ns/mnt")
    view = own.readlink() if node.process.poll() is None else None
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or view is None or int(entry.name) == os.getpid():
            continue
        try:
            if (entry / "ns" / "mnt").readlink() == view:
                os.kill(int(entry.name), 9)
        except OSError:
            continue  # it ended by itself
    node.process.wait(10)
