"""What a start needs around it: sourced environment, driver, cards, shared memory."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from lingctl.sandbox.engine.machine.site import device_folder, this_site

VISIBLE = "ASCEND_RT_VISIBLE_DEVICES"
_OLD_SHARED_MEMORY = 1 << 29


def missing_library(version: str, service_home: Path) -> str | None:
    """The dynamic linker's complaint when the environment was not sourced, None if all is found."""
    folders = [Path(part) for part in os.environ.get("LD_LIBRARY_PATH", "").split(":") if part]
    wanted = {"1.0.0": "libboost_thread.so.1.82.0", "3.0.0": "libmindie_llm_manager.so"}[version]
    driver = "libascend_hal.so"
    program = (
        "./bin/mindieservice_daemon" if version == "1.0.0" else str(service_home / "bin/mindieservice_daemon")
    )
    for library in (wanted, "libascendcl.so", "libatb.so", driver):
        found = any((folder / library).exists() for folder in folders)
        if library == driver:
            found = any(_below_driver(folder) for folder in folders)
        if not found:
            return (
                f"{program}: error while loading shared libraries: {library}: "
                "cannot open shared object file: No such file or directory"
            )
    return None


def _below_driver(folder: Path) -> bool:
    """Whether a library folder is of a mounted driver; what lies in it is the host's affair."""
    homes = [parent for parent in (folder, *folder.parents) if parent.name == "driver"]
    return any(home.is_dir() for home in homes)


def own_cards() -> list[int]:
    """Physical ids of the cards in this container, ascending."""
    names = [re.fullmatch(r"davinci(\d+)", path.name) for path in device_folder().glob("davinci*")]
    return sorted({int(match[1]) for match in names if match} - this_site().missing)


def visible_cards() -> list[int]:
    """Physical ids of the cards that a process may use, in the order in which they are counted from 0.

    ASCEND_RT_VISIBLE_DEVICES names them by their places among the container's own, whatever ids these have,
    and ends at the first number that is none; numbers that do not ascend are no cards at all. Users' reports:
    vllm-ascend in a container with one card of several, gpustack 2527, 3225 and 3352.
    """
    present = own_cards()
    chosen = os.environ.get(VISIBLE)
    if chosen is None:
        return present
    numbers: list[int] = []
    for part in chosen.split(","):
        if not part.strip().isdecimal() or int(part) >= len(present):
            break
        numbers.append(int(part))
    return [present[number] for number in numbers] if numbers == sorted(set(numbers)) else []


def shared_memory_fault() -> list[str]:
    """1.0.0: the lines about a /dev/shm that is too small, none if it is large enough.

    Its need is not documented: half a GiB is an assumption that refuses Docker's default of 64 MiB, and the
    words are those of 3.0.0's source.
    """
    folder = device_folder() / "shm"
    last = "Shared memory size is not enough for all executors."
    if not folder.is_dir():
        return [last]
    found = os.statvfs(folder)
    if found.f_frsize * found.f_blocks >= _OLD_SHARED_MEMORY:
        return []
    text = "Available shared memory size is not enough for all executors. Please increase the available"
    return [f"{text} shared memory. The least required size is {_OLD_SHARED_MEMORY}", last]


def foreign_segments() -> list[str]:
    """1.0.0: segments of an engine in /dev/shm that are not this user's or not private."""
    lines = []
    for path in (device_folder() / "shm").glob("*llm_backend_*"):
        found = path.stat()
        if found.st_uid != os.getuid():
            lines.append(f"Semaphore {path.name} owned by uid {found.st_uid}, expected {os.getuid()}")
        elif stat.S_IMODE(found.st_mode) != 0o600:
            lines.append(f"Semaphore {path.name} permission expected 0600")
    return lines
