"""The smoke test: a ladder of rungs, each with its own verdict; proof that the service answers."""

from __future__ import annotations

import time
from dataclasses import replace

from lingctl.events import Event, Listener, ignore
from lingctl.findings import Finding, Verdict
from lingctl.serving.endpoint import address_of
from lingctl.serving.faults import of_the_request
from lingctl.serving.http.answers import Piece
from lingctl.serving.http.api import A_FEW, INFER, Ask, Dialect, ModelKind, dialect_for
from lingctl.serving.http.client import Client, ModelList
from lingctl.serving.http.concessions import agreed, costs
from lingctl.serving.http.exchange import HttpResponse, speaks_tls
from lingctl.serving.http.models import cannot_chat, kind_by_name, known
from lingctl.serving.http.streamed import Streamed, gather
from lingctl.serving.readiness import settled_health
from lingctl.serving.remedies import advice_for
from lingctl.serving.smoke import contact, rungs, verdicts
from lingctl.serving.smoke.contact import Contact
from lingctl.serving.smoke.judge import SmokeQuestion, judge_answer, question
from lingctl.serving.smoke.report import RUNGS, SmokeOptions, SmokeReport
from lingctl.serving.trouble import ExchangeTrouble

_MOST_TO_THINK = 4096


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
        self._kind: ModelKind = "base" if options.kind == "base" else "chat"
        self._answer = ""
        self._mindie = bool(client.endpoint.management_url)
        self._advice = advice_for(client.endpoint)
        self._max_tokens = self._question.max_tokens

    def run(self) -> SmokeReport:
        started = time.perf_counter()
        if self._reach():
            if self._without_asking:
                self._add(verdicts.held_back(self._without_asking))
            else:
                self._talk()
        broken = next((f.check for f in self._findings if f.verdict is Verdict.FAILURE), "an earlier rung")
        reached = {finding.check for finding in self._findings}
        above = [verdicts.not_reached(name, broken) for name in RUNGS if name not in reached]
        return SmokeReport(
            findings=tuple(sorted([*self._findings, *above], key=lambda f: RUNGS.index(f.check))),
            url=self._client.endpoint.service_url,
            model=self._client.endpoint.served_name,
            kind=self._kind,
            prompt=self._question.prompt,
            answer=self._answer,
            seconds=time.perf_counter() - started,
        )

    def _reach(self) -> bool:
        """Port, TLS, health, models; False where there is no use in asking for text."""
        listed = self._client.models()
        seen = self._contact(listed)
        for finding in (contact.port(seen, self._advice), contact.tls(seen, self._advice)):
            if not self._add(finding):
                return False
        self._add(self._health())
        if not self._add(contact.models(listed, self._client.endpoint.served_name, self._advice)):
            return False
        self._client, self._mindie = known(self._client, listed)
        self._kind = kind_by_name(self._client.endpoint.served_name, self._options.kind)
        return True

    def _contact(self, listed: ModelList | ExchangeTrouble) -> Contact:
        address = address_of(self._client.endpoint.service_url)
        route = self._client.routes.get(address.place)
        trouble = listed if isinstance(listed, ExchangeTrouble) and not listed.status else None
        silent = trouble is not None and trouble.kind in ("closed", "malformed")
        tls_there = address.scheme == "http" and silent and speaks_tls(route or address.place)
        if tls_there:
            trouble = ExchangeTrouble("malformed", "plain HTTP is refused, a TLS handshake is answered")
        return Contact(address, trouble, route is not None, bool(self._client.endpoint.api_key), tls_there)

    def _health(self) -> Finding:
        said = settled_health(self._client.health) if self._mindie else self._client.health()
        return contact.health(said, self._advice, own_listener=self._mindie)

    @property
    def _question(self) -> SmokeQuestion:
        return question(self._kind, self._options.prompt, self._options.expect)

    def _talk(self) -> None:
        first = self._first_answer()
        notes = costs(self._client.left_out)
        if not self._add(rungs.generate(first, self._advice, notes)) or isinstance(first, ExchangeTrouble):
            return
        self._answer = first.text
        flaws = judge_answer(self._question, first.text)
        self._add(rungs.answer(self._question, first, flaws, self._max_tokens, self._advice))
        counted = first if self._dialect is not INFER else self._generate(details=True)
        self._add(rungs.finish(counted, self._max_tokens, self._advice))
        self._add(rungs.tokens(counted, self._max_tokens, self._advice))
        second = self._generate()
        self._add(rungs.repeat(first.text, second, self._advice))
        before = self._client.left_out
        streamed = self._stream()
        notes = costs(self._client.left_out - before)
        repeatable = isinstance(second, Piece) and second.text == first.text
        self._add(rungs.stream(streamed, first, self._advice, repeatable=repeatable, notes=notes))
        self._add(rungs.first_token(streamed, self._options.first_token_limit, self._advice))
        refused = self._wrong_request()
        self._add(rungs.bad_request(refused, self._generate(max_tokens=A_FEW), self._advice))

    def _first_answer(self) -> Piece | ExchangeTrouble:
        """The first answer, asked for again where the service only refuses how it was asked for."""
        first = self._generate()
        if self._options.kind == "auto" and isinstance(first, ExchangeTrouble) and cannot_chat(first):
            self._kind = "base"
            first = self._generate()
        if isinstance(first, ExchangeTrouble):
            self._client = agreed(self._client, lambda client: client.refusal(self._dialect, self._ask()))
            first = self._generate() if self._client.left_out else first
        if isinstance(first, Piece) and first.reasoning and not first.text.strip():
            self._max_tokens = self._tokens_to_think(first)
            first = self._generate()
        return first

    def _tokens_to_think(self, first: Piece) -> int:
        """Most tokens of an answer that begins with thoughts, which are longer than answers.

        As many as the service makes in half the patience: an answer that is not a stream is silent until it
        is whole.
        """
        made = first.usage.completion if first.usage else self._max_tokens
        affordable = int(made / max(first.seconds, 1e-3) * self._options.patience / 2)
        return min(max(affordable, self._max_tokens), _MOST_TO_THINK)

    def _stream(self) -> Streamed:
        """The answer as a stream, without a field that the service refuses."""
        ask = self._ask(details=True)
        streamed = gather(self._client.stream(self._dialect, ask))
        if streamed.trouble and of_the_request(streamed.trouble):
            brief = replace(ask, max_tokens=A_FEW)
            self._client = agreed(
                self._client, lambda client: gather(client.stream(self._dialect, brief)).trouble
            )
            streamed = gather(self._client.stream(self._dialect, ask))
        return streamed

    @property
    def _dialect(self) -> Dialect:
        return dialect_for(self._kind, mindie=self._mindie)

    def _ask(self, details: bool = False, max_tokens: int = 0) -> Ask:
        asked = self._question
        return Ask(asked.prompt, asked.system, max_tokens or self._max_tokens, details=details)

    def _generate(self, details: bool = False, max_tokens: int = 0) -> Piece | ExchangeTrouble:
        return self._client.generate(self._dialect, self._ask(details, max_tokens))

    def _wrong_request(self) -> HttpResponse | ExchangeTrouble:
        """A request without the field that says what to answer; refused before anything is computed.

        Never a wrong ``stop``: a number in it ends the whole service of MindIE 3.0.0 (seen).
        """
        whole = self._client.body(self._dialect, self._ask(), stream=False)
        missing = ("messages", "prompt", "inputs")
        return self._client.post(self._dialect.path, {k: v for k, v in whole.items() if k not in missing})

    def _add(self, finding: Finding) -> bool:
        """Keep a finding and tell the listener; False if it failed."""
        good = finding.verdict < Verdict.FAILURE
        self._findings.append(finding)
        self._listener(Event(finding.check, "done" if good else "failed", text=finding.message))
        return good
