"""Mounts and namespaces through the C library: what `mount` and `unshare` do, without starting them."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_PIDFD_GETFD = 438  # on every processor
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

BIND, REC, RDONLY, REMOUNT, NOSUID, PRIVATE = 4096, 16384, 1, 32, 2, 1 << 18
NEW_MOUNTS, NEW_PIDS, NEW_IPC, NEW_UTS = 0x00020000, 0x20000000, 0x08000000, 0x04000000
NEW_USER, NEW_NET = 0x10000000, 0x40000000
_DETACH = 2
# What a mount has of these may not be taken away when it is remounted in a user namespace.
_KEPT = {2: 2, 4: 4, 8: 8, 1024: 1024, 2048: 2048, 4096: 1 << 21}


def mount(source: str, target: Path, kind: str, flags: int = 0, options: str = "") -> None:
    """mount(2).

    Raises:
        OSError: it failed; names the target.
    """
    done = _libc.mount(source.encode(), str(target).encode(), kind.encode(), flags, options.encode() or None)
    if done != 0:
        raise _error(f"mount {source} on {target}")


def bind(source: Path, target: Path, *, read_only: bool = False) -> None:
    """Show ``source`` (a file or a folder) at ``target`` as well; makes the mount point."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    mount(str(source), target, "none", BIND | REC)
    if read_only:
        kept = sum(flag for bit, flag in _KEPT.items() if os.statvfs(target).f_flag & bit)
        mount("none", target, "none", REMOUNT | BIND | RDONLY | kept)


def unmount(target: Path) -> None:
    """Lazily take a mount away.

    Raises:
        OSError: nothing is mounted there.
    """
    if _libc.umount2(str(target).encode(), _DETACH) != 0:
        raise _error(f"unmount {target}")


def unshare(flags: int) -> None:
    """unshare(2)."""
    if _libc.unshare(flags) != 0:
        raise _error("unshare")


def join_namespace(path: str, kind: int) -> None:
    """setns(2) into the namespace that a file below /proc/PID/ns stands for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(descriptor, kind) != 0:
            raise _error(f"setns {path}")
    finally:
        os.close(descriptor)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    _libc.prctl(1, 9, 0, 0, 0)


def descriptor_of(process: int, number: int) -> int:
    """A descriptor of ours for what another process has under a number; ``process`` is a pidfd.

    Raises:
        OSError: it has none, or this process may not look into it.
    """
    found: int = _libc.syscall(_PIDFD_GETFD, process, number, 0)
    if found < 0:
        raise _error(f"descriptor {number}")
    return found


def change_root(root: Path) -> None:
    """Make ``root`` (a mount point) the root of this mount namespace, and let go of the old one."""
    old = root / ".old"
    old.mkdir(exist_ok=True)
    number = _PIVOT_ROOT.get(platform.machine())
    if number is None:
        raise OSError(f"the sandbox does not know this processor: {platform.machine()}")
    if _libc.syscall(number, str(root).encode(), str(old).encode()) != 0:
        raise _error(f"pivot_root {root}")
    os.chdir("/")
    unmount(Path("/.old"))
    Path("/.old").rmdir()


def _error(doing: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{doing}: {os.strerror(number)}")
