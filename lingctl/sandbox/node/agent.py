"""Acts on a node's faults: what has to happen on the node itself when something breaks or heals."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Set
from dataclasses import replace
from functools import partial
from pathlib import Path

from lingctl.sandbox.mounts import BIND, mount, unmount
from lingctl.sandbox.node.effects import EFFECTS
from lingctl.sandbox.node.host_files import hccn_conf, show_on_bus
from lingctl.sandbox.state import STATE, NodeState, load_node, update_node

_POLL_SECONDS = 0.05


class Agent(threading.Thread):
    """Watches the node's state and makes the node match it.

    Args:
        name: the node.
        servers: pids of what serves SSH and the tools: with the node's power they are not ended.
        orders: socket on which the server takes orders.
    """

    def __init__(self, name: str, servers: Set[int], orders: socket.socket) -> None:
        super().__init__(daemon=True)
        self._name = name
        self._servers = servers
        self._orders = orders
        self._listeners: dict[int, socket.socket] = {}
        self._was: dict[str, str] = {}

    def run(self) -> None:
        """Look every few hundredths of a second."""
        path, seen = STATE / f"{self._name}.json", 0
        while True:
            changed = path.stat().st_mtime_ns
            if changed != seen:
                seen = changed
                try:
                    self._look()
                except OSError:
                    # An effect that fails must not end the agent: `break` reports that nothing was applied.
                    traceback.print_exc(file=sys.stderr)
            time.sleep(_POLL_SECONDS)

    def _look(self) -> None:
        node = load_node(self._name)
        wanted = [card.id for card in node.cards if card.present]
        _set_cards(node, wanted)
        if node.faults != self._was:
            self._act(node)
            self._was = dict(node.faults)
        if node.applied != sorted(node.faults):
            update_node(self._name, partial(replace, applied=sorted(node.faults)))

    def _act(self, node: NodeState) -> None:
        faults = node.faults
        self._set_frozen(False)
        for name, effect in EFFECTS.items():
            if (name in faults) != (name in self._was) or faults.get(name) != self._was.get(name):
                effect(node, faults.get(name))
        if "conf-missing" not in faults:
            Path("/etc/hccn.conf").write_text(hccn_conf(node.cards))
        ports = {int(part) for part in faults.get("port-taken", "").split(",") if part}
        self._take_ports(ports, node.address)
        if "power-off" in faults and "power-off" not in self._was:
            _kill_all(spare={os.getpid(), *self._servers})
        self._order("other" if "wrong-host-key" in faults else "host")
        self._order("close" if {"unreachable", "power-off"} & set(faults) else "open")
        self._set_frozen("silent" in faults)

    def _order(self, order: str) -> None:
        self._orders.send(order.encode())
        self._orders.recv(16)

    def _take_ports(self, ports: set[int], address: str) -> None:
        for port in set(self._listeners) - ports:
            self._listeners.pop(port).close()
        for port in ports - set(self._listeners):
            self._listeners[port] = socket.create_server((address, port))

    def _set_frozen(self, frozen: bool) -> None:
        for pid in _others():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)


def _others() -> list[int]:
    """Every process of the node but this one."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if int(path.name) != os.getpid()]


def _kill_all(spare: Set[int]) -> None:
    for pid in _others():
        if pid not in spare:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _set_cards(node: NodeState, wanted: list[int]) -> None:
    for card in node.cards:
        show_on_bus(card)
        device = Path("/dev") / f"davinci{card.id}"
        if card.id in wanted and not device.exists():
            device.touch()
            mount("/dev/null", device, "none", BIND)
        elif card.id not in wanted and device.exists():
            with contextlib.suppress(OSError):
                unmount(device)
            device.unlink()
