"""The smoke test: a ladder of rungs, each with its own verdict; proof that the service answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lingctl.events import Event, Listener, ignore
from lingctl.findings import Finding, Verdict, worst
from lingctl.serving.api import INFER, Ask, Dialect, ModelKind, dialect_for
from lingctl.serving.client import Client, Generation, ModelList
from lingctl.serving.endpoint import address_of
from lingctl.serving.http import HttpResponse, speaks_tls
from lingctl.serving.readiness import settled_health
from lingctl.serving.smoke import rungs
from lingctl.serving.smoke.judge import judge_answer, question
from lingctl.serving.smoke.streamed import gather
from lingctl.serving.trouble import ExchangeTrouble

KindChoice = Literal["chat", "base", "auto"]

RUNGS = (
    "port",
    "tls",
    "health",
    "models",
    "generate",
    "answer",
    "finish",
    "tokens",
    "repeat",
    "stream",
    "first-token",
    "bad-request",
)


@dataclass(frozen=True, slots=True)
class SmokeOptions:
    """What to ask."""

    # ``auto`` takes a model with ``base`` in its name, or one that cannot chat, for a base model
    kind: KindChoice = "auto"
    prompt: str = ""  # the user's own; empty for the Ling README's
    expect: str = ""  # text that the answer must hold
    first_token_limit: float = 10.0  # seconds that the first token may take
    patience: float = 60.0  # seconds of silence after which an answer counts as stuck

    def of_kind(self, kind: ModelKind) -> SmokeOptions:
        """The same options with the kind known."""
        return replace(self, kind=kind)


@dataclass(frozen=True, slots=True)
class SmokeReport:
    """How far up the ladder the service got."""

    findings: tuple[Finding, ...]  # one per rung, in the ladder's order, then those about the nodes
    url: str  # base URL of the service
    model: str  # name that was asked for
    kind: ModelKind  # ``chat`` or ``base``, as judged
    prompt: str  # what was asked
    answer: str  # what the model said, empty if nothing
    seconds: float  # how long all of it took

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings."""
        return worst(self.findings)

    @property
    def exit_status(self) -> int:
        """0 good, 1 a rung failed, 3 warnings or unknowns, 4 not reachable."""
        return rungs.exit_status(self.findings)

    @property
    def told(self) -> tuple[Finding, ...]:
        """The findings as they are shown: a dead daemon first, rungs that were not reached in one line."""
        dead = [f for f in self.findings if f.check == "daemon" and f.verdict is Verdict.FAILURE]
        others = [f for f in self.findings if f not in dead]
        unreached = {
            f.message: [g for g in others if g.message == f.message] for f in others if _unreached(f)
        }
        lines = [*dead]
        for finding in others:
            alike = unreached.get(finding.message)
            if alike is None:
                lines.append(finding)
            elif finding is alike[0]:
                lines.append(replace(finding, check=", ".join(f.check for f in alike)))
        return tuple(lines)

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """What is to be mended: where a daemon is dead, that alone and not what HTTP says of it."""
        bad = tuple(f for f in self.told if f.verdict > Verdict.NOTE and not _unreached(f))
        dead = any(f.check == "daemon" and f.verdict is Verdict.FAILURE for f in bad)
        return tuple(f for f in bad if not dead or f.check not in RUNGS)

    def with_findings(self, more: Sequence[Finding]) -> SmokeReport:
        """The same report with findings about the nodes added."""
        return replace(self, findings=(*self.findings, *more))

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "verdict": self.verdict.word,
            "url": self.url,
            "model": self.model,
            "kind": self.kind,
            "prompt": self.prompt,
            "answer": self.answer,
            "seconds": round(self.seconds, 3),
            "findings": [finding.as_json() for finding in self.findings],
        }


def _unreached(finding: Finding) -> bool:
    return finding.verdict is Verdict.UNKNOWN and finding.message.startswith(rungs.NOT_REACHED)


def smoke_test(
    client: Client,
    options: SmokeOptions | None = None,
    *,
    listener: Listener = ignore,
    without_asking: str = "",
) -> SmokeReport:
    """Climb the ladder; a rung that everything above stands on leaves those above unknown.

    Args:
        without_asking: why no text may be asked for; empty where it may.
    """
    return _Climb(client, options or SmokeOptions(), listener, without_asking).run()


class _Climb:
    def __init__(
        self, client: Client, options: SmokeOptions, listener: Listener, without_asking: str
    ) -> None:
        self._client = client
        self._without_asking = without_asking
        self._options = options
        self._listener = listener
        self._findings: list[Finding] = []
        self._question = question(
            "base" if options.kind == "base" else "chat", options.prompt, options.expect
        )
        self._answer = ""
        self._mindie = bool(client.endpoint.management_url)

    def run(self) -> SmokeReport:
        started = time.perf_counter()
        if self._reach():
            if self._without_asking:
                self._add(rungs.held_back(self._without_asking))
            else:
                self._talk()
        broken = next((f.check for f in self._findings if f.verdict is Verdict.FAILURE), "an earlier rung")
        reached = {finding.check for finding in self._findings}
        above = [rungs.not_reached(name, broken) for name in RUNGS if name not in reached]
        return SmokeReport(
            findings=tuple(sorted([*self._findings, *above], key=lambda f: RUNGS.index(f.check))),
            url=self._client.endpoint.service_url,
            model=self._client.endpoint.served_name,
            kind=self._question.kind,
            prompt=self._question.prompt,
            answer=self._answer,
            seconds=time.perf_counter() - started,
        )

    def _reach(self) -> bool:
        """Port, TLS, health, models; False where there is no use in asking for text."""
        listed = self._client.models()
        contact = self._contact(listed)
        if not self._add(rungs.port(contact)) or not self._add(rungs.tls(contact)):
            return False
        self._add(self._health())
        if not self._add(rungs.models(listed, self._client.endpoint.served_name)):
            return False
        if isinstance(listed, ModelList):
            self._take_name(listed)
        return True

    def _contact(self, listed: ModelList | ExchangeTrouble) -> rungs.Contact:
        address = address_of(self._client.endpoint.service_url)
        route = self._client.routes.get(address.place)
        trouble = listed if isinstance(listed, ExchangeTrouble) and not listed.status else None
        silent = trouble is not None and trouble.kind in ("closed", "malformed")
        tls_there = address.scheme == "http" and silent and speaks_tls(route or address.place)
        if tls_there:
            trouble = ExchangeTrouble("malformed", "plain HTTP is refused, a TLS handshake is answered")
        return rungs.Contact(
            address, trouble, route is not None, bool(self._client.endpoint.api_key), tls_there
        )

    def _health(self) -> Finding:
        if self._mindie:
            return rungs.health(settled_health(self._client.health), own_listener=True)
        return rungs.health(self._client.service_health(), own_listener=False)

    def _take_name(self, listed: ModelList) -> None:
        name = self._client.endpoint.served_name or listed.names[0]
        self._client = replace(self._client, endpoint=self._client.endpoint.with_name(name))
        self._mindie = self._mindie or listed.of_mindie
        if self._options.kind == "auto" and "base" in name.lower():
            self._become_base()

    def _become_base(self) -> None:
        self._question = question("base", self._options.prompt, self._options.expect)

    def _talk(self) -> None:
        first = self._generate()
        if self._options.kind == "auto" and isinstance(first, ExchangeTrouble) and _cannot_chat(first):
            self._become_base()
            first = self._generate()
        if not self._add(rungs.generate(first)) or isinstance(first, ExchangeTrouble):
            return
        self._answer = first.text
        self._add(rungs.answer(self._question, first.text, judge_answer(self._question, first.text)))
        counted = first if self._dialect is not INFER else self._generate(details=True)
        self._add(rungs.finish(counted, self._question.max_tokens))
        self._add(rungs.tokens(counted, self._question.max_tokens))
        second = self._generate()
        same = self._add(rungs.repeat(first.text, second)) and isinstance(second, Generation)
        streamed = gather(self._client.stream(self._dialect, self._ask(details=True)))
        repeatable = same and isinstance(second, Generation) and second.text == first.text
        self._add(rungs.stream(streamed, first.text, repeatable=repeatable))
        self._add(rungs.first_token(streamed, self._options.first_token_limit))
        self._add(rungs.bad_request(self._wrong_request(), self._generate(max_tokens=1)))

    @property
    def _dialect(self) -> Dialect:
        return dialect_for(self._question.kind, mindie=self._mindie)

    def _ask(self, details: bool = False, max_tokens: int = 0) -> Ask:
        asked = self._question
        return Ask(asked.prompt, asked.system, max_tokens or asked.max_tokens, details=details)

    def _generate(self, details: bool = False, max_tokens: int = 0) -> Generation | ExchangeTrouble:
        return self._client.generate(self._dialect, self._ask(details, max_tokens))

    def _wrong_request(self) -> HttpResponse | ExchangeTrouble:
        """A request without the field that says what to answer; refused before anything is computed.

        Never a wrong ``stop``: a number in it ends the whole service of MindIE 3.0.0 (seen).
        """
        whole = self._dialect.body(self._client.endpoint.served_name, self._ask(), False)
        missing = ("messages", "prompt", "inputs")
        return self._client.post(self._dialect.path, {k: v for k, v in whole.items() if k not in missing})

    def _add(self, finding: Finding) -> bool:
        """Keep a finding and tell the listener; False if it failed."""
        good = finding.verdict < Verdict.FAILURE
        self._findings.append(finding)
        self._listener(Event(finding.check, "done" if good else "failed", text=finding.message))
        return good


def _cannot_chat(trouble: ExchangeTrouble) -> bool:
    text = trouble.text.lower()
    return (
        "chat template" in text or "chat_template" in text or (trouble.status == 404 and "model" not in text)
    )
