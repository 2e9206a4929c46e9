"""The rungs of the smoke test that ask for text: from what an exchange brought to one Finding each. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lingctl.findings import Finding, Subject, Verdict
from lingctl.serving.faults import fault_of
from lingctl.serving.http.answers import Piece, Usage
from lingctl.serving.http.exchange import HttpResponse
from lingctl.serving.http.streamed import Streamed, bare
from lingctl.serving.remedies import Advice
from lingctl.serving.smoke.judge import Flaw, SmokeQuestion
from lingctl.serving.smoke.verdicts import TOLD, failed, not_reached, noted, passed, why
from lingctl.serving.trouble import ExchangeTrouble, http_trouble

_KNOWN_ENDS = ("stop", "length", "eos_token", "stop_sequence")
_SHOWN = 300
_INLINE = "the service leaves its thoughts in the text of the answer, between tags"


def generate(first: Piece | ExchangeTrouble, advice: Advice, notes: Sequence[str] = ()) -> Finding:
    """Whether a greedy request is answered."""
    if isinstance(first, ExchangeTrouble):
        what = why(first, "the request was not answered")
        return failed("generate", what, str(first), advice.remedy(first))
    return noted("generate", f"answered in {first.seconds:.1f} s", notes)


def answer(asked: SmokeQuestion, told: Piece, flaws: list[Flaw], max_tokens: int, advice: Advice) -> Finding:
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
        return noted("answer", f"reads as {'an answer' if asked.kind == 'chat' else 'a continuation'}", notes)
    verdict = max(flaw.verdict for flaw in flaws)
    message = "; ".join(flaw.text for flaw in flaws)
    return of.finding(verdict, message, evidence=text[:_SHOWN], remedy=advice.bad_answer)


def finish(result: Piece | ExchangeTrouble, max_tokens: int, advice: Advice) -> Finding:
    """Whether generation ended for a documented reason."""
    if isinstance(result, ExchangeTrouble):
        return failed("finish", "the finish reason could not be asked", str(result), advice.remedy(result))
    reason = result.finish_reason
    if reason not in _KNOWN_ENDS:
        said = repr(reason) if reason else "none"
        return failed("finish", "the finish reason is not a documented one", said, advice.odd_end)
    made = result.usage.completion if result.usage else None
    if reason == "length" and made is not None and made < max_tokens:
        message = f"it stopped for length after {made} of {max_tokens} tokens"
        return Finding("finish", Verdict.WARNING, message, evidence=reason, remedy=advice.cut_short)
    meaning = "the token limit" if reason == "length" else "the end token"
    return passed("finish", f"stopped at {meaning} ({reason})")


def tokens(result: Piece | ExchangeTrouble, max_tokens: int, advice: Advice) -> Finding:
    """Whether the service counts its tokens, and rightly so."""
    if isinstance(result, ExchangeTrouble):
        return failed("tokens", "the counts could not be asked", str(result), advice.remedy(result))
    usage = result.usage
    if usage is None:
        return failed("tokens", "the answer counts no tokens", "no usage", advice.usual)
    wrong = _miscount(usage, max_tokens)
    if wrong:
        return failed("tokens", wrong, str(usage), "report it to the service's maker, with this answer")
    went_in = "" if usage.prompt is None else f"{usage.prompt} in, "
    return passed("tokens", f"{went_in}{usage.completion} out")


def stream(
    streamed: Streamed,
    unstreamed: Piece,
    advice: Advice,
    *,
    repeatable: bool,
    notes: Sequence[str] = (),
) -> Finding:
    """Whether streaming is well-formed and says the same."""
    trouble = streamed.trouble
    if trouble:
        after = f"after {streamed.events} events: {trouble}"
        return failed("stream", why(trouble, "the stream broke"), after, advice.remedy(trouble))
    if not (streamed.text or streamed.reasoning or streamed.tool_call):
        return failed("stream", "the stream holds no text", f"{streamed.events} events", advice.usual)
    if not streamed.finish_reason:
        return Finding(
            "stream",
            Verdict.WARNING,
            "no event says why the answer ended (finish_reason): some clients take that for a broken stream",
            evidence=f"{streamed.events} events",
            remedy="report it to the service's maker",
        )
    if bare(streamed.text) == bare(unstreamed.text):
        return noted("stream", f"{streamed.events} well-formed events, same text as unstreamed", notes)
    if not repeatable:
        return Finding("stream", Verdict.NOTE, "well-formed; not compared, as answers differ anyway")
    remedy = "report it to the service's maker, with both texts"
    return failed(
        "stream", "streamed and unstreamed text differ", difference(unstreamed.text, streamed.text), remedy
    )


def first_token(streamed: Streamed, limit: float, advice: Advice) -> Finding:
    """Whether the first token came within ``limit`` seconds."""
    seconds = streamed.first_token_seconds
    if seconds is None:
        return not_reached("first-token", "stream")
    if seconds > limit:
        late = f"the first token took {seconds:.1f} s"
        return failed("first-token", late, f"limit: {limit:g} s", advice.slow)
    answered = streamed.answer_seconds
    if not streamed.reasoning:
        return passed("first-token", f"after {seconds:.2f} s")
    after = "it came to none" if answered is None else f"after {answered:.2f} s"
    return passed("first-token", f"after {seconds:.2f} s, a thought; the answer's first: {after}")


def repeat(first: str, second: Piece | ExchangeTrouble, advice: Advice) -> Finding:
    """Whether the same greedy request brings the same answer."""
    if isinstance(second, ExchangeTrouble):
        what = why(second, "the second request was not answered")
        return failed("repeat", what, str(second), advice.remedy(second))
    if second.text == first:
        return passed("repeat", "the same answer twice")
    return Finding(
        "repeat",
        Verdict.WARNING,
        "the same greedy request was answered differently",
        evidence=difference(first, second.text),
        remedy=advice.differs,
    )


def bad_request(
    answer: HttpResponse | ExchangeTrouble, after: Piece | ExchangeTrouble, advice: Advice
) -> Finding:
    """Whether a wrong request is refused politely, and the service lives on."""
    if isinstance(answer, ExchangeTrouble):
        return failed("bad-request", "a wrong request got no answer", str(answer), advice.remedy(answer))
    trouble = http_trouble(answer.status, answer.body)
    if fault_of(trouble) in TOLD:
        return failed("bad-request", TOLD[fault_of(trouble)], str(trouble), advice.remedy(trouble))
    if answer.status < 400 or answer.status >= 500:
        remedy = "400 is usual, 422 MindIE's; report it to the service's maker"
        return failed("bad-request", "a wrong request is not refused as documented", str(trouble), remedy)
    if isinstance(after, ExchangeTrouble):
        return failed(
            "bad-request", "the service is gone after a wrong request", str(after), advice.remedy(after)
        )
    return passed("bad-request", f"refused with {answer.status}, and alive after it")


def difference(one: str, other: str) -> str:
    """Where two texts part, with a little of both."""
    at = next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    from_ = max(0, at - 20)
    return f"from character {at}: {one[from_ : at + 40]!r} and {other[from_ : at + 40]!r}"


def _miscount(usage: Usage, max_tokens: int) -> str:
    if usage.completion <= 0:
        return "it counts no generated token"
    if usage.completion > max_tokens:
        return f"it counts {usage.completion} generated tokens where {max_tokens} were allowed"
    if usage.prompt is None or usage.total is None or usage.total == usage.prompt + usage.completion:
        return ""
    return "the total is not the sum"
