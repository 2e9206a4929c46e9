"""A lab: a few nodes on a bridge, each a namespace with its own address, sshd, Docker engine and root.

Only the Ascend tools and the MindIE daemon are emulated. The machine's own network is not touched: bridge and
nodes lie in namespaces that end with the lab.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lingctl.sandbox.docker.images import make_image
from lingctl.sandbox.engine.tiny_models.kept import kept_checkpoint
from lingctl.sandbox.interpreter import places
from lingctl.sandbox.keys import make_key
from lingctl.sandbox.node.host_files import write_host_files
from lingctl.sandbox.state import Card, ClusterState, NodeState, save_cluster
from tests import forked
from tests.cluster.lab_node import DOCKERD

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "Ling_plus"
# What a package of podman puts there, and runc as the lab's Docker engine has it.
PODMAN = {
    "policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}',
    "registries.conf": "",
    "storage.conf": '[storage]\ndriver = "overlay"\nrunroot = "/run/containers/storage"\n'
    'graphroot = "/var/lib/containers/storage"\n',
    "containers.conf": '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "lab"\n'
    '[engine.runtimes]\nlab = ["/.sandbox/runtime"]\n',
}
# Not /usr/sbin: docker puts its init there.
_HOST_PARTS = ("/usr/bin", "/usr/lib", "/usr/lib64", "/usr/share")

_UNSHARE = ("unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child=KILL")


def why_not() -> str:
    """Why this machine cannot run a lab, or nothing."""
    if os.geteuid() != 0:
        return "a lab of network namespaces needs root"
    for program in (
        "/usr/sbin/dockerd",
        "/usr/bin/docker",
        "/usr/sbin/runc",
        "/usr/sbin/sshd",
        "/usr/bin/unshare",
    ):
        if not Path(program).exists():
            return f"{program} is not installed: apt-get install docker.io openssh-server"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True, text=True
    )
    return f"this kernel does not let us make namespaces: {tried.stderr.strip()}" if tried.returncode else ""


@dataclass
class Lab:
    """A running lab.

    Attributes:
        directory: everything of it; on a real disk, because overlay file systems do not stack.
        nodes: number of nodes.
        cards: cards on each.
    """

    directory: Path
    nodes: int = 2
    cards: int = 2
    pids: dict[str, int] = field(default_factory=dict)
    _client: subprocess.Popen[bytes] | None = None
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return [f"node{number}" for number in range(1, self.nodes + 1)]

    @property
    def hosts(self) -> Path:
        return self.directory / "hosts.yaml"

    def address(self, name: str) -> str:
        return f"10.77.1.{name.removeprefix('node')}"

    # -- life

    def up(self) -> None:
        self.directory.mkdir(parents=True)
        image = self._make_image()
        kept_checkpoint(self.directory / "model", "plus", "safetensors")
        states = [self._state(number) for number in range(1, self.nodes + 1)]
        save_cluster(ClusterState("mindie", "1.0.0", "plus", 0.02, states), self.directory / "state")
        self._client = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], start_new_session=True)
        theirs, ours = Path(f"/proc/{self._client.pid}/ns/net"), Path("/proc/self/ns/net")
        while theirs.readlink() == ours.readlink():
            time.sleep(0.01)
        for words in (
            "link set lo up",
            "link add br0 type bridge forward_delay 0 stp_state 0",
            "addr add 10.77.0.1/16 dev br0",
            "link set br0 up",
        ):
            self.ip(words)
        public = make_key(self.directory / "key", "lab")
        known = ""
        for state in states:
            own = self._write_node(state, states, public, image)
            known += f"{state.address} {make_key(own / 'root/etc/ssh/host', state.name)}\n"
        (self.directory / "known_hosts").write_text(known)
        self.write_hosts()
        for name in self.names:
            self.boot(name)
        for name in self.names:
            self.await_up(name)

    def down(self) -> None:
        for name in list(self._processes):
            self.power_off(name)
        if self._client is not None:
            self._client.kill()
            self._client.wait()
        deadline = time.monotonic() + 10
        while True:
            try:
                shutil.rmtree(self.directory)
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def boot(self, name: str) -> None:
        """Switch a node on; ``await_up`` waits for it."""
        own = self.directory / "nodes" / name
        for mark in (own / "go", own / "told/up", own / "root/run/docker.pid", own / "root/run/sshd.pid"):
            mark.unlink(missing_ok=True)
        log = (own / "log").open("ab")
        process = subprocess.Popen(
            [*_UNSHARE, sys.executable, "-m", "tests.cluster.lab_node", str(self.directory), name],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self._processes[name] = process
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        deadline = time.monotonic() + 10
        while not (found := children.read_text().split()):
            assert time.monotonic() < deadline and process.poll() is None, (own / "log").read_text()
            time.sleep(0.01)
        self.pids[name] = int(found[0])
        # The same hardware address after a reboot, as a real card has.
        mac = f"02:77:00:00:00:{int(name.removeprefix('node')):02x}"
        self.ip(f"link add {name} type veth peer name eth0 address {mac} netns {found[0]}")
        self.ip(f"link set {name} master br0 up")
        (own / "go").touch()

    def await_up(self, name: str) -> None:
        own = self.directory / "nodes" / name
        deadline = time.monotonic() + 60
        while not (own / "told/up").exists():
            assert time.monotonic() < deadline and self._processes[name].poll() is None, (
                own / "log"
            ).read_text()
            time.sleep(0.05)

    def power_off(self, name: str) -> None:
        """As when the power fails: no goodbye on the wire, no process ends well."""
        self.ip(f"link set {name} down", check=False)
        with self._processes.pop(name) as process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pids.pop(name), signal.SIGKILL)
            process.wait(10)
        self.ip(f"link del {name}", check=False)

    # -- what a test does to it

    def ip(self, words: str, *, check: bool = True) -> None:
        self._net("ip", words, check=check)

    def _net(self, program: str, words: str, *, check: bool = True) -> None:
        assert self._client is not None
        enter = ["nsenter", f"--net=/proc/{self._client.pid}/ns/net", program]
        subprocess.run([*enter, *words.split()], check=check, capture_output=True)

    def cut(self, name: str) -> None:
        self.ip(f"link set {name} down")

    def mend(self, name: str) -> None:
        self.ip(f"link set {name} up")

    @contextlib.contextmanager
    def slow(self, name: str) -> Iterator[None]:
        """What is sent to a node trickles in, 20 kB/s, while the block runs."""
        self._net("tc", f"qdisc add dev {name} root tbf rate 160kbit burst 4kb latency 5s")
        try:
            yield
        finally:
            self._net("tc", f"qdisc del dev {name} root")

    def freeze(self, name: str) -> None:
        """Every process of a node stands still; its kernel still acknowledges packets."""
        self._signal_all(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self._signal_all(name, signal.SIGCONT)

    def _signal_all(self, name: str, number: signal.Signals) -> None:
        space = Path(f"/proc/{self.pids[name]}/ns/pid").readlink()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (process / "ns/pid").readlink() == space:
                    os.kill(int(process.name), number)

    def root(self, name: str) -> Path:
        """The node's file system, from the outside."""
        return Path(f"/proc/{self.pids[name]}/root")

    def on(self, name: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program on a node, without SSH."""
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
        }
        enter = ["nsenter", "--all", "--target", str(self.pids[name]), "--", *words]
        return subprocess.run(
            enter, env=environment, check=check, capture_output=True, text=True, timeout=120
        )

    def stop_docker(self, name: str) -> None:
        self.on(name, "sh", "-c", "kill $(cat /run/docker.pid)")
        self._await(lambda: not (self.root(name) / "run/docker.pid").exists())

    def start_docker(self, name: str) -> None:
        self.on(name, "sh", "-c", f"setsid {' '.join(DOCKERD)} >>/var/log/dockerd.log 2>&1 </dev/null &")
        self._await(lambda: self.on(name, "docker", "version", check=False).returncode == 0)

    def add_podman(self, name: str) -> None:
        """Set podman up on a node, beside its Docker engine, with the image loaded."""
        folder = self.root(name) / "etc/containers"
        folder.mkdir()
        for file, text in PODMAN.items():
            (folder / file).write_text(text)
        (self.root(name) / "var/tmp").mkdir(exist_ok=True)
        self.on(name, "podman", "load", "-i", "/.sandbox/image.tar")

    def _await(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 40
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def start(self, *words: str, hosts: Path | None = None) -> subprocess.Popen[str]:
        """Start lingctl in the lab's network."""
        assert self._client is not None
        environment = {**os.environ, "LINGCTL_NODES": str(hosts or self.hosts), "NO_COLOR": "1"}
        return forked.start(
            *words,
            network=f"/proc/{self._client.pid}/ns/net",
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def lingctl(
        self, *words: str, hosts: Path | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run lingctl to its end."""
        process = self.start(*words, hosts=hosts)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise AssertionError(f"lingctl {' '.join(words)} did not end\n{out}\n{err}") from None
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def write_hosts(self, path: Path | None = None, more: str = "", runtime: str = "docker") -> Path:
        """A hosts.yaml; ``more`` is added as it is."""
        mounts = [f"{part}:{part}:ro" for part in _HOST_PARTS]
        mounts += [f"{place}:{place}:ro" for place in places() if not str(place).startswith("/usr/")]
        mounts.append("/.sandbox:/.sandbox")
        cards = ", ".join(str(card) for card in range(self.cards))
        lines = [
            "name: lab",
            "model: Ling-plus",
            'mindie: "1.0.0"',
            f"ssh: {{user: root, key: {self.directory}/key, known_hosts: {self.directory}/known_hosts, "
            "config: none}",
            "timeouts: {start: 60, stop: 20}",
            f"container: {{runtime: {runtime}, extra_mounts: {json.dumps(mounts)}}}",
            "nodes:",
            *(f"  - {{address: {self.address(n)}, name: {n}, devices: [{cards}]}}" for n in self.names),
        ]
        path = path or self.hosts
        path.write_text("\n".join(lines) + "\n" + more)
        return path

    # -- making it

    def _state(self, number: int) -> NodeState:
        cards = [
            Card(
                card,
                f"10.78.{number}.{10 + card}",
                f"10.78.{number}.{10 + card}",
                "255.255.0.0",
                gateway,
                gateway,
            )
            for card in range(self.cards)
            for gateway in ("10.78.255.254",)
        ]
        return NodeState(f"node{number}", self.address(f"node{number}"), f"node{number}", cards)

    def _write_node(self, state: NodeState, states: list[NodeState], public: str, image: str) -> Path:
        own = self.directory / "nodes" / state.name
        write_host_files(own / "root", own / "usr-local", state, states)
        # The emulated docker gives way to the real one.
        (own / "usr-local/bin/docker").unlink()
        # A small disk of its own, which can be full and outlives a reboot.
        disk = own / "disk"
        with disk.open("wb") as file:
            file.truncate(64 * 1024 * 1024)
        subprocess.run(["mkfs.ext4", "-q", str(disk)], check=True)
        for folder in ("told", "root/etc/ssh", "root/var/log", "mnt"):
            (own / folder).mkdir(parents=True, exist_ok=True)
        (own / "root/etc/ssh/authorized_keys").write_text(f"{public} lab\n")
        addresses = [state.address, *(str(card.address) for card in state.cards)]
        plan = {"addresses": addresses, "cards": self.cards, "folder": FOLDER, "image": image}
        (own / "plan.json").write_text(json.dumps(plan))
        (own / "told/plan").write_text(json.dumps(plan))
        return own

    def _make_image(self) -> str:
        """MindIE's emulated image as a tar for ``docker load``, the same id everywhere; gives its name."""
        images = self.directory / "images"
        images.mkdir()
        make_image(images, "mindie", "1.0.0")
        (folder,) = images.iterdir()
        tree = folder / "tree"
        for part in (
            *_HOST_PARTS,
            "/usr/sbin",
            "/etc",
            "/var",
            "/run",
            "/dev",
            "/proc",
            "/sys",
            "/opt",
            "/.sandbox",
        ):
            (tree / part.lstrip("/")).mkdir(parents=True, exist_ok=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            if not (tree / name).exists():
                (tree / name).symlink_to(f"usr/{name}")
        (tree / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
        (tree / "etc/group").write_text("root:x:0:\n")
        layer = self.directory / "layer.tar"
        with tarfile.open(layer, "w") as tar:
            tar.add(tree, arcname=".")
        described = json.loads((folder / "image.json").read_text())
        name = f"{described['name']}:{described['tag']}"
        digest = f"sha256:{hashlib.sha256(layer.read_bytes()).hexdigest()}"
        config = {
            "architecture": "amd64" if platform.machine() == "x86_64" else "arm64",
            "os": "linux",
            "config": {"Env": described["env"]},
            "rootfs": {"type": "layers", "diff_ids": [digest]},
        }
        (self.directory / "config.json").write_text(json.dumps(config))
        manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
        (self.directory / "manifest.json").write_text(json.dumps(manifest))
        with tarfile.open(self.directory / "image.tar", "w") as tar:
            for part in ("layer.tar", "config.json", "manifest.json"):
                tar.add(self.directory / part, arcname=part)
        return name
