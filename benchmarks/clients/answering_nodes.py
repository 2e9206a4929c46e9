"""Nodes that take their time without computing: SSH servers that answer each command by the clock.

A node's answer to a command is found once, by running the command here with tools that take no time; from
then on it is given again after the time of that, and LATENCY for each call of a tool. Run as
``python answering_nodes.py DIRECTORY LATENCY PORT ADDRESS...`` by a Python with asyncssh; it prints ``ready``
once all addresses listen. ``quick_nodes.py`` makes what is in DIRECTORY.
"""

from __future__ import annotations

import asyncio
import base64
import os
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

# What the emulated ``date`` says, so that the time of the answer can stand in its place.
STOPPED = "1000000000.000000000"


@dataclass(frozen=True)
class Said:
    """What a command said here, and how long a node takes for it."""

    out: bytes
    err: bytes
    status: int
    seconds: float


class Nodes:
    """The commands that were answered, by address and text."""

    def __init__(self, directory: Path, latency: float) -> None:
        self._directory = directory
        self._latency = latency
        self._known: dict[tuple[str, str], Said] = {}
        self._one = asyncio.Lock()  # one is run at a time, so that its cost is known

    async def answer(self, process: Any) -> None:
        """Answer a command of a session."""
        address, command = process.get_extra_info("sockname")[0], process.command or ""
        said = self._known.get((address, command))
        if said is None:
            async with self._one:
                said = self._known[address, command] = await self._run(address, command)
        else:
            await asyncio.sleep(said.seconds)
        now = f"{time.time():.9f}"
        process.stdout.write(said.out.replace(_encoded(STOPPED), _encoded(now)))
        process.stderr.write(said.err)
        process.exit(said.status)

    async def _run(self, address: str, command: str) -> Said:
        calls = self._directory / "calls"
        calls.write_bytes(b"")
        path = f"{self._directory}/bin:{os.environ['PATH']}"
        around = {"PATH": path, "CALLS": str(calls), "SSH_CONNECTION": f"127.0.0.1 1 {address} 22"}
        begun, before = time.monotonic(), _computed()
        shell = await asyncio.create_subprocess_exec(
            *("sh", "-c", command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **around},
        )
        out, err = await shell.communicate()
        # Where it ran beside itself the clock tells less, where it waited for this machine the processor.
        own = min(time.monotonic() - begun, _computed() - before)
        seconds = own + self._latency * calls.stat().st_size
        return Said(out, err, shell.returncode or 0, seconds)


def _computed() -> float:
    """Processor seconds of all that was run here and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _encoded(text: str) -> bytes:
    """As a probe's frame has it."""
    return base64.b64encode(f"{text}\n".encode())


async def serve(directory: Path, latency: float, port: int, addresses: list[str]) -> None:
    """Listen until ended."""
    nodes = Nodes(directory, latency)
    for address in addresses:
        await asyncssh.listen(
            address,
            port,
            server_host_keys=[str(directory / "host")],
            authorized_client_keys=str(directory / "authorized_keys"),
            process_factory=nodes.answer,
            encoding=None,
        )
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
