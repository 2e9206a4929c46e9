"""What the host itself is asked: clock, ports, memory, disks, files that the container needs."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lingctl.ascend.unread import Unread, closing, every_line, of_closed, of_whole, unread
from lingctl.assets import shell
from lingctl.remote.command import Command, command
from lingctl.remote.probe import Answer

_FIREWALL_SERVICES = """
systemctl is-active firewalld ufw nftables 2>/dev/null | for unit in firewalld ufw nftables; do
  read -r state || state=
  echo "$unit ${state:-absent}"
done
"""


@dataclass(frozen=True, slots=True)
class ListeningSocket:
    """A TCP socket that waits for connections."""

    address: str
    port: int
    process: str = ""

    def covers(self, address: str) -> bool:
        """Whether it is in the way of binding ``address``."""
        return self.address in ("*", "0.0.0.0", "::", address)  # noqa: S104  (compared, not bound)


@dataclass(frozen=True, slots=True)
class Disk:
    """Free space of the file system that a path is or will be on, in bytes."""

    path: str
    mounted: str
    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Rights:
    """What the login may do there."""

    user: str
    is_root: bool
    may_write: Mapping[str, bool]  # by path


CLOCK = command("date", "+%s.%N")  # seconds since 1970
# Listening TCP sockets: from ss with their processes where it is there, else from the kernel.
LISTENERS = closing("ss -Hltnp 2>/dev/null || cat /proc/net/tcp /proc/net/tcp6")
MEMORY = command("cat", "/proc/meminfo")
FIREWALL = closing(_FIREWALL_SERVICES)
HOSTNAME = command("hostname")


def disks_command(paths: Sequence[str]) -> Command:
    """Free space where each path is or will be."""
    return closing(shell("ask/disks"), *paths)


def paths_command(paths: Sequence[str]) -> Command:
    """Which of these exist."""
    return closing(shell("ask/paths"), *paths)


def rights_command(paths: Sequence[str]) -> Command:
    """Who is logged in, and which of these may be written or made."""
    return closing(shell("ask/rights"), *paths)


def digests_command(paths: Sequence[str]) -> Command:
    """sha256 of files; of a folder, over the names and sizes of the weights or modules in it."""
    return closing(shell("ask/digests"), *paths)


@of_whole
def read_clock(seen: Answer) -> float | Unread:
    """Seconds since 1970."""
    text = seen.stdout.strip()
    return float(text) if re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,18})?", text) else unread(seen)


@of_closed
def read_listeners(seen: Answer) -> tuple[ListeningSocket, ...] | Unread:
    """Listening sockets, from either form."""
    if "local_address" in seen.stdout:
        return _kernel_listeners(seen)
    found = []
    for line in seen.stdout.splitlines():
        words = line.split(None, 5)
        port = words[3].rpartition(":")[2] if len(words) > 4 else ""
        if not port or words[0] != "LISTEN" or not re.fullmatch(r"[0-9]{1,5}", port):
            return unread(seen, f"a line of ss is not understood: {line[:100]}")
        name = re.search(r'\(\("([^"]+)",pid=([0-9]{1,18})', words[5] if len(words) > 5 else "")
        found.append(
            ListeningSocket(
                words[3].rpartition(":")[0].strip("[]").split("%")[0],
                int(port),
                f"{name.group(1)} (pid {name.group(2)})" if name else "",
            )
        )
    return tuple(found)


@of_whole
def read_memory(seen: Answer) -> tuple[int, int] | Unread:
    """(total, available) bytes."""
    found = dict(re.findall(r"^(\w+):\s+([0-9]{1,18}) kB$", seen.stdout, re.MULTILINE))
    if "MemTotal" not in found or "MemAvailable" not in found:
        return unread(seen)
    return int(found["MemTotal"]) * 1024, int(found["MemAvailable"]) * 1024


@of_closed
def read_disks(seen: Answer) -> tuple[Disk, ...]:
    """Free space by path."""
    form = r"(\S+) .*?\s([0-9]{1,18})\s+[0-9]{1,18}\s+([0-9]{1,18})\s+[0-9]{1,3}%\s+(\S.*)"
    lines = every_line(seen, form, "a line of df")
    return tuple(Disk(line[1], line[4], int(line[2]) * 1024, int(line[3]) * 1024) for line in lines)


@of_closed
def read_paths(seen: Answer) -> Mapping[str, bool]:
    """Whether each path exists; one that cannot be looked at is left out."""
    lines = every_line(seen, r"(there|absent|unknown) (.+)")
    return {line[2]: line[1] == "there" for line in lines if line[1] != "unknown"}


@of_closed
def read_rights(seen: Answer) -> Rights | Unread:
    """Who is logged in, and what may not be written."""
    first, *lines = seen.stdout.splitlines() or [""]
    who = re.fullmatch(r"user ([0-9]{1,18}) (\S+)", first)
    if who is None or not all(re.fullmatch(r"may(-not)? /.*", line) for line in lines):
        return unread(seen)
    may = {path: word == "may" for word, _, path in (line.partition(" ") for line in lines)}
    return Rights(who[2], who[1] == "0", may)


@of_closed
def read_digests(seen: Answer) -> Mapping[str, str]:
    """sha256 by path, ``absent`` where nothing is there; one that cannot be read is left out."""
    lines = every_line(seen, r"([0-9a-f]{64}|absent|unknown)  (.*)")
    return {line[2]: line[1] for line in lines if line[1] != "unknown"}


@of_whole
def read_word(seen: Answer) -> str | Unread:
    """A one-line answer of a command that succeeded, such as a version, an image id or a host name."""
    lines = seen.stdout.strip().splitlines()
    return lines[0].strip() if len(lines) == 1 else unread(seen)


def read_runtime(answer: Answer | None) -> str | Unread:
    """Version of the container runtime; ``failed`` where it says that it can run nothing."""
    said = read_word(answer)
    if isinstance(said, str) and not re.match(r"v?[0-9]", said):
        return unread(answer, "no version of a container runtime")
    if isinstance(said, Unread) and said.reason == "not-understood" and answer and answer.exit_status:
        return Unread("failed", "it cannot be used", said.quote)
    return said


def read_image(answer: Answer | None) -> str | Unread | None:
    """Id of an image; None where the runtime says that it has none of that name."""
    if answer is not None and answer.exit_status not in (0, 124) and is_absent(answer.stderr):
        return None
    return read_word(answer)


def is_absent(said: str) -> bool:
    """Whether docker or podman says that there is no such image or container, and nothing else went wrong."""
    return bool(re.search(r"no such (?:image|container|object)|image not known", said, re.IGNORECASE))


@of_whole
def read_service(seen: Answer) -> bool | Unread:
    """Whether this cluster's own daemon runs: the first line is ``alive PID`` or ``dead``."""
    words = seen.stdout.partition("\n")[0].split()
    if words == ["dead"]:
        return False
    return True if len(words) == 2 and words[0] == "alive" else unread(seen)


@of_closed
def read_firewall(seen: Answer) -> tuple[str, ...] | Unread:
    """Names of the firewall services that run."""
    states = [line.split() for line in seen.stdout.splitlines()]
    if any(len(words) != 2 for words in states):
        return unread(seen)
    return tuple(unit for unit, state in states if state == "active")


def _kernel_listeners(answer: Answer) -> tuple[ListeningSocket, ...] | Unread:
    found = []
    for line in answer.stdout.splitlines():
        words = line.split()
        if words[1:2] == ["local_address"]:
            continue
        if len(words) < 4 or not re.fullmatch(r"(?:[0-9A-F]{8}|[0-9A-F]{32}):[0-9A-F]{4}", words[1]):
            return unread(answer, f"a line of /proc/net/tcp is not understood: {line[:100]}")
        address, port = words[1].split(":")
        if words[3] == "0A":
            found.append(ListeningSocket(_kernel_address(address), int(port, 16)))
    return tuple(found)


def _kernel_address(digits: str) -> str:
    raw = bytes.fromhex(digits)
    words = [raw[at : at + 4][::-1] for at in range(0, len(raw), 4)]
    return str(ipaddress.ip_address(b"".join(words)))
