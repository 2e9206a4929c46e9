"""Process 1 of a node of the lab: builds its root, then starts a real OpenSSH server and Docker engine.

Started by ``unshare`` as ``python -m tests.cluster.lab_node DIR NAME``. The root is built by the sandbox, so
the emulated Ascend tools lie where the real ones do.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from lingctl.sandbox.mounts import PRIVATE, REC, mount
from lingctl.sandbox.node.first_process import MANAGERS
from lingctl.sandbox.node.tool_server import start_tools
from lingctl.sandbox.root import Show, enter_root
from lingctl.sandbox.state import STATE

SSHD = """\
Port 22
HostKey /etc/ssh/host
PidFile /run/sshd.pid
AuthorizedKeysFile /etc/ssh/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
Subsystem sftp internal-sftp
"""
DOCKERD = (
    "/usr/sbin/dockerd",
    "--iptables=false",
    "--bridge=none",
    "--exec-root=/run/docker",
    "--pidfile=/run/docker.pid",
    "--add-runtime=lab=/.sandbox/runtime",
    "--default-runtime=lab",
)


def main() -> None:
    directory, name = Path(sys.argv[1]), sys.argv[2]
    own = directory / "nodes" / name
    plan = json.loads((own / "plan.json").read_text())
    while not (own / "go").exists():
        time.sleep(0.01)
    mount("none", Path("/"), "none", REC | PRIVATE)
    subprocess.run(["mount", "-o", "loop", str(own / "disk"), str(own / "mnt")], check=True)
    cards = [f"davinci{card}" for card in range(plan["cards"])]
    devices = [Show(Path("/dev/null"), Path("/dev") / device) for device in (*cards, *MANAGERS)]
    shown = [
        Show(directory / "state", STATE),
        Show(directory / "image.tar", Path("/.sandbox/image.tar"), read_only=True),
        Show(directory / "model", Path("/.sandbox/model"), read_only=True),
        Show(Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup")),
        Show(own / "told", Path("/.sandbox/told")),
        Show(own / "mnt", Path("/var/lib/lingctl")),
        Show(Path(__file__).with_name("runtime.py"), Path("/.sandbox/runtime"), read_only=True),
    ]
    enter_root(own / "root", own / "usr-local", devices, shown)
    socket.sethostname(name)
    shutil.copytree("/.sandbox/model", f"/root/models/{plan['folder']}", dirs_exist_ok=True)
    for words in (
        ["link", "set", "lo", "up"],
        *(["addr", "add", f"{address}/16", "dev", "eth0"] for address in plan["addresses"]),
        ["link", "set", "eth0", "up"],
    ):
        subprocess.run(["ip", *words], check=True)
    start_tools()
    _start_sshd()
    start_docker()
    Path("/.sandbox/told/up").touch()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        with contextlib.suppress(ChildProcessError, InterruptedError):
            os.wait()
            continue
        time.sleep(0.2)


def _start_sshd() -> None:
    if not Path("/var/run").exists():
        Path("/var/run").symlink_to("/run")
    Path("/run/sshd").mkdir(parents=True, exist_ok=True)
    Path("/etc/ssh/sshd_config").write_text(SSHD)
    with Path("/etc/passwd").open("a") as passwd:
        passwd.write("sshd:x:74:74::/run/sshd:/usr/sbin/nologin\n")
    subprocess.run(["/usr/sbin/sshd", "-f", "/etc/ssh/sshd_config", "-E", "/var/log/sshd.log"], check=True)


def start_docker() -> None:
    """Start the engine and wait until it answers, with the image loaded."""
    with Path("/var/log/dockerd.log").open("ab") as log:
        subprocess.Popen(DOCKERD, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + 30
    while subprocess.run(["docker", "version"], capture_output=True).returncode:
        if time.monotonic() > deadline:
            raise TimeoutError("dockerd does not answer")
        time.sleep(0.1)
    reference = json.loads(Path("/.sandbox/told/plan").read_text())["image"]
    if subprocess.run(["docker", "image", "inspect", reference], capture_output=True).returncode:
        subprocess.run(["docker", "load", "-i", "/.sandbox/image.tar"], check=True, capture_output=True)


if __name__ == "__main__":
    main()
