"""A slow link in front of SSH servers: every byte arrives later by half a round trip, each way.

Bandwidth is not limited and TCP's own handshake is not delayed. Run as ``python slow_link.py
ROUND_TRIP_SECONDS PORT SERVER_PORT ADDRESS...``: it listens at PORT of each address, leads to SERVER_PORT
there, and prints ``ready`` once all listen.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import subprocess
import sys
from collections.abc import Iterator, Sequence


@contextlib.contextmanager
def slow_link(round_trip: float, port: int, server_port: int, addresses: Sequence[str]) -> Iterator[None]:
    """Serve as above, in a process of its own, while the block runs."""
    words = [sys.executable, __file__, str(round_trip), str(port), str(server_port), *addresses]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "ready":
                sys.exit(f"no slow link: is port {port} free?")
            yield
        finally:
            process.terminate()


async def serve(delay: float, port: int, server_port: int, addresses: Sequence[str]) -> None:
    """Listen until cancelled."""
    for address in addresses:
        lead = functools.partial(_lead, delay, address, server_port)
        await asyncio.start_server(lead, address, port)
    print("ready", flush=True)
    await asyncio.Event().wait()


async def _lead(
    delay: float, address: str, port: int, here: asyncio.StreamReader, back: asyncio.StreamWriter
) -> None:
    there, forth = await asyncio.open_connection(address, port)
    with contextlib.suppress(ConnectionError):
        await asyncio.gather(_carry(here, forth, delay), _carry(there, back, delay))
    forth.close()
    back.close()


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter, delay: float) -> None:
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    arriving = asyncio.create_task(_arrive(under_way, sink))
    clock = asyncio.get_running_loop().time
    data = b"more"
    while data:
        data = await source.read(1 << 16)
        under_way.put_nowait((clock() + delay, data))
    await arriving


async def _arrive(under_way: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter) -> None:
    clock = asyncio.get_running_loop().time
    while True:
        due, data = await under_way.get()
        await asyncio.sleep(max(0.0, due - clock()))
        if not data:
            sink.close()
            return
        sink.write(data)
        await sink.drain()


if __name__ == "__main__":
    round_trip, port, server_port, *addresses = sys.argv[1:]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(float(round_trip) / 2, int(port), int(server_port), addresses))
