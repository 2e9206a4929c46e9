"""Ready is: healthy, and a generation returned tokens. "Daemon start success!" is neither.

What each health answer means: MindIE-LLM v3.0.0 src/server/endpoint (http_handler, health_checker). While
the weights load no HTTP port is open, so a refused connection is normal and the wait goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from lingctl.errors import EngineError
from lingctl.events import Event, Listener, ignore
from lingctl.serving.api import CHAT, INFER, Ask, Dialect, Kind
from lingctl.serving.client import Client, Generation
from lingctl.serving.http import Answer
from lingctl.serving.trouble import Trouble

State = Literal["loading", "warming up", "busy", "abnormal", "no tokens", "misconfigured", "ready"]
_HOPELESS_KINDS = ("tls", "name")
_HOPELESS_STATUSES = (401, 403, 404, 422)

HealthAnswer = Answer | Trouble | None
Probe = Callable[[], "Readiness"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """How far a service is.

    Attributes:
        state: ``misconfigured`` will not become ready by waiting; every other state may.
        text: the evidence.
    """

    state: State
    text: str


class Clock(Protocol):
    """What the wait knows of time."""

    def monotonic(self) -> float:
        """Seconds of a clock that only goes forward."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


def judge_health(health: HealthAnswer) -> Readiness | None:
    """What health alone says; None where a generation must decide.

    A health API that cannot be asked does not decide: it may listen on the node's loopback only.
    """
    match health:
        case Answer(status=503, body=body) if b"busy" in body:
            return Readiness("busy", _said(health))
        case Answer(status=503):
            return Readiness("warming up", _said(health))
        case Answer(status=status) if status >= 500:
            return Readiness("abnormal", _said(health))
        case _:
            return None


def judge_generation(generation: Generation | Trouble) -> Readiness:
    """What an attempt to generate says."""
    match generation:
        case Generation(text=text) if text.strip():
            return Readiness("ready", f"first answer after {generation.seconds:.1f} s")
        case Generation():
            return Readiness("no tokens", "the answer is empty")
        case Trouble(kind="http", status=status) if status in _HOPELESS_STATUSES:
            return Readiness("misconfigured", str(generation))
        case Trouble(kind=kind) if kind in _HOPELESS_KINDS:
            return Readiness("misconfigured", str(generation))
        case Trouble() if generation.no_service or generation.kind == "closed":
            return Readiness("loading", str(generation))
        case _:
            return Readiness("no tokens", str(generation))


def decide(health: HealthAnswer, generation: Callable[[], Generation | Trouble]) -> Readiness:
    """The state from both; the generation is only tried where health allows it."""
    return judge_health(health) or judge_generation(generation())


def probe_of(client: Client, kind: Kind) -> Probe:
    """A probe that asks a MindIE service for its health and for two tokens."""
    dialect: Dialect = CHAT if kind == "chat" else INFER
    ask = Ask("Hi", max_tokens=2)

    def probe() -> Readiness:
        health = client.health() if client.endpoint.management_url else None
        return decide(health, lambda: client.generate(dialect, ask))

    return probe


def missing(probe: Probe) -> str:
    """Ask once: empty when ready, else what is still missing.

    Raises:
        EngineError: waiting will not help.
    """
    now = probe()
    if now.state == "misconfigured":
        raise _never(now)
    return "" if now.state == "ready" else f"{now.state}: {now.text}"


def wait_until_ready(
    probe: Probe,
    *,
    seconds: float,
    listener: Listener = ignore,
    still_alive: Callable[[], None] = lambda: None,
    interval: float = 5.0,
    clock: Clock = time,
) -> Readiness:
    """Probe until ready.

    Args:
        probe: asked every ``interval`` seconds.
        seconds: how long to wait at most.
        listener: told every change of state.
        still_alive: called before each probe; raises if a daemon has died.
        interval: seconds between probes (MindIE's documents ask for at least 5).
        clock: for tests.

    Raises:
        EngineError: not ready in time, or in a state that waiting cannot mend; and whatever
            ``still_alive`` raises.
    """
    started = clock.monotonic()
    last: Readiness | None = None
    while True:
        still_alive()
        now = probe()
        waited = clock.monotonic() - started
        if now.state == "ready":
            listener(Event("ready", "done", text=f"{now.text}; waited {waited:.0f} s"))
            return now
        if last is None or now.state != last.state:
            listener(Event("ready", "progress", text=f"{now.state}: {now.text}"))
        if now.state == "misconfigured":
            raise _never(now)
        if waited + interval > seconds:
            raise _late(now, seconds)
        last = now
        clock.sleep(interval)


def _never(now: Readiness) -> EngineError:
    return EngineError(
        "the service answers, but not to these requests; waiting will not change that",
        evidence=now.text,
        remedy="see which step fails: lingctl smoke-test",
        code="never-ready",
    )


def _late(now: Readiness, seconds: float) -> EngineError:
    return EngineError(
        f"the service is not ready after {seconds:.0f} s ({now.state})",
        evidence=now.text,
        remedy="look at the logs (lingctl logs); if weights still load, raise timeouts.start in hosts.yaml",
        code="not-ready",
    )


def _said(answer: Answer) -> str:
    body = answer.body.decode("utf-8", "replace").strip()[:300]
    return f"HTTP {answer.status} {body or '(empty body)'}"
