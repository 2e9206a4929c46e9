"""Acts on a node's faults: what has to happen on the node itself when something breaks or heals."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from lingctl.sandbox.mounts import BIND, mount, unmount
from lingctl.sandbox.state import NodeState, load_node, update_node

_TOOL = Path("/usr/local/Ascend/driver/tools/hccn_tool")
_HIDDEN = _TOOL.with_name(".hccn_tool")
_DISKS = (Path("/var/lib/lingctl"), Path("/root/models"))
_BALLAST = ".ballast"
_POLL_SECONDS = 0.05


class Agent(threading.Thread):
    """Watches the node's state and makes the node match it."""

    def __init__(self, name: str, server: int) -> None:
        super().__init__(daemon=True)
        self._name = name
        self._server = server
        self._listener: socket.socket | None = None

    def run(self) -> None:
        """Look every few hundredths of a second."""
        seen = ""
        while True:
            node = load_node(self._name)
            now = repr((node.faults, [(card.id, card.present) for card in node.cards]))
            if now != seen:
                self._act(node)
                applied = sorted(node.faults)
                update_node(self._name, partial(replace, applied=applied))
                seen = now
            time.sleep(_POLL_SECONDS)

    def _act(self, node: NodeState) -> None:
        faults = node.faults
        _set_tool("tool-missing" not in faults)
        for disk in _DISKS:
            _set_full(disk, "disk-full" in faults)
        self._take_port(int(faults["port-taken"] or 1025) if "port-taken" in faults else None, node.address)
        _set_cards(node)
        # The server process alone decides about "unreachable" and "wrong-host-key"; a frozen one cannot.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._server, signal.SIGSTOP if "silent" in faults else signal.SIGCONT)

    def _take_port(self, port: int | None, address: str) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if port is not None:
            self._listener = socket.create_server((address, port))


def _set_tool(present: bool) -> None:
    source, target = (_HIDDEN, _TOOL) if present else (_TOOL, _HIDDEN)
    if source.exists():
        source.rename(target)


def _set_full(disk: Path, full: bool) -> None:
    ballast = disk / _BALLAST
    if not full:
        ballast.unlink(missing_ok=True)
    elif not ballast.exists():
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * size)


def _set_cards(node: NodeState) -> None:
    for card in node.cards:
        device = Path("/dev") / f"davinci{card.id}"
        if card.present and not device.exists():
            device.touch()
            mount("/dev/null", device, "none", BIND)
        elif not card.present and device.exists():
            with contextlib.suppress(OSError):
                unmount(device)
            device.unlink()
