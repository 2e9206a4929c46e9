"""Following a log over a real OpenSSH server."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

import pytest

from lingctl.errors import LingctlError
from lingctl.flows.look.logs import WantedLogs, follow_logs
from lingctl.inventory.sections import Paths
from lingctl.remote.group import Group
from lingctl.remote.ssh.node import SshConnection
from tests.cluster.conftest import Server
from tests.unit.release.conftest import cluster_of


def processes(path: Path) -> str:
    return subprocess.run(["pgrep", "-f", f"tail .*{path}"], capture_output=True, text=True).stdout


def test_lines_come_as_they_are_written_and_nothing_is_left_behind(sshd: Server, tmp_path: Path):
    cluster = cluster_of("node1", paths=Paths(state=str(tmp_path)))
    console = Path(cluster.layout.console)
    console.parent.mkdir(parents=True)
    console.write_text("old 1\nold 2\n")
    group = Group({"node1": SshConnection("node1", sshd.target)})
    heard: list[tuple[str, str]] = []

    def follow() -> None:
        with pytest.raises(LingctlError):  # the connection is closed under it
            follow_logs(
                group, cluster, WantedLogs(lines=1), lambda line: heard.append((line.node, line.text))
            )

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        await_true(lambda: heard == [("node1", "old 2")])
        with console.open("a") as file:
            file.write("new\n")
        await_true(lambda: heard[1:] == [("node1", "new")])
        assert processes(console)
    finally:
        group.close()
        thread.join(20)
    await_true(lambda: not processes(console))


def await_true(true) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
