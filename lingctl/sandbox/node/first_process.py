"""Process 1 of an emulated node: builds its root, serves SSH, acts on faults, reaps orphans."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import time
from pathlib import Path

from lingctl.sandbox.layout import DISKS, SSH_PORT, Layout
from lingctl.sandbox.mounts import NOSUID, die_with_parent, mount, unmount
from lingctl.sandbox.node.agent import Agent
from lingctl.sandbox.node.tool_server import start_tools
from lingctl.sandbox.root import Show, enter_root
from lingctl.sandbox.state import STATE, NodeState, load_node
from lingctl.sandbox.vllm.installation import ENVIRONMENT

MANAGERS = ("davinci_manager", "hisi_hdc", "devmm_svm")
_CHECKPOINT, _KEYS = Path("/.sandbox/checkpoint"), Path("/.sandbox/keys")


def run(layout: Layout, name: str, told: int) -> None:
    """Become the node; returns never.

    Args:
        layout: the sandbox's directory.
        name: the node's name.
        told: descriptor to write the name to once the node is up.
    """
    die_with_parent()
    node = load_node(name, layout.state)
    own = layout.node(name)
    names = [f"davinci{card.id}" for card in node.cards if card.present] + list(MANAGERS)
    devices = [Show(Path("/dev/null"), Path("/dev") / device) for device in names]
    shown = [
        Show(layout.state, STATE),
        Show(layout.images, Path("/.sandbox/images"), read_only=True),
        Show(layout.checkpoint, _CHECKPOINT),
        Show(own / "keys", _KEYS),
    ]
    if layout.vllm.exists():
        # Its scripts name other paths; only its packages are used.
        shown.append(Show(layout.vllm.resolve(), ENVIRONMENT, read_only=True))
    enter_root(own / "root", own / "usr-local", devices, shown)
    socket.sethostname(node.hostname)
    _make_disks()
    _make_docker_socket()
    tools = start_tools(told)
    server, control = _start_server(node, told)
    Agent(node.name, {server, tools}, control).start()
    os.write(told, f"{name}\n".encode())
    os.close(told)
    _reap_for_ever()


def _make_disks() -> None:
    for path, size in DISKS.values():
        path.mkdir(parents=True, exist_ok=True)
        mount("tmpfs", path, "tmpfs", NOSUID, f"mode=755,size={size}")
    for model in (_CHECKPOINT / "on-nodes").read_text().split():
        shutil.copytree(_CHECKPOINT / model, DISKS["models"][0] / model)
    unmount(_CHECKPOINT)


def _make_docker_socket() -> None:
    """By its presence one sees that docker is used on a node; the emulated one needs no connection to it."""
    path = Path("/run/docker.sock")
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(path))


def _start_server(node: NodeState, told: int) -> tuple[int, socket.socket]:
    """The SSH server as a process of its own; gives its pid and the socket that it takes orders on."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server = os.fork()
    if server == 0:
        ours.close()
        os.close(told)
        die_with_parent()
        # Only here: what the tools are forked from stays small, and so do they.
        from lingctl.sandbox.node.ssh_server import serve

        serve(node.address, SSH_PORT, _KEYS, theirs)
        os._exit(0)
    theirs.close()
    ours.recv(16)
    unmount(_KEYS)
    return server, ours


def _reap_for_ever() -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        with contextlib.suppress(ChildProcessError, InterruptedError):
            os.wait()
            continue
        time.sleep(1.0)
