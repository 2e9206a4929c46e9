"""Builds the root of a node or container: the host's programs read-only, everything else its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lingctl.sandbox.interpreter import HOST_LOCAL, libraries, places
from lingctl.sandbox.mounts import BIND, NOSUID, PRIVATE, REC, bind, change_root, mount

_OWN = (
    "etc",
    "root",
    "home",
    "var",
    "tmp",
    "run",
    "opt",
    "data",
    "dev",
    "proc",
    "sys",
    "mnt",
    "usr",
    ".sandbox",
)
_PROGRAMS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_HOST_ETC = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "ssl")


@dataclass(frozen=True)
class Show:
    """Something of the outside that a new root shows."""

    source: Path  # a file or folder as it is named outside
    target: Path  # absolute path inside
    read_only: bool = False


def enter_root(
    root: Path, usr_local: Path, devices: Iterable[Show], shown: Iterable[Show], shm_size: str = "1g"
) -> None:
    """Make ``root`` this process's root. Needs its own mount namespace, and its own process ids for /proc.

    Args:
        root: folder of the node or container; what is written there stays there.
        usr_local: folder shown as /usr/local.
        devices: device files to show below /dev; one that is not there outside is a stand-in.
        shown: what else is shown.
        shm_size: size of /dev/shm, as tmpfs takes it.
    """
    mount("none", Path("/"), "none", REC | PRIVATE)
    root.mkdir(parents=True, exist_ok=True)
    bind(root, root)
    for name in _OWN:
        (root / name).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    _show_programs(root, usr_local)
    _show_python(root)
    for show in shown:
        bind(show.source, root / str(show.target).lstrip("/"), read_only=show.read_only)
    _make_dev(root / "dev", devices, shm_size)
    mount("proc", root / "proc", "proc", NOSUID)
    change_root(root)


def _show_programs(root: Path, usr_local: Path) -> None:
    bind(Path("/usr"), root / "usr", read_only=True)
    bind(usr_local, root / "usr" / "local")
    for name in _PROGRAMS:
        host = Path("/") / name
        if host.is_symlink() and not (root / name).is_symlink():
            (root / name).symlink_to(host.readlink())
        elif host.is_dir() and not host.is_symlink():
            bind(host, root / name, read_only=True)
    for name in _HOST_ETC:
        if (Path("/etc") / name).exists():
            bind(Path("/etc") / name, root / "etc" / name, read_only=True)


def _show_python(root: Path) -> None:
    for place in places():
        bind(place, root / str(place).lstrip("/"), read_only=True)
    # In a container all of /.sandbox is the node's.
    if not HOST_LOCAL.exists():
        bind(Path("/usr/local"), root / str(HOST_LOCAL).lstrip("/"), read_only=True)
    for library in libraries():
        bind(library, root / "usr/local/lib" / library.name, read_only=True)


def _make_dev(dev: Path, devices: Iterable[Show], shm_size: str) -> None:
    mount("tmpfs", dev, "tmpfs", NOSUID, "mode=755,size=1m")
    for name in _DEVICES:
        (dev / name).touch()
        mount(f"/dev/{name}", dev / name, "none", BIND)
    for device in devices:
        target = dev / device.target.relative_to("/dev")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
        mount(str(device.source if device.source.exists() else Path("/dev/null")), target, "none", BIND)
    for name, link in {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        (dev / name).symlink_to(link)
    (dev / "shm").mkdir()
    mount("tmpfs", dev / "shm", "tmpfs", NOSUID, f"mode=1777,size={shm_size}")
    (dev / "pts").mkdir()
    mount("devpts", dev / "pts", "devpts", NOSUID, "newinstance,ptmxmode=0666,mode=620")
    (dev / "ptmx").symlink_to("pts/ptmx")
