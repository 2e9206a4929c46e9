"""Whether a port can be had: what 3.0.0 finds when it binds it on 0.0.0.0 without SO_REUSEADDR.

Seen on the real 3.0.0: a restart within a minute of the last connection fails though nothing listens, because
a connection that the server closed first stays in TIME_WAIT for 60 s. Read in its source
(endpoint/http_wrapper/http_server.cpp): a listener or connection of any address of the machine is in the way.

The emulated nodes share one machine's network, so a bind on 0.0.0.0 would make them collide. Instead the
kernel's own tables are read, and entries of this node's address, of 127.0.0.1 and of 0.0.0.0 count. That is
kinder only where a node has further addresses. A minute of TIME_WAIT is scaled like every other delay, which
the kernel's own check cannot be: so listeners are opened with SO_REUSEADDR, after this look.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

TIME_WAIT_SECONDS = 60.0
_TIME_WAIT = 6
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_EVERYWHERE = ("0.0.0.0", "127.0.0.1")
_MAPPED = bytes(10) + b"\xff\xff"


@dataclass(frozen=True, slots=True)
class Connection:
    """One line of the kernel's tables."""

    address: str
    port: int
    state: int  # the kernel's number; 6 is TIME_WAIT, 10 LISTEN
    left: float  # seconds until a TIME_WAIT is over


def connections(tables: Iterable[Path] = _TABLES) -> Iterator[Connection]:
    """Every TCP socket that the kernel shows; none where it shows no table."""
    for table in tables:
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            address, _, port = words[1].partition(":")
            left = int(words[5].partition(":")[2], 16) / 100
            yield Connection(_address(address), int(port, 16), int(words[3], 16), left)


def in_the_way(port: int, own: Collection[str], found: Iterable[Connection], scale: float) -> bool:
    """Whether a socket keeps the port from a node.

    Args:
        own: the node's addresses.
        scale: factor on the minute of TIME_WAIT.
    """
    for connection in found:
        if connection.port != port or connection.address not in (*own, *_EVERYWHERE):
            continue
        passed = TIME_WAIT_SECONDS - connection.left
        if connection.state != _TIME_WAIT or passed < TIME_WAIT_SECONDS * scale:
            return True
    return False


def _address(text: str) -> str:
    """An address out of the kernel's hexadecimal words, which are in the machine's byte order."""
    data = b"".join(bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8))
    if len(data) == 4:
        return socket.inet_ntop(socket.AF_INET, data)
    if data.startswith(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, data[12:])
    return "0.0.0.0" if not any(data) else socket.inet_ntop(socket.AF_INET6, data)
