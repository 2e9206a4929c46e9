"""What faults do to a node's files. Each effect is told the fault's detail, or None once it is healed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from lingctl.sandbox.layout import DISKS
from lingctl.sandbox.mounts import BIND, NOSUID, REMOUNT, mount, unmount
from lingctl.sandbox.node.host_files import driver_version_info
from lingctl.sandbox.state import NodeState

_TOOLS = Path("/usr/local/Ascend/driver/tools")
_BASHRC = Path("/root/.bashrc")


def _tool_missing(node: NodeState, detail: str | None) -> None:
    tool, hidden = _TOOLS / "hccn_tool", _TOOLS / ".hccn_tool"
    source, target = (hidden, tool) if detail is None else (tool, hidden)
    if source.exists():
        source.rename(target)


def _disk_full(node: NodeState, detail: str | None) -> None:
    """A full disk is one that has shrunk to what is on it: nothing has to be written for that."""
    for name, (disk, size) in DISKS.items():
        if detail is not None and detail in ("", name):
            found = os.statvfs(disk)
            size = str((found.f_blocks - found.f_bfree) * found.f_frsize or found.f_frsize)
        mount("tmpfs", disk, "tmpfs", REMOUNT | NOSUID, f"size={size}")


def _login_noise(node: NodeState, detail: str | None) -> None:
    if detail is None:
        _BASHRC.unlink(missing_ok=True)
    else:
        _BASHRC.write_text("echo 'Authorized users only. All activity is monitored.'\n")


def _driver_differs(node: NodeState, detail: str | None) -> None:
    Path("/usr/local/Ascend/driver/version.info").write_text(driver_version_info(node.driver))


def _conf_missing(node: NodeState, detail: str | None) -> None:
    if detail is not None:
        Path("/etc/hccn.conf").unlink(missing_ok=True)


def _root_info_stale(node: NodeState, detail: str | None) -> None:
    """What a tool of an earlier installation left, with addresses that no card has any more."""
    path = Path("/etc/hccl_rootinfo.json")
    if detail is None:
        path.unlink(missing_ok=True)
        return
    devices = [
        {"device_id": str(card.id), "device_ip": f"29.1.0.{card.id + 1}", "rank_id": str(card.id)}
        for card in node.cards
    ]
    server = {"server_id": "29.1.1.1", "device": devices}
    table = {"version": "1.0", "server_count": "1", "server_list": [server], "status": "completed"}
    path.write_text(json.dumps(table))


def _clock_skew(node: NodeState, detail: str | None) -> None:
    """The kernel has no clock of its own for a node; what scripts ask is date(1)."""
    program = Path("/usr/local/bin/date")
    if detail is None:
        program.unlink(missing_ok=True)
        return
    program.write_text(f'#!/bin/sh\nexec /usr/bin/date -d "now {float(detail):+g} seconds" "$@"\n')
    program.chmod(0o755)


def _no_python(node: NodeState, detail: str | None) -> None:
    """A python3 that cannot be run hides each that is there."""
    for place in (Path("/usr/bin/python3"), Path("/usr/local/bin/python3")):
        if detail is None:
            with contextlib.suppress(OSError):
                unmount(place)
        elif place.exists():
            mount("/dev/null", place, "none", BIND)


EFFECTS: Mapping[str, Callable[[NodeState, str | None], None]] = {
    "tool-missing": _tool_missing,
    "disk-full": _disk_full,
    "login-noise": _login_noise,
    "driver-differs": _driver_differs,
    "conf-missing": _conf_missing,
    "root-info-stale": _root_info_stale,
    "clock-skew": _clock_skew,
    "no-python": _no_python,
}
