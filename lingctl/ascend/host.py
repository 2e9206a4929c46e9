"""What the host itself is asked: clock, ports, memory, disks, files that the container needs."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lingctl.ascend.unread import Unread, refusal, unread
from lingctl.remote.command import Command, command, script
from lingctl.remote.probe import Answer

_DISKS = """
for want; do
  at=$want
  while [ ! -e "$at" ] && [ "$at" != / ]; do at=$(dirname "$at"); done
  printf '%s ' "$want"
  df -kP "$at" | tail -n 1
done
"""
_PATHS = 'for path; do if [ -e "$path" ]; then echo "there $path"; else echo "absent $path"; fi; done'
_DIGESTS = """
for path; do
  if [ -f "$path" ]; then sha256sum "$path"
  elif [ -d "$path" ]; then
    sum=$(cd "$path" && ls -ln |
      awk '/^-/ && $9 ~ /[.](safetensors|bin|py)$/ {print $5, $9}' | sort | sha256sum)
    echo "${sum%% *}  $path"
  fi
done
exit 0
"""
_FIREWALL = """
for unit in firewalld ufw nftables; do
  state=$(systemctl is-active "$unit" 2>/dev/null)
  echo "$unit ${state:-absent}"
done
"""


@dataclass(frozen=True, slots=True)
class Listener:
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


def clock_command() -> Command:
    """Seconds since 1970."""
    return command("date", "+%s.%N")


def listeners_command() -> Command:
    """Listening TCP sockets: from ss with their processes where it is there, else from the kernel."""
    return script("ss -Hltnp 2>/dev/null || cat /proc/net/tcp /proc/net/tcp6")


def memory_command() -> Command:
    """Memory of the host."""
    return command("cat", "/proc/meminfo")


def disks_command(paths: Sequence[str]) -> Command:
    """Free space where each path is or will be."""
    return script(_DISKS, *paths)


def paths_command(paths: Sequence[str]) -> Command:
    """Which of these exist."""
    return script(_PATHS, *paths)


def digests_command(paths: Sequence[str]) -> Command:
    """sha256 of files; of a folder, over the names and sizes of the weights or modules in it."""
    return script(_DIGESTS, *paths)


def firewall_command() -> Command:
    """Which firewall services run."""
    return script(_FIREWALL)


def hostname_command() -> Command:
    """The host's name."""
    return command("hostname")


def read_clock(answer: Answer | None) -> float | Unread:
    """Seconds since 1970."""
    text = answer.stdout.strip() if answer else ""
    if answer is None or not re.fullmatch(r"\d+(\.\d+)?", text):
        return unread(answer)
    return float(text)


def read_listeners(answer: Answer | None) -> tuple[Listener, ...] | Unread:
    """Listening sockets, from either form."""
    if answer is None or answer.exit_status != 0:
        return unread(answer)
    if "local_address" in answer.stdout:
        return tuple(_kernel_listeners(answer.stdout))
    found = []
    for line in answer.stdout.splitlines():
        words = line.split(None, 5)
        if len(words) < 5 or words[0] != "LISTEN" or ":" not in words[3]:
            return unread(answer, f"a line of ss is not understood: {line[:100]}")
        address, _, port = words[3].rpartition(":")
        name = re.search(r'\(\("([^"]+)",pid=(\d+)', words[5] if len(words) > 5 else "")
        found.append(
            Listener(
                address.strip("[]").split("%")[0],
                int(port),
                f"{name.group(1)} (pid {name.group(2)})" if name else "",
            )
        )
    return tuple(found)


def read_memory(answer: Answer | None) -> tuple[int, int] | Unread:
    """(total, available) bytes."""
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB$", answer.stdout, re.MULTILINE)) if answer else {}
    if "MemTotal" not in found or "MemAvailable" not in found:
        return unread(answer)
    return int(found["MemTotal"]) * 1024, int(found["MemAvailable"]) * 1024


def read_disks(answer: Answer | None) -> tuple[Disk, ...] | Unread:
    """Free space by path."""
    if answer is None or answer.exit_status != 0:
        return unread(answer)
    disks = []
    for line in answer.stdout.splitlines():
        found = re.fullmatch(r"(\S+) .*?\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%\s+(\S.*)", line)
        if not found:
            return unread(answer, f"a line of df is not understood: {line[:100]}")
        disks.append(
            Disk(found.group(1), found.group(5), int(found.group(2)) * 1024, int(found.group(4)) * 1024)
        )
    return tuple(disks)


def read_paths(answer: Answer | None) -> Mapping[str, bool] | Unread:
    """Whether each path exists."""
    if answer is None or answer.exit_status != 0:
        return unread(answer)
    return {
        path: word == "there"
        for word, path in re.findall(r"^(there|absent) (.*)$", answer.stdout, re.MULTILINE)
    }


def read_digests(answer: Answer | None) -> Mapping[str, str] | Unread:
    """sha256 by path; a path that is not there is left out."""
    if answer is None or answer.exit_status != 0:
        return unread(answer)
    return {
        path: digest for digest, path in re.findall(r"^([0-9a-f]{64})  (.*)$", answer.stdout, re.MULTILINE)
    }


def read_word(answer: Answer | None) -> str | Unread:
    """A one-line answer of a command that succeeded, such as a version, an image id or a host name."""
    if answer is None:
        return unread(answer)
    lines = answer.stdout.strip().splitlines()
    if answer.exit_status != 0 or len(lines) != 1:
        return refusal(answer) or unread(answer)
    return lines[0].strip()


def read_service(answer: Answer | None) -> bool | Unread:
    """Whether this cluster's own daemon runs: the first line is ``alive PID`` or ``dead``."""
    word = (answer.stdout.split() or [""])[0] if answer else ""
    return unread(answer) if word not in ("alive", "dead") else word == "alive"


def read_firewall(answer: Answer | None) -> tuple[str, ...] | Unread:
    """Names of the firewall services that run."""
    if answer is None or answer.exit_status != 0:
        return unread(answer)
    return tuple(re.findall(r"^(\S+) active$", answer.stdout, re.MULTILINE))


def _kernel_listeners(text: str) -> list[Listener]:
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) > 3 and words[3] == "0A" and ":" in words[1]:
            address, port = words[1].split(":")
            found.append(Listener(_kernel_address(address), int(port, 16)))
    return found


def _kernel_address(digits: str) -> str:
    raw = bytes.fromhex(digits)
    words = [raw[at : at + 4][::-1] for at in range(0, len(raw), 4)]
    return str(ipaddress.ip_address(b"".join(words)))
