"""lingctl on a machine that lacks what Linux alone has, as a Mac does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.cluster.login.test_login import pytestmark as pytestmark
from tests.cluster.login.world import World

# What CPython documents as there on Linux only, or is not there on macOS.
LACKING = {
    "socket": (
        "TCP_QUICKACK TCP_USER_TIMEOUT TCP_DEFER_ACCEPT TCP_CORK TCP_LINGER2 TCP_SYNCNT TCP_WINDOW_CLAMP "
        "SO_PEERCRED SO_BINDTODEVICE SO_MARK AF_NETLINK AF_PACKET AF_ALG AF_VSOCK SOCK_CLOEXEC SOCK_NONBLOCK"
    ),
    "os": (
        "sched_getaffinity sched_setaffinity sched_getparam sched_getscheduler posix_fadvise posix_fallocate "
        "getrandom copy_file_range splice memfd_create eventfd pidfd_open setns unshare getxattr setxattr "
        "listxattr removexattr O_DIRECT O_PATH O_TMPFILE O_NOATIME POSIX_FADV_WILLNEED POSIX_FADV_DONTNEED "
        "getresuid setresuid pipe2 fexecve"
    ),
    "select": "epoll EPOLLIN EPOLLOUT",
    "signal": "SIGRTMIN SIGRTMAX SIGPWR SIGPOLL sigtimedwait sigwaitinfo",
    "time": "CLOCK_BOOTTIME CLOCK_TAI",
    "resource": "prlimit",
    "fcntl": "F_ADD_SEALS F_GET_SEALS F_GETPIPE_SZ F_SETPIPE_SZ",
}
WITHOUT = f"""
import importlib, pkgutil, sys, sysconfig, urllib.request
sysconfig.get_config_vars()  # these two look for parts of the system that runs here
sys.platform = "darwin"
for module, names in {LACKING!r}.items():
    loaded = importlib.import_module(module)
    for name in names.split():
        if hasattr(loaded, name):
            delattr(loaded, name)
"""
IMPORT_ALL = """
import lingctl
for found in pkgutil.walk_packages(lingctl.__path__, "lingctl."):
    if not found.name.startswith("lingctl.sandbox") and not found.name.endswith("__main__"):
        importlib.import_module(found.name)
print("imported")
"""
RUN = """
from lingctl.cli.app import main
sys.argv = ["lingctl", *sys.argv[1:]]
main()
"""


def on_a_mac(text: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + text, *words],
        env={**os.environ, "NO_COLOR": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_module_but_the_sandbox_is_imported():
    done = on_a_mac(IMPORT_ALL)
    assert done.stdout == "imported\n", done.stderr


def test_a_node_is_asked(world: World):
    world.server("bastion")
    world.server()
    world.hosts("ProxyJump bastion")
    world.hosts(name="bastion", server="bastion")
    hosts = world.folder / "hosts.yaml"
    hosts.write_text(
        f"name: demo\nmodel: Ling-lite\nssh: {{config: '{world.file}'}}\n"
        "nodes:\n  - {address: n1, service_address: 127.0.0.1}\n"
    )
    done = on_a_mac(RUN, "check-network", "--mesh", "off", "--nodes", str(hosts), HOME=str(world.folder))
    assert done.returncode == 3, done.stderr
    assert "card-count" in done.stdout and "lingctl itself failed" not in done.stdout + done.stderr


def test_the_sandbox_says_that_it_is_for_linux(tmp_path: Path):
    done = on_a_mac(RUN, "sandbox", "up", "--dir", str(tmp_path / "sandbox"))
    assert done.returncode == 1
    assert "Linux alone" in done.stderr and "Traceback" not in done.stderr
