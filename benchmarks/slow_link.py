"""A slow link in front of SSH servers: every byte arrives later by half a round trip, each way.

Bandwidth is not limited and TCP's own handshake is not delayed. Run as ``python slow_link.py
ROUND_TRIP_SECONDS PORT SERVER_PORT ADDRESS...``: it listens at PORT of each address, leads to SERVER_PORT
there, and prints ``ready`` once all listen.

It also counts the round trips that a client waits for, one after the other. What the client sends counts as
sent after all that had reached it, and what a server sends as sent after what had reached that server: the
longest such chain is the count, whatever the machine makes of the seconds. When the last connection has
ended, it prints the count of what came since the one before.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass


@contextlib.contextmanager
def slow_link(
    round_trip: float, port: int, server_port: int, addresses: Sequence[str]
) -> Iterator[Callable[[], int]]:
    """Serve as above, in a process of its own, while the block runs; yields what gives the next count."""
    words = [sys.executable, __file__, str(round_trip), str(port), str(server_port), *addresses]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "ready":
                sys.exit(f"no slow link: is port {port} free?")
            heard = process.stdout
            yield lambda: int(heard.readline())
        finally:
            process.terminate()


@dataclass
class Trips:
    """The longest chain of round trips that has reached the client."""

    open: int = 0  # connections
    longest: int = 0


async def serve(delay: float, port: int, server_port: int, addresses: Sequence[str]) -> None:
    """Listen until cancelled."""
    trips = Trips()
    for address in addresses:
        lead = functools.partial(_lead, delay, trips, address, server_port)
        await asyncio.start_server(lead, address, port)
    print("ready", flush=True)
    await asyncio.Event().wait()


async def _lead(
    delay: float,
    trips: Trips,
    address: str,
    port: int,
    here: asyncio.StreamReader,
    back: asyncio.StreamWriter,
) -> None:
    trips.open += 1
    there, forth = await asyncio.open_connection(address, port)
    heard = 0  # the longest chain that has reached the server
    gone = False  # whether the client has ended the connection

    def at_server(chain: int) -> None:
        nonlocal heard
        heard = max(heard, chain)

    def at_client(chain: int) -> None:
        if not gone:
            trips.longest = max(trips.longest, chain)

    async def forward() -> None:
        nonlocal gone
        await _carry(here, forth, delay, lambda: trips.longest, at_server)
        gone = True

    with contextlib.suppress(ConnectionError):
        await asyncio.gather(forward(), _carry(there, back, delay, lambda: heard + 1, at_client))
    forth.close()
    back.close()
    trips.open -= 1
    if trips.open == 0:
        print(trips.longest, flush=True)
        trips.longest = 0


async def _carry(
    source: asyncio.StreamReader,
    sink: asyncio.StreamWriter,
    delay: float,
    chain: Callable[[], int],
    arrived: Callable[[int], None],
) -> None:
    """Carry all bytes of one direction.

    Args:
        chain: the round trips that what is sent now comes after.
        arrived: hears of them when it has arrived.
    """
    under_way: asyncio.Queue[tuple[float, bytes, int]] = asyncio.Queue()
    arriving = asyncio.create_task(_arrive(under_way, sink, arrived))
    clock = asyncio.get_running_loop().time
    data = b"more"
    while data:
        data = await source.read(1 << 16)
        under_way.put_nowait((clock() + delay, data, chain()))
    await arriving


async def _arrive(
    under_way: asyncio.Queue[tuple[float, bytes, int]],
    sink: asyncio.StreamWriter,
    arrived: Callable[[int], None],
) -> None:
    clock = asyncio.get_running_loop().time
    while True:
        due, data, chain = await under_way.get()
        await asyncio.sleep(max(0.0, due - clock()))
        if not data:
            sink.close()
            return
        arrived(chain)
        sink.write(data)
        await sink.drain()


if __name__ == "__main__":
    round_trip, port, server_port, *addresses = sys.argv[1:]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(float(round_trip) / 2, int(port), int(server_port), addresses))
