"""What runs as process 1 of an emulated node: builds its root, serves SSH, acts on faults, reaps orphans.

Started as ``unshare ... python -m lingctl.sandbox.node DIRECTORY NAME``; ending it ends all on the node.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

from lingctl.sandbox.agent import Agent
from lingctl.sandbox.mounts import NOSUID, mount
from lingctl.sandbox.root import enter_root
from lingctl.sandbox.ssh_server import serve
from lingctl.sandbox.state import STATE, load_node

_MANAGERS = ("davinci_manager", "hisi_hdc", "devmm_svm")
PORT = 2222


def main() -> None:
    """Become the node."""
    directory, name = Path(sys.argv[1]), sys.argv[2]
    node = load_node(name, directory / "state")
    own = directory / "nodes" / name
    devices = [Path("/dev") / f"davinci{card.id}" for card in node.cards if card.present]
    devices += [Path("/dev") / manager for manager in _MANAGERS]
    enter_root(
        own / "root",
        own / "usr-local",
        devices,
        {
            STATE: directory / "state",
            Path("/.sandbox/images"): directory / "images",
            Path("/.sandbox/checkpoint"): directory / "checkpoint",
            Path("/.sandbox/keys"): own / "keys",
        },
    )
    socket.sethostname(node.hostname)
    _make_disks()
    server = os.fork()
    if server == 0:
        _die_with_parent()
        serve(node.name, node.address, PORT, Path("/.sandbox/keys"))
        os._exit(0)
    Agent(node.name, server).start()
    _reap_for_ever()


def _make_disks() -> None:
    """Two small disks of their own, so that they can be full for real."""
    for path, size in (("/root/models", "1g"), ("/var/lib/lingctl", "64m")):
        Path(path).mkdir(parents=True, exist_ok=True)
        mount("tmpfs", Path(path), "tmpfs", NOSUID, f"mode=755,size={size}")
    for model in Path("/.sandbox/checkpoint").iterdir():
        if (model / ".on-nodes").exists():
            shutil.copytree(
                model, Path("/root/models") / model.name, ignore=shutil.ignore_patterns(".on-nodes")
            )


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _reap_for_ever() -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        with contextlib.suppress(ChildProcessError, InterruptedError):
            os.wait()
            continue
        signal.pause()


if __name__ == "__main__":
    main()
