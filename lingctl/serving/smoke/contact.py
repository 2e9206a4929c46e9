"""The first rungs of the smoke test: something is there, safe, in good health, and has the model. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from lingctl.findings import Finding, Subject, Verdict
from lingctl.serving.endpoint import Address
from lingctl.serving.faults import fault_of
from lingctl.serving.http.client import NO_MODELS, ModelList
from lingctl.serving.http.exchange import HttpResponse
from lingctl.serving.remedies import Advice
from lingctl.serving.smoke.verdicts import TOLD, failed, passed, why
from lingctl.serving.trouble import ExchangeTrouble, http_trouble

_SHOWN = 300
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
        return passed("port", f"{host}:{number} is open{way}")
    missing = ExchangeTrouble("refused", "closed on the node") if contact.tunnelled else trouble
    return failed("port", f"{host}:{number} does not answer{way}", str(missing), advice.remedy(missing))


def tls(contact: Contact, advice: Advice) -> Finding:
    """Whether the connection is of the kind asked for, and safe."""
    trouble, secure = contact.trouble, contact.address.scheme == "https"
    if trouble and trouble.kind == "tls":
        return failed("tls", "the TLS handshake fails", trouble.text, advice.remedy(trouble))
    if secure:
        return passed("tls", "the certificate is good")
    if contact.tls_there:
        remedy = "use https:// in --url, and name its authority with --ca FILE"
        return failed("tls", "the service speaks HTTPS, not HTTP", str(trouble or ""), remedy)
    if contact.with_key and not contact.tunnelled and not contact.address.is_loopback:
        remedy = "switch HTTPS on, or run the smoke test over SSH"
        return Finding("tls", Verdict.WARNING, "the API key travels unencrypted", remedy=remedy)
    return passed("tls", "plain HTTP, as configured")


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
        return passed("health", "healthy")
    trouble = http_trouble(answer.status, answer.body, answer.headers)
    if not own_listener and fault_of(trouble) not in _OF_HEALTH:
        # A refusal is no word about the service's health.
        what = why(trouble, "health cannot be asked there")
        return of.unknown(what, evidence=str(trouble), remedy=advice.remedy(trouble))
    fault = fault_of(trouble)
    if fault in ("busy", "loading"):
        return of.warning(TOLD[fault], evidence=trouble.text, remedy=advice.remedy(trouble))
    # Which node is lost stands beside the message.
    said = answer.body.decode("utf-8", "replace")[:_SHOWN]
    evidence = said if fault == "lost-node" else str(trouble)
    return failed("health", why(trouble, TOLD["abnormal"]), evidence, advice.remedy(trouble))


def models(listed: ModelList | ExchangeTrouble, served_name: str, advice: Advice) -> Finding:
    """Whether the model that will be asked for is listed."""
    if isinstance(listed, ExchangeTrouble):
        none = listed.text == NO_MODELS
        if listed.status in (404, 405) or fault_of(listed) == "path" or (none and served_name):
            return Finding("models", Verdict.NOTE, "this service lists no models", evidence=str(listed))
        if none:
            remedy = "load a model there; or name one that it does not list: --model NAME"
            return failed("models", NO_MODELS, "an empty list", remedy)
        what = why(listed, "the list of models cannot be read")
        return failed("models", what, str(listed), advice.remedy(listed))
    names = ", ".join(listed.names)
    if served_name and served_name not in listed.names:
        remedy = advice.name.format(names=names)
        return failed("models", f"{served_name!r} is not listed", names, remedy)
    return passed("models", f"{served_name or listed.names[0]!r} is listed")
