"""The rungs of the smoke test: from what an exchange brought to one Finding each. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lingctl.findings import Finding, Subject, Verdict, worst
from lingctl.serving.endpoint import Address
from lingctl.serving.faults import Fault, fault_of
from lingctl.serving.http.answers import Usage
from lingctl.serving.http.client import NO_MODELS, Generation, ModelList
from lingctl.serving.http.exchange import HttpResponse
from lingctl.serving.http.streamed import Streamed, bare
from lingctl.serving.remedies import Advice
from lingctl.serving.smoke.judge import Flaw, SmokeQuestion
from lingctl.serving.trouble import ExchangeTrouble, http_trouble

# How the finding of a rung above the one that broke begins.
NOT_REACHED = "not reached: "
_KNOWN_ENDS = ("stop", "length", "eos_token", "stop_sequence")
_SHOWN = 300
# What an error means, where it is not the request's own fault.
_TOLD: dict[Fault, str] = {
    "tokenizers": "every tokenizer process is in use",
    "busy": "the service is busy",
    "loading": "its model still loads",
    "stopping": "the service is stopping",
    "quota": "nothing is left on the account of the API key",
    "timeout": "the engine brought no token in time",
    "engine": "the engine failed",
    "lost-node": "the primary says that it has lost a node",
    "abnormal": "the service calls itself unhealthy",
    "key": "the service wants an API key, or does not take the one that was sent",
    "redirect": "the service is elsewhere",
}
_INLINE = "the service leaves its thoughts in the text of the answer, between tags"
_OF_HEALTH = (
    "abnormal",
    "loading",
    "stopping",
    "lost-node",
    "engine",
    "busy",
    "tokenizers",
    "timeout",
    "service",
)


@dataclass(frozen=True, slots=True)
class Contact:
    """What the first exchange with the service showed."""

    address: Address  # where it went
    # why there was no HTTP answer, or None if there was one of any status
    trouble: ExchangeTrouble | None = None
    tunnelled: bool = False  # whether it went through SSH
    with_key: bool = False  # whether an API key is sent
    tls_there: bool = False  # whether a TLS handshake is answered where plain HTTP is not


def port(contact: Contact, advice: Advice) -> Finding:
    """Whether something listens."""
    host, number = contact.address.place
    way = " (over SSH)" if contact.tunnelled else ""
    trouble = contact.trouble
    # A tunnel's own end always accepts: a port closed on the node shows as a closed connection.
    shut = trouble and (trouble.no_service or (contact.tunnelled and trouble.kind == "closed"))
    if not trouble or not shut:
        return _passed("port", f"{host}:{number} is open{way}")
    missing = ExchangeTrouble("refused", "closed on the node") if contact.tunnelled else trouble
    return _failed("port", f"{host}:{number} does not answer{way}", str(missing), advice.remedy(missing))


def tls(contact: Contact, advice: Advice) -> Finding:
    """Whether the connection is of the kind asked for, and safe."""
    trouble, secure = contact.trouble, contact.address.scheme == "https"
    if trouble and trouble.kind == "tls":
        return _failed("tls", "the TLS handshake fails", trouble.text, advice.remedy(trouble))
    if secure:
        return _passed("tls", "the certificate is good")
    if contact.tls_there:
        remedy = "use https:// in --url, and name its authority with --ca FILE"
        return _failed("tls", "the service speaks HTTPS, not HTTP", str(trouble or ""), remedy)
    if contact.with_key and not contact.tunnelled and not contact.address.is_loopback:
        remedy = "switch HTTPS on, or run the smoke test over SSH"
        return Finding("tls", Verdict.WARNING, "the API key travels unencrypted", remedy=remedy)
    return _passed("tls", "plain HTTP, as configured")


def health(answer: HttpResponse | ExchangeTrouble | None, advice: Advice, *, own_listener: bool) -> Finding:
    """What the service says of its own health: MindIE's ``own_listener``, or ``/health``; None was not asked.

    In MindIE 3.0.0 it does not say that a node is lost (seen).
    """
    of = Subject("health")
    if answer is None:
        return of.note("no management address is known, so health was not asked")
    if isinstance(answer, ExchangeTrouble):
        remedy = "ask it on the node; MindIE's management listener may be bound to its loopback only"
        remedy = remedy if own_listener else advice.remedy(answer)
        return of.unknown("health could not be asked", evidence=str(answer), remedy=remedy)
    # LM Studio answers 200 to every path.
    unknown = not own_listener and fault_of(http_trouble(answer.status, answer.body)) == "path"
    if unknown or (not own_listener and answer.status == 501):
        return of.note("this service offers no /health")
    if answer.status in (200, 204):
        return _passed("health", "healthy")
    trouble = http_trouble(answer.status, answer.body, answer.headers)
    if not own_listener and fault_of(trouble) not in _OF_HEALTH:
        # A refusal is no word about the service's health.
        what = _why(trouble, "health cannot be asked there")
        return of.unknown(what, evidence=str(trouble), remedy=advice.remedy(trouble))
    fault = fault_of(trouble)
    if fault in ("busy", "loading"):
        return of.warning(_TOLD[fault], evidence=trouble.text, remedy=advice.remedy(trouble))
    # Which node is lost stands beside the message.
    said = answer.body.decode("utf-8", "replace")[:_SHOWN]
    evidence = said if fault == "lost-node" else str(trouble)
    return _failed("health", _why(trouble, _TOLD["abnormal"]), evidence, advice.remedy(trouble))


def models(listed: ModelList | ExchangeTrouble, served_name: str, advice: Advice) -> Finding:
    """Whether the model that will be asked for is listed."""
    if isinstance(listed, ExchangeTrouble):
        none = listed.text == NO_MODELS
        if listed.status in (404, 405) or fault_of(listed) == "path" or (none and served_name):
            return Finding("models", Verdict.NOTE, "this service lists no models", evidence=str(listed))
        if none:
            remedy = "load a model there; or name one that it does not list: --model NAME"
            return _failed("models", NO_MODELS, "an empty list", remedy)
        what = _why(listed, "the list of models cannot be read")
        return _failed("models", what, str(listed), advice.remedy(listed))
    names = ", ".join(listed.names)
    if served_name and served_name not in listed.names:
        remedy = advice.name.format(names=names)
        return _failed("models", f"{served_name!r} is not listed", names, remedy)
    return _passed("models", f"{served_name or listed.names[0]!r} is listed")


def generate(first: Generation | ExchangeTrouble, advice: Advice, notes: Sequence[str] = ()) -> Finding:
    """Whether a greedy request is answered."""
    if isinstance(first, ExchangeTrouble):
        what = _why(first, "the request was not answered")
        return _failed("generate", what, str(first), advice.remedy(first))
    return _noted("generate", f"answered in {first.seconds:.1f} s", notes)


def answer(
    asked: SmokeQuestion, told: Generation, flaws: list[Flaw], max_tokens: int, advice: Advice
) -> Finding:
    """Whether the answer is one."""
    text = told.text
    of = Subject("answer")
    if told.tool_call and not text.strip():
        return of.warning("it calls a function in place of an answer", evidence=told.tool_call[:_SHOWN])
    if told.reasoning and not text.strip():
        made = told.usage.completion if told.usage else max_tokens
        remedy = "ask something that needs less thought (--prompt), or switch its thinking off"
        return of.warning(
            f"it still thought after {made} tokens: no answer to judge",
            evidence=told.reasoning[:_SHOWN],
            remedy=remedy,
        )
    if not flaws:
        notes = [_INLINE] if told.inline else []
        return _noted(
            "answer", f"reads as {'an answer' if asked.kind == 'chat' else 'a continuation'}", notes
        )
    verdict = max(flaw.verdict for flaw in flaws)
    message = "; ".join(flaw.text for flaw in flaws)
    return of.finding(verdict, message, evidence=text[:_SHOWN], remedy=advice.bad_answer)


def finish(result: Generation | ExchangeTrouble, max_tokens: int, advice: Advice) -> Finding:
    """Whether generation ended for a documented reason."""
    if isinstance(result, ExchangeTrouble):
        return _failed("finish", "the finish reason could not be asked", str(result), advice.remedy(result))
    reason = result.finish_reason
    if reason not in _KNOWN_ENDS:
        said = repr(reason) if reason else "none"
        return _failed("finish", "the finish reason is not a documented one", said, advice.odd_end)
    made = result.usage.completion if result.usage else None
    if reason == "length" and made is not None and made < max_tokens:
        message = f"it stopped for length after {made} of {max_tokens} tokens"
        return Finding("finish", Verdict.WARNING, message, evidence=reason, remedy=advice.cut_short)
    meaning = "the token limit" if reason == "length" else "the end token"
    return _passed("finish", f"stopped at {meaning} ({reason})")


def tokens(result: Generation | ExchangeTrouble, max_tokens: int, advice: Advice) -> Finding:
    """Whether the service counts its tokens, and rightly so."""
    if isinstance(result, ExchangeTrouble):
        return _failed("tokens", "the counts could not be asked", str(result), advice.remedy(result))
    usage = result.usage
    if usage is None:
        return _failed("tokens", "the answer counts no tokens", "no usage", advice.usual)
    wrong = _miscount(usage, max_tokens)
    if wrong:
        return _failed("tokens", wrong, str(usage), "report it to the service's maker, with this answer")
    went_in = "" if usage.prompt is None else f"{usage.prompt} in, "
    return _passed("tokens", f"{went_in}{usage.completion} out")


def stream(
    streamed: Streamed,
    unstreamed: Generation,
    advice: Advice,
    *,
    repeatable: bool,
    notes: Sequence[str] = (),
) -> Finding:
    """Whether streaming is well-formed and says the same."""
    trouble = streamed.trouble
    if trouble:
        after = f"after {streamed.events} events: {trouble}"
        return _failed("stream", _why(trouble, "the stream broke"), after, advice.remedy(trouble))
    if not (streamed.text or streamed.reasoning or streamed.tool_call):
        return _failed("stream", "the stream holds no text", f"{streamed.events} events", advice.usual)
    if not streamed.finish_reason:
        return Finding(
            "stream",
            Verdict.WARNING,
            "no event says why the answer ended (finish_reason): some clients take that for a broken stream",
            evidence=f"{streamed.events} events",
            remedy="report it to the service's maker",
        )
    if bare(streamed.text) == bare(unstreamed.text):
        return _noted("stream", f"{streamed.events} well-formed events, same text as unstreamed", notes)
    if not repeatable:
        return Finding("stream", Verdict.NOTE, "well-formed; not compared, as answers differ anyway")
    remedy = "report it to the service's maker, with both texts"
    return _failed(
        "stream", "streamed and unstreamed text differ", difference(unstreamed.text, streamed.text), remedy
    )


def first_token(streamed: Streamed, limit: float, advice: Advice) -> Finding:
    """Whether the first token came within ``limit`` seconds."""
    seconds = streamed.first_token_seconds
    if seconds is None:
        return not_reached("first-token", "stream")
    if seconds > limit:
        late = f"the first token took {seconds:.1f} s"
        return _failed("first-token", late, f"limit: {limit:g} s", advice.slow)
    answered = streamed.answer_seconds
    if not streamed.reasoning:
        return _passed("first-token", f"after {seconds:.2f} s")
    after = "it came to none" if answered is None else f"after {answered:.2f} s"
    return _passed("first-token", f"after {seconds:.2f} s, a thought; the answer's first: {after}")


def repeat(first: str, second: Generation | ExchangeTrouble, advice: Advice) -> Finding:
    """Whether the same greedy request brings the same answer."""
    if isinstance(second, ExchangeTrouble):
        what = _why(second, "the second request was not answered")
        return _failed("repeat", what, str(second), advice.remedy(second))
    if second.text == first:
        return _passed("repeat", "the same answer twice")
    return Finding(
        "repeat",
        Verdict.WARNING,
        "the same greedy request was answered differently",
        evidence=difference(first, second.text),
        remedy=advice.differs,
    )


def bad_request(
    answer: HttpResponse | ExchangeTrouble, after: Generation | ExchangeTrouble, advice: Advice
) -> Finding:
    """Whether a wrong request is refused politely, and the service lives on."""
    if isinstance(answer, ExchangeTrouble):
        return _failed("bad-request", "a wrong request got no answer", str(answer), advice.remedy(answer))
    trouble = http_trouble(answer.status, answer.body)
    if fault_of(trouble) in _TOLD:
        return _failed("bad-request", _TOLD[fault_of(trouble)], str(trouble), advice.remedy(trouble))
    if answer.status < 400 or answer.status >= 500:
        remedy = "400 is usual, 422 MindIE's; report it to the service's maker"
        return _failed("bad-request", "a wrong request is not refused as documented", str(trouble), remedy)
    if isinstance(after, ExchangeTrouble):
        return _failed(
            "bad-request", "the service is gone after a wrong request", str(after), advice.remedy(after)
        )
    return _passed("bad-request", f"refused with {answer.status}, and alive after it")


def held_back(reason: str) -> Finding:
    """The request that was not sent, because it could end the service.

    In MindIE 3.0.0 the first request after the loss of a node ends the primary, without an answer (seen).
    """
    remedy = "see every node's daemon: lingctl status; start all of them again: lingctl restart"
    return Finding("generate", Verdict.UNKNOWN, f"not asked: {reason}", evidence=reason, remedy=remedy)


def not_reached(name: str, because: str) -> Finding:
    """A rung above the one that broke: unknown, which is no pass."""
    return Finding(name, Verdict.UNKNOWN, f"{NOT_REACHED}{because} failed")


def difference(one: str, other: str) -> str:
    """Where two texts part, with a little of both."""
    at = next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    from_ = max(0, at - 20)
    return f"from character {at}: {one[from_ : at + 40]!r} and {other[from_ : at + 40]!r}"


def exit_status(findings: tuple[Finding, ...]) -> int:
    """0 nothing worse than a note, 4 not reachable, 1 a rung failed, 3 warnings or unknowns."""
    if any(f.check == "port" and f.verdict is Verdict.FAILURE for f in findings):
        return 4
    verdict = worst(findings)
    return 0 if verdict <= Verdict.NOTE else 1 if verdict is Verdict.FAILURE else 3


def _miscount(usage: Usage, max_tokens: int) -> str:
    if usage.completion <= 0:
        return "it counts no generated token"
    if usage.completion > max_tokens:
        return f"it counts {usage.completion} generated tokens where {max_tokens} were allowed"
    if usage.prompt is None or usage.total is None or usage.total == usage.prompt + usage.completion:
        return ""
    return "the total is not the sum"


def _why(trouble: ExchangeTrouble, otherwise: str) -> str:
    if fault_of(trouble) == "stopping" and trouble.empty:
        # SGLang answers so while it starts, MindIE once a process of it has died.
        return "the service takes no requests: it is stopping, or still starting"
    return _TOLD.get(fault_of(trouble), otherwise)


def _noted(name: str, message: str, notes: Sequence[str]) -> Finding:
    """A pass; a note where something has to be known about it."""
    return Finding(name, Verdict.NOTE if notes else Verdict.PASS, "; ".join([message, *notes]))


def _passed(name: str, message: str) -> Finding:
    return Finding(name, Verdict.PASS, message)


def _failed(name: str, message: str, evidence: str, remedy: str) -> Finding:
    return Finding(name, Verdict.FAILURE, message, evidence=evidence, remedy=remedy)
