"""Ready is: a generation returned tokens, and healthy. "Daemon start success!" is neither.

While the weights load no HTTP port is open, so a refused connection is normal and the wait goes on. MindIE
3.0.0 opens its ports all at once and answers requests from then on, but for five seconds, one interval of its
health checker, health is 500 ``Service is abnormal`` (seen). Each such answer writes an ERROR line into its
console, so health is asked last, when the models are listed and text came, and then again only after such an
interval.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from lingctl.errors import EngineError
from lingctl.events import Event, Listener, ignore
from lingctl.serving.faults import Fault, fault_of, of_the_request
from lingctl.serving.http.answers import Piece
from lingctl.serving.http.api import Ask, ModelKind, dialect_for
from lingctl.serving.http.client import Client, ModelList
from lingctl.serving.http.exchange import HttpResponse
from lingctl.serving.trouble import ExchangeTrouble, http_trouble

ServiceState = Literal["loading", "stopping", "busy", "abnormal", "no tokens", "misconfigured", "ready"]
_HOPELESS_KINDS = ("tls", "name")
_INTERVAL = 5.0
# How long health may call itself abnormal before it is believed: three intervals of its checker.
_SETTLING = 15.0
_BY_FAULT: dict[Fault, ServiceState] = {
    "loading": "loading",
    "stopping": "stopping",
    "tokenizers": "busy",
    "busy": "busy",
}

HealthAnswer = HttpResponse | ExchangeTrouble | None
Probe = Callable[[], "Readiness"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """How far a service is."""

    state: ServiceState  # ``misconfigured`` will not become ready by waiting; every other state may
    text: str  # the evidence


class Clock(Protocol):
    """What the wait knows of time."""

    def monotonic(self) -> float:
        """Seconds of a clock that only goes forward."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


def settled_health(ask: Callable[[], HealthAnswer], clock: Clock = time) -> HealthAnswer:
    """Health, asked again while it may only be that its first check is still to come."""
    until = clock.monotonic() + _SETTLING
    while True:
        health = ask()
        if not _abnormal(health) or clock.monotonic() + _INTERVAL > until:
            return health
        clock.sleep(_INTERVAL)


def judge_health(health: HealthAnswer) -> Readiness | None:
    """What health alone says; None where it does not object.

    A health API that cannot be asked does not decide: it may listen on the node's loopback only.
    """
    if not isinstance(health, HttpResponse) or health.status < 500:
        return None
    trouble = http_trouble(health.status, health.body)
    fault = fault_of(trouble)
    if fault == "stopping":
        return Readiness("stopping", f"{trouble}: it is stopping, or a process of it has died")
    return Readiness("busy" if fault == "busy" else "abnormal", str(trouble))


def judge_generation(generation: Piece | ExchangeTrouble) -> Readiness:
    """What an attempt to generate says."""
    if isinstance(generation, ExchangeTrouble):
        state = (
            "misconfigured"
            if of_the_request(generation)
            else _BY_FAULT.get(fault_of(generation), "no tokens")
        )
        return Readiness(state, str(generation))
    if generation.text.strip() or generation.reasoning.strip():
        return Readiness("ready", f"first answer after {generation.seconds:.1f} s")
    return Readiness("no tokens", "the answer is empty")


def decide(
    models: Callable[[], ModelList | ExchangeTrouble],
    generate: Callable[[], Piece | ExchangeTrouble],
    health: Callable[[], HealthAnswer],
    *,
    loaded: bool = False,
) -> Readiness:
    """The state from all three; each is only asked where the one before allows it.

    Args:
        loaded: text is asked for first, as who gives some lists its models too; the list tells one that loads
            from one that does not answer, and is asked for only where nothing came.
    """
    generation = generate() if loaded else None
    if generation is None or (isinstance(generation, ExchangeTrouble) and not generation.status):
        listed = models()
        if isinstance(listed, ExchangeTrouble) and not listed.status:
            return Readiness("misconfigured" if listed.kind in _HOPELESS_KINDS else "loading", str(listed))
    found = judge_generation(generate() if generation is None else generation)
    return (judge_health(health()) or found) if found.state == "ready" else found


def probe_of(
    client: Client, kind: ModelKind, *, loaded: bool = False, answered: Callable[[], None] = lambda: None
) -> Probe:
    """A probe that asks a service for its models, for two tokens and, if it is MindIE, for its health.

    Args:
        loaded: its daemons have said that they serve, so text is asked for at once; see ``decide``.
        answered: called when text came, before health is asked for.
    """
    dialect = dialect_for(kind, mindie=bool(client.endpoint.management_url))
    ask = Ask("Hi", max_tokens=2)

    def health() -> HealthAnswer:
        answered()
        return settled_health(client.health) if client.endpoint.management_url else None

    return lambda: decide(client.models, lambda: client.generate(dialect, ask), health, loaded=loaded)


def wait_until_ready(
    probe: Probe,
    *,
    seconds: float,
    listener: Listener = ignore,
    still_alive: Callable[[], None] = lambda: None,
    clock: Clock = time,
) -> Readiness:
    """Probe until ready.

    Args:
        probe: asked every five seconds, the least that MindIE's documents ask for.
        still_alive: called before each probe and after the last; raises if a daemon has died.

    Raises:
        EngineError: not ready in time, or in a state that waiting cannot mend; and whatever ``still_alive``
            raises.
    """
    started = clock.monotonic()
    last: Readiness | None = None
    while True:
        still_alive()
        now = probe()
        waited = clock.monotonic() - started
        if now.state == "ready":
            # A node that was lost meanwhile does not show in what the primary answers.
            still_alive()
            listener(Event("ready", "done", text=f"{now.text}; waited {waited:.0f} s"))
            return now
        if last is None or now.state != last.state:
            listener(Event("ready", "progress", text=f"{now.state}: {now.text}"))
        if now.state == "misconfigured":
            raise _never(now)
        if waited + _INTERVAL > seconds:
            raise _late(now, seconds)
        last = now
        clock.sleep(_INTERVAL)


def _never(now: Readiness) -> EngineError:
    return EngineError(
        "the service answers, but not to these requests; waiting will not change that",
        evidence=now.text,
        code="never-ready",
    )


def _late(now: Readiness, seconds: float) -> EngineError:
    return EngineError(
        f"the service is not ready after {seconds:.0f} s ({now.state})", evidence=now.text, code="not-ready"
    )


def _abnormal(health: HealthAnswer) -> bool:
    return (
        isinstance(health, HttpResponse)
        and health.status == 500
        and fault_of(http_trouble(health.status, health.body)) == "abnormal"
    )
