"""The rungs of the smoke test: from what an exchange brought to one Finding each. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from lingctl.findings import Finding, Verdict, worst
from lingctl.serving.api import Usage
from lingctl.serving.client import Generation, ModelList
from lingctl.serving.endpoint import Address
from lingctl.serving.faults import Fault, fault_of
from lingctl.serving.http import HttpResponse
from lingctl.serving.smoke.judge import Flaw, SmokeQuestion
from lingctl.serving.smoke.remedies import remedy_for
from lingctl.serving.smoke.streamed import Streamed, bare
from lingctl.serving.trouble import ExchangeTrouble, http_trouble

# How the finding of a rung above the one that broke begins.
NOT_REACHED = "not reached: "
_KNOWN_ENDS = ("stop", "length", "eos_token", "stop_sequence")
_SHOWN = 300
# What an error means, where it is not the request's own fault.
_TOLD: dict[Fault, str] = {
    "tokenizers": "every tokenizer process is in use",
    "busy": "the service is busy",
    "stopping": "the service is stopping",
    "timeout": "the engine brought no token in time",
    "engine": "the engine failed",
    "lost-node": "the primary says that it has lost a node",
    "abnormal": "the service calls itself unhealthy",
}


@dataclass(frozen=True, slots=True)
class Contact:
    """What the first exchange with the service showed."""

    address: Address  # where it went
    # why there was no HTTP answer, or None if there was one of any status
    trouble: ExchangeTrouble | None = None
    tunnelled: bool = False  # whether it went through SSH
    with_key: bool = False  # whether an API key is sent
    tls_there: bool = False  # whether a TLS handshake is answered where plain HTTP is not


def port(contact: Contact) -> Finding:
    """Whether something listens."""
    host, number = contact.address.place
    way = " (over SSH)" if contact.tunnelled else ""
    trouble = contact.trouble
    # A tunnel's own end always accepts: a port closed on the node shows as a closed connection.
    shut = trouble and (trouble.no_service or (contact.tunnelled and trouble.kind == "closed"))
    if not trouble or not shut:
        return _passed("port", f"{host}:{number} is open{way}")
    missing = ExchangeTrouble("refused", "closed on the node") if contact.tunnelled else trouble
    return _failed("port", f"{host}:{number} does not answer{way}", str(missing), remedy_for(missing))


def tls(contact: Contact) -> Finding:
    """Whether the connection is of the kind asked for, and safe."""
    trouble, secure = contact.trouble, contact.address.scheme == "https"
    if trouble and trouble.kind == "tls":
        return _failed("tls", "the TLS handshake fails", trouble.text, remedy_for(trouble))
    if secure:
        return _passed("tls", "the certificate is good")
    if contact.tls_there:
        remedy = "use https:// in --url, and name its authority with --ca FILE"
        return _failed("tls", "the service speaks HTTPS, not HTTP", str(trouble or ""), remedy)
    if contact.with_key and not contact.tunnelled and not contact.address.is_loopback:
        remedy = "switch HTTPS on, or run the smoke test over SSH"
        return Finding("tls", Verdict.WARNING, "the API key travels unencrypted", remedy=remedy)
    return _passed("tls", "plain HTTP, as configured")


def health(answer: HttpResponse | ExchangeTrouble | None, *, own_listener: bool) -> Finding:
    """What the service says of its own health. In MindIE 3.0.0 it does not say that a node is lost (seen).

    Args:
        answer: of MindIE's management listener, or of ``/health`` elsewhere; None if it was not asked.
        own_listener: whether it was MindIE's.
    """
    if answer is None:
        return Finding("health", Verdict.NOTE, "no management address is known, so health was not asked")
    if isinstance(answer, ExchangeTrouble):
        remedy = "ask it on the node; MindIE's management listener may be bound to its loopback only"
        return Finding(
            "health", Verdict.UNKNOWN, "health could not be asked", evidence=str(answer), remedy=remedy
        )
    if answer.status == 200:
        return _passed("health", "healthy")
    if not own_listener and answer.status in (404, 405):
        return Finding("health", Verdict.NOTE, "this service offers no /health")
    trouble = http_trouble(answer.status, answer.body)
    if fault_of(trouble) == "busy":
        remedy = remedy_for(trouble)
        return Finding("health", Verdict.WARNING, _TOLD["busy"], evidence=trouble.text, remedy=remedy)
    # Which node is lost stands beside the message.
    said = answer.body.decode("utf-8", "replace")[:_SHOWN]
    evidence = said if fault_of(trouble) == "lost-node" else str(trouble)
    return _failed("health", _why(trouble, _TOLD["abnormal"]), evidence, remedy_for(trouble))


def models(listed: ModelList | ExchangeTrouble, served_name: str) -> Finding:
    """Whether the model that will be asked for is listed."""
    if isinstance(listed, ExchangeTrouble):
        if listed.status in (404, 405):
            return Finding("models", Verdict.NOTE, "this service lists no models", evidence=str(listed))
        return _failed("models", "the list of models cannot be read", str(listed), remedy_for(listed))
    names = ", ".join(listed.names)
    if served_name and served_name not in listed.names:
        remedy = f"set serving.served_name or --model to one of: {names}"
        return _failed("models", f"{served_name!r} is not listed", names, remedy)
    return _passed("models", f"{served_name or listed.names[0]!r} is listed")


def generate(first: Generation | ExchangeTrouble) -> Finding:
    """Whether a greedy request is answered."""
    if isinstance(first, ExchangeTrouble):
        what = _why(first, "the request was not answered")
        return _failed("generate", what, str(first), remedy_for(first))
    return _passed("generate", f"answered in {first.seconds:.1f} s")


def answer(asked: SmokeQuestion, text: str, flaws: list[Flaw]) -> Finding:
    """Whether the answer is one."""
    if not flaws:
        return _passed("answer", f"reads as {'an answer' if asked.kind == 'chat' else 'a continuation'}")
    remedy = (
        "check the weights and how they were converted (lingctl verify-weights), then the overlay "
        "(lingctl patch) and that every node runs the same release"
    )
    verdict = max(flaw.verdict for flaw in flaws)
    message = "; ".join(flaw.text for flaw in flaws)
    return Finding("answer", verdict, message, evidence=text[:_SHOWN], remedy=remedy)


def finish(result: Generation | ExchangeTrouble, max_tokens: int) -> Finding:
    """Whether generation ended for a documented reason."""
    if isinstance(result, ExchangeTrouble):
        return _failed("finish", "the finish reason could not be asked", str(result), remedy_for(result))
    reason = result.finish_reason
    if reason not in _KNOWN_ENDS:
        said = repr(reason) if reason else "none"
        return _failed("finish", "the finish reason is not a documented one", said, "read: lingctl logs")
    made = result.usage.completion if result.usage else None
    if reason == "length" and made is not None and made < max_tokens:
        message = f"it stopped for length after {made} of {max_tokens} tokens"
        remedy = "raise serving.max_output_tokens or serving.max_seq_len"
        return Finding("finish", Verdict.WARNING, message, evidence=reason, remedy=remedy)
    meaning = "the token limit" if reason == "length" else "the end token"
    return _passed("finish", f"stopped at {meaning} ({reason})")


def tokens(result: Generation | ExchangeTrouble, max_tokens: int) -> Finding:
    """Whether the service counts its tokens, and rightly so."""
    if isinstance(result, ExchangeTrouble):
        return _failed("tokens", "the counts could not be asked", str(result), remedy_for(result))
    usage = result.usage
    if usage is None:
        return _failed("tokens", "the answer counts no tokens", "no usage", "check the MindIE version")
    wrong = _miscount(usage, max_tokens)
    if wrong:
        return _failed("tokens", wrong, str(usage), "report it to the service's maker, with this answer")
    went_in = "" if usage.prompt is None else f"{usage.prompt} in, "
    return _passed("tokens", f"{went_in}{usage.completion} out")


def stream(streamed: Streamed, unstreamed: str, *, repeatable: bool) -> Finding:
    """Whether streaming is well-formed and says the same."""
    trouble = streamed.trouble
    if trouble:
        after = f"after {streamed.events} events: {trouble}"
        return _failed("stream", _why(trouble, "the stream broke"), after, remedy_for(trouble))
    if not streamed.text:
        return _failed("stream", "the stream holds no text", f"{streamed.events} events", "lingctl logs")
    if bare(streamed.text) == bare(unstreamed):
        return _passed("stream", f"{streamed.events} well-formed events, same text as unstreamed")
    if not repeatable:
        return Finding("stream", Verdict.NOTE, "well-formed; not compared, as answers differ anyway")
    remedy = "report it to the service's maker, with both texts"
    return _failed(
        "stream", "streamed and unstreamed text differ", difference(unstreamed, streamed.text), remedy
    )


def first_token(streamed: Streamed, limit: float) -> Finding:
    """Whether the first token came within ``limit`` seconds."""
    seconds = streamed.first_token_seconds
    if seconds is None:
        return not_reached("first-token", "stream")
    if seconds > limit:
        remedy = "look for other load, swapped-out weights or a slow link: lingctl check-network"
        return _failed("first-token", f"the first token took {seconds:.1f} s", f"limit: {limit:g} s", remedy)
    return _passed("first-token", f"after {seconds:.2f} s")


def repeat(first: str, second: Generation | ExchangeTrouble) -> Finding:
    """Whether the same greedy request brings the same answer."""
    if isinstance(second, ExchangeTrouble):
        what = _why(second, "the second request was not answered")
        return _failed("repeat", what, str(second), remedy_for(second))
    if second.text == first:
        return _passed("repeat", "the same answer twice")
    return Finding(
        "repeat",
        Verdict.WARNING,
        "the same greedy request was answered differently",
        evidence=difference(first, second.text),
        remedy="reduction order may differ from run to run; set HCCL_DETERMINISTIC=true to make it the same",
    )


def bad_request(answer: HttpResponse | ExchangeTrouble, after: Generation | ExchangeTrouble) -> Finding:
    """Whether a wrong request is refused politely, and the service lives on."""
    if isinstance(answer, ExchangeTrouble):
        return _failed("bad-request", "a wrong request got no answer", str(answer), remedy_for(answer))
    trouble = http_trouble(answer.status, answer.body)
    if fault_of(trouble) in _TOLD:
        return _failed("bad-request", _TOLD[fault_of(trouble)], str(trouble), remedy_for(trouble))
    if answer.status < 400 or answer.status >= 500:
        remedy = "MindIE documents 422, OpenAI 400; report it to the service's maker"
        return _failed("bad-request", "a wrong request is not refused as documented", str(trouble), remedy)
    if isinstance(after, ExchangeTrouble):
        return _failed(
            "bad-request", "the service is gone after a wrong request", str(after), remedy_for(after)
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
    return _TOLD.get(fault_of(trouble), otherwise)


def _passed(name: str, message: str) -> Finding:
    return Finding(name, Verdict.PASS, message)


def _failed(name: str, message: str, evidence: str, remedy: str) -> Finding:
    return Finding(name, Verdict.FAILURE, message, evidence=evidence, remedy=remedy)
