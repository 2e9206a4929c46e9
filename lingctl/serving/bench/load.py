"""Sending a load: closed loop (so many at a time) or open loop (Poisson arrivals, whatever is still open)."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from lingctl.errors import ConnectError, UsageError
from lingctl.remote.open_files import allow_open_files
from lingctl.serving.bench.connection import StreamConnection, Target
from lingctl.serving.bench.outcome import RequestOutcome
from lingctl.serving.http.exchange import Limits, connect_trouble

Tick = Callable[[int, int], None]
"""Told how many requests are done, and how many of those failed."""

_now = time.perf_counter
_SPARE_FILES = 64
_LIMITS = Limits(connect=10.0, idle=120.0, total=600.0)


@dataclass(frozen=True, slots=True)
class Pace:
    """How requests are sent: exactly one of the two is set."""

    concurrency: int | None = None  # closed loop, so many requests open at any time
    rate: float | None = None  # open loop, so many requests per second on average, at Poisson moments


@dataclass(frozen=True, slots=True)
class LoadResult:
    """A load that ran to its end."""

    outcomes: tuple[RequestOutcome, ...]  # one for every request, in order
    cpu_seconds: float  # processor time of this process meanwhile
    wall_seconds: float  # of the whole load


def run_load(
    target: Target,
    bodies: Sequence[dict[str, object]],
    pace: Pace,
    *,
    limits: Limits | None = None,
    seed: int = 0,
    tick: Tick = lambda done, failed: None,
) -> LoadResult:
    """Send every body once; each has its Outcome, whatever happened.

    Raises:
        UsageError: more connections than this machine allows one process.
    """
    _allow_files((pace.concurrency or len(bodies)) + _SPARE_FILES, required=pace.concurrency is not None)
    load = _Load(target, bodies, limits or _LIMITS, tick, [RequestOutcome(n) for n in range(len(bodies))])
    with _quiet_collector():
        cpu, wall = time.process_time(), _now()
        asyncio.run(load.run(pace, seed))
        return LoadResult(tuple(load.outcomes), time.process_time() - cpu, _now() - wall)


def resolve(place: tuple[str, int]) -> tuple[str, int]:
    """The first address of a host, so that name look-ups are no part of what is measured.

    Raises:
        ConnectError: the name is unknown.
    """
    try:
        found = socket.getaddrinfo(*place, type=socket.SOCK_STREAM)[0][4]
    except OSError as error:
        remedy = "check the host name in hosts.yaml or in --url"
        raise ConnectError(f"{place[0]}: {error.strerror}", remedy=remedy, code="host-unknown") from error
    return str(found[0]), int(found[1])


@dataclass(slots=True)
class _Load:
    _target: Target
    _bodies: Sequence[dict[str, object]]
    _limits: Limits
    _tick: Tick
    outcomes: list[RequestOutcome]
    _idle: list[StreamConnection] = field(default_factory=list)
    _busy: dict[StreamConnection, RequestOutcome] = field(default_factory=dict)
    _done: int = 0
    _failed: int = 0

    async def run(self, pace: Pace, seed: int) -> None:
        watch = asyncio.create_task(self._watch())
        try:
            if pace.rate is not None:
                await self._open_loop(pace.rate, random.Random(seed))  # noqa: S311  (no secret depends on it)
            else:
                await self._closed_loop(pace.concurrency or 1)
        finally:
            watch.cancel()
            for connection in (*self._idle, *self._busy):
                connection.close()

    async def _closed_loop(self, concurrency: int) -> None:
        await self._open(min(concurrency, len(self._bodies)))
        left = iter(range(len(self._bodies)))

        async def work() -> None:
            for index in left:
                self.outcomes[index].due_at = _now()
                await self._one(index)

        await asyncio.gather(*(work() for _ in range(min(concurrency, len(self._bodies)))))

    async def _open(self, count: int) -> None:
        """Open connections before anything is sent: hundreds at once take their time, and the first requests
        would wait for each other's. What cannot be opened is told by the request that needs it.
        """
        opened = await asyncio.gather(*(self._connect() for _ in range(count)), return_exceptions=True)
        self._idle += [connection for connection in opened if isinstance(connection, StreamConnection)]

    async def _open_loop(self, rate: float, chance: random.Random) -> None:
        due, running = _now(), set[asyncio.Task[None]]()
        for index in range(len(self._bodies)):
            await asyncio.sleep(max(0.0, due - _now()))
            self.outcomes[index].due_at = due
            running.add(asyncio.create_task(self._one(index)))
            # Moments are added up from the start, so a late one does not delay those after it.
            due += chance.expovariate(rate)
        await asyncio.gather(*running)

    async def _one(self, index: int) -> None:
        outcome = self.outcomes[index]
        request = self._target.wire_request(self._bodies[index])
        outcome.sent_at = _now()
        try:
            await self._exchange(request, outcome)
        except OSError as error:
            trouble = connect_trouble(error, self._limits)
            outcome.error, outcome.error_text, outcome.ended_at = trouble.kind, trouble.text, _now()
        self._done += 1
        self._failed += not outcome.ok
        self._tick(self._done, self._failed)

    async def _exchange(self, request: bytes, outcome: RequestOutcome) -> None:
        connection = self._take_idle() or await self._connect()
        kept = connection.used
        await self._carry(connection, request, outcome)
        if kept and outcome.error == "closed" and not outcome.token_at:
            # The service closed a kept connection just as it was used again: HTTP allows that any time.
            outcome.error = outcome.error_text = ""
            connection = await self._connect()
            await self._carry(connection, request, outcome)
        if connection.reusable:
            self._idle.append(connection)

    async def _carry(self, connection: StreamConnection, request: bytes, outcome: RequestOutcome) -> None:
        self._busy[connection] = outcome
        try:
            await connection.send(request, outcome)
        finally:
            del self._busy[connection]

    def _take_idle(self) -> StreamConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
        return None

    async def _connect(self) -> StreamConnection:
        target, loop = self._target, asyncio.get_running_loop()
        name = target.address.host if target.tls else None
        async with asyncio.timeout(self._limits.connect):
            _, connection = await loop.create_connection(
                lambda: StreamConnection(target.dialect, keeps_text=target.keeps_text),
                *target.place,
                ssl=target.tls,
                server_hostname=name,
            )
        return connection

    async def _watch(self) -> None:
        """Give up requests that are silent or take too long; one look at all costs less than a timer each."""
        while True:
            await asyncio.sleep(min(1.0, self._limits.idle / 4, self._limits.total / 4))
            now = _now()
            for connection, outcome in list(self._busy.items()):
                if now - connection.went_on_at > self._limits.idle:
                    connection.end("timeout", f"did not go on for {self._limits.idle:g} s")
                elif now - outcome.sent_at > self._limits.total:
                    connection.end("timeout", f"not ended after {self._limits.total:g} s")


def _allow_files(wanted: int, *, required: bool) -> None:
    most = allow_open_files(wanted)
    if most < wanted and required:
        raise UsageError(
            f"{wanted} connections are more than this machine allows one process ({most} open files)",
            code="too-many-connections",
        )


@contextmanager
def _quiet_collector() -> Iterator[None]:
    """Keep the garbage collector from stopping the clock: what a load makes is freed by reference counts."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
