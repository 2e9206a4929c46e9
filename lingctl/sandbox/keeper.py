"""The process that all nodes of a sandbox hang on: it forks them, and when it ends the kernel ends them.

Started as ``python -m lingctl.sandbox.keeper DIRECTORY`` (``layout.KEEPER``). It reports on standard output,
a JSON document a line, until all nodes are up.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import socket
import sys
import time
from pathlib import Path

from lingctl.errors import SandboxError
from lingctl.sandbox.inventory import write_inventory
from lingctl.sandbox.layout import BLOCKS, SSH_PORT, Layout, claim_address
from lingctl.sandbox.mounts import (
    NEW_IPC,
    NEW_MOUNTS,
    NEW_PIDS,
    NEW_USER,
    NEW_UTS,
    PRIVATE,
    REC,
    join_namespace,
    mount,
    unshare,
)
from lingctl.sandbox.node import first_process as node_process
from lingctl.sandbox.request import Request

_READY_SECONDS = 60.0
_REMEDY = (
    "as root in a container, give it CAP_SYS_ADMIN (docker run --privileged);\n"
    "as an ordinary user: sysctl -w kernel.unprivileged_userns_clone=1 (Debian),\n"
    "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu 24.04 and later), or run it as root"
)


def main() -> None:
    """Become the keeper of a directory that ``up`` has prepared."""
    layout = Layout(Path(sys.argv[1]))
    try:
        _run(layout)
    except SandboxError as error:
        _say({"error": error.what, "evidence": error.evidence, "remedy": error.remedy})
        sys.exit(1)
    except OSError as error:
        _say({"error": "a node could not be built", "evidence": str(error), "remedy": ""})
        sys.exit(1)


def _run(layout: Layout) -> None:
    request = Request(**json.loads(layout.request.read_text()))
    claim, block = _claim_block()
    state = write_inventory(layout, request, block)
    _enter_namespaces()
    # We become process 1 of a space of process ids that holds those of all nodes: they end when we do.
    unshare(NEW_PIDS)
    if os.fork():
        os._exit(0)
    ready, told = os.pipe()
    own_pids = "/proc/self/ns/pid"
    waiting = set()
    for node in state.nodes:
        unshare(NEW_PIDS)
        pid = os.fork()
        if pid == 0:
            claim.close()
            os.close(ready)
            _become_node(layout, node.name, told)
        join_namespace(own_pids, NEW_PIDS)
        waiting.add(node.name)
    os.close(told)
    _wait_for(waiting, ready, layout)
    _say({"ready": True})
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    _reap_for_ever()


def _become_node(layout: Layout, name: str, told: int) -> None:
    log = os.open(layout.node(name) / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    status = 1
    try:
        unshare(NEW_MOUNTS | NEW_IPC | NEW_UTS)
        node_process.run(layout, name, told)
        status = 0
    except (
        BaseException
    ) as error:  # The last frame of a forked process: whatever it is, it is told and ends here.
        with contextlib.suppress(OSError):
            os.write(told, f"{name}!{type(error).__name__}: {error}".replace("\n", " ").encode() + b"\n")
        raise
    finally:
        os._exit(status)


def _claim_block() -> tuple[socket.socket, int]:
    """A block of addresses that no other sandbox uses: the bound port is the claim, and ends with us."""
    for block in random.sample(BLOCKS, len(BLOCKS)):
        claim = socket.socket()
        try:
            claim.bind((claim_address(block), SSH_PORT))
        except OSError:
            claim.close()
            continue
        return claim, block
    raise SandboxError(
        "all address blocks of 127.0.0.0/8 are taken by other sandboxes",
        remedy="take one down: lingctl sandbox down --dir DIR",
    )


def _enter_namespaces() -> None:
    """Mounts of our own; where that takes rights that we lack, in a user namespace of our own."""
    user, group = os.geteuid(), os.getegid()
    try:
        try:
            unshare(NEW_MOUNTS)
        except PermissionError:
            unshare(NEW_USER | NEW_MOUNTS)
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {user} 1")
            Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        mount("none", Path("/"), "none", REC | PRIVATE)
    except OSError as error:
        raise SandboxError(
            "this kernel does not let us make namespaces", evidence=str(error), remedy=_REMEDY
        ) from error


def _wait_for(waiting: set[str], ready: int, layout: Layout) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    text = ""
    while waiting:
        if not select.select([ready], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise SandboxError(f"not up after {_READY_SECONDS:g} s: {', '.join(sorted(waiting))}")
        data = os.read(ready, 65536).decode()
        *lines, text = (text + data).split("\n")
        for line in lines:
            name, failed, problem = line.partition("!")
            if failed:
                log = layout.node(name) / "log"
                raise SandboxError(f"{name} could not be built", evidence=f"{problem} (see {log})")
            waiting.discard(name)
            _say({"node": name})
        if not data:
            raise SandboxError(f"ended while starting: {', '.join(sorted(waiting))}")


def _say(document: dict[str, object]) -> None:
    # Whoever started us may be gone; the sandbox stands all the same.
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(document).encode() + b"\n")


def _reap_for_ever() -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        try:
            os.wait()
        except ChildProcessError:
            # No node is left.
            return


if __name__ == "__main__":
    main()
