"""What to do about a service's troubles; what they mean is told in ``faults``.

Of a cluster that lingctl deployed other things can be said than of a service at some URL, which has no
hosts.yaml and no overlay here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lingctl.serving.endpoint import API_KEY_VARIABLE, Endpoint
from lingctl.serving.faults import Fault, fault_of
from lingctl.serving.trouble import ExchangeTrouble, TroubleKind


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do, for one sort of service."""

    usual: str  # where nothing better is known
    by_fault: Mapping[Fault, str]  # for what an error means
    by_kind: Mapping[TroubleKind, str]  # for an exchange that brought no answer
    name: str  # for a model that is not listed; ``{names}`` are those that are
    bad_answer: str  # for an answer that is none
    odd_end: str  # for a finish reason that is none
    cut_short: str  # for an answer that stopped for length before its limit
    slow: str  # for a first token that comes late
    differs: str  # for greedy answers that differ

    def remedy(self, trouble: ExchangeTrouble) -> str:
        """What to do about a trouble, in words."""
        if trouble.kind == "tls":
            return _tls_remedy(trouble.text.lower().replace("_", " "))
        if trouble.kind == "http" or (trouble.kind == "timeout" and "callback" in trouble.text):
            return self.by_fault.get(fault_of(trouble), self.usual)
        return self.by_kind.get(trouble.kind, self.usual)


def advice_for(endpoint: Endpoint) -> Advice:
    """What to say of a service: MindIE's that lingctl deployed, or on this machine; any other engine's that
    lingctl deployed; or whatever stands at a URL.
    """
    if endpoint.management_url:
        return CLUSTER if endpoint.deployed else HERE
    return OTHER_CLUSTER if endpoint.deployed else ELSEWHERE


_KEY = f"put the key into the environment: {API_KEY_VARIABLE}"
_QUOTA = "nothing is left on the account of that API key: another key, or fill it up"
_REDIRECT = "lingctl follows no redirection: name that address with --url"
_LOGS = "read the primary's console: lingctl logs"

CLUSTER = Advice(
    usual=_LOGS,
    by_fault={
        "model": "the name in the request is not the served one: set serving.served_name, or use --model",
        "length": "the request does not fit: compare its length with serving.max_input_tokens and "
        "max_seq_len",
        "key": _KEY,
        "quota": _QUOTA,
        "redirect": _REDIRECT,
        "path": "the path or the model is unknown there: check the URL and the served name",
        "request": "the service refuses a field: check the served name (serving.served_name) and the MindIE "
        "version",
        "tokenizers": "no tokenizer process is free, which health does not show: one may work on a very long "
        "prompt, so wait a minute and ask again; if it stays so, they hang: lingctl restart",
        "busy": "the service is busy: try again later, or with less load",
        "loading": "its model still loads: wait, and ask again",
        "stopping": "the service is stopping, or a process of it has died: lingctl status; if nobody stopped "
        "it: lingctl logs, then lingctl restart",
        "timeout": "the engine gave up waiting for tokens: look at every node's console (lingctl logs)",
        "abnormal": "its own health check fails (normal in its first seconds only): lingctl status, lingctl "
        "logs",
        "lost-node": "see which daemon died: lingctl status",
        "engine": f"the engine failed: {_LOGS}",
        "proxy": "a proxy or gateway answers instead of the service: use the primary's own address",
    },
    by_kind={
        "name": "check the host name in hosts.yaml or in --url",
        "refused": "nothing listens: the weights still load, the daemon died, or this is not the primary; "
        "see: lingctl status, lingctl logs",
        "unreachable": "check the address, the route and the firewall; lingctl reaches it over SSH with "
        "--nodes",
        "timeout": "the engine accepted the request and is silent: look at every node's console (lingctl "
        "logs) and at the links (lingctl check-network)",
        "closed": "the connection ended inside an answer: did the daemon die? lingctl status, lingctl logs",
        "malformed": "another service answers at this address, or a version that lingctl does not know",
    },
    name="set serving.served_name or --model to one of: {names}",
    bad_answer="check the weights and how they were converted (lingctl verify-weights), then the overlay "
    "(lingctl patch) and that every node runs the same release",
    odd_end="read: lingctl logs",
    cut_short="raise serving.max_output_tokens or serving.max_seq_len",
    slow="look for other load, swapped-out weights or a slow link: lingctl check-network",
    differs="reduction order may differ from run to run; set HCCL_DETERMINISTIC=true to make it the same",
)

# Nobody named a service: MindIE on this machine was meant, or forgotten was what to name.
HERE = replace(
    CLUSTER,
    by_kind={
        **CLUSTER.by_kind,
        "refused": "nothing listens on this machine: name the cluster with --nodes hosts.yaml, or the "
        "service with --url; if it should run here: its weights still load, or its daemon died",
    },
)

# An engine without an overlay, a management listener and MindIE's limits of a request.
OTHER_CLUSTER = replace(
    CLUSTER,
    by_fault={
        **CLUSTER.by_fault,
        "length": "the request does not fit: compare its length with serving.max_seq_len",
        "request": "the service refuses a field: its words tell which; check the served name "
        "(serving.served_name)",
    },
    bad_answer="check the weights (lingctl verify-weights), and that every node runs the same release and "
    "can load the model's config.json as it is (lingctl deploy)",
    cut_short="raise serving.max_seq_len",
    differs="batches and reduction order change sums, so that greedy answers may differ; ask it alone",
)

ELSEWHERE = Advice(
    usual="read that service's own log",
    by_fault={
        "model": "the name in the request is not the served one: --model NAME",
        "length": "the request does not fit into what that service takes: use a shorter prompt",
        "key": _KEY,
        "quota": _QUOTA,
        "redirect": _REDIRECT,
        "path": "the path or the model is unknown there: check the URL (its base path too) and --model",
        "request": "the service refuses a field: its words tell which; check --model and --kind",
        "tokenizers": "no tokenizer process is free: wait a minute and ask again; if it stays so, the "
        "service has to be started anew",
        "busy": "the service is busy: try again later, or with less load",
        "loading": "its model still loads: wait, and ask again",
        "stopping": "it takes no requests: it still starts, it stops, or a process of it has died; ask again "
        "in a minute, then read its own log",
        "timeout": "its engine gave up waiting for tokens: read its own log",
        "abnormal": "its own health check fails: read its own log",
        "lost-node": "read its own log: a node of it is gone",
        "engine": "its engine failed: read its own log",
        "proxy": "a proxy or gateway answers, and the service behind it does not: ask the service itself, or "
        "whoever runs the gateway",
    },
    by_kind={
        "name": "check the host name in --url",
        "refused": "nothing listens there: check host and port in --url, and whether the service runs",
        "unreachable": "check the address, the route and the firewall",
        "timeout": "it accepted the request and is silent: read its own log; a slow service may need a "
        "longer --patience",
        "closed": "the connection ended inside an answer: read that service's own log",
        "malformed": "what answers there is no OpenAI-compatible service: check the URL and its base path",
    },
    name="set --model to one of: {names}",
    bad_answer="check the weights that the service loaded, its chat template, and --kind",
    odd_end="read that service's own log",
    cut_short="raise the service's limits of an answer's or a sequence's length",
    slow="look for other load on the service, and at the way to it",
    differs="many engines answer greedy requests differently under load (batches change sums); ask it alone",
)

_BY_TLS_TEXT = (
    (
        "ended right after the handshake",
        "the service wants a certificate of yours that an authority of its has signed (MindIE: tlsCaFile): "
        "--cert FILE --key FILE",
    ),
    ("wrong version number", "the service speaks plain HTTP: use http://"),
    ("record layer failure", "the service speaks plain HTTP: use http://"),
    ("hostname", "use the name that the certificate was issued for, or issue one for this address"),
    (
        "ip address mismatch",
        "use the name that the certificate was issued for, or issue one for this address",
    ),
    ("expired", "renew the service's certificate"),
    ("not yet valid", "check the clocks of this machine and of the node"),
)


def _tls_remedy(text: str) -> str:
    for part, remedy in _BY_TLS_TEXT:
        if part in text:
            return remedy
    return "name the authority that signed the service's certificate: --ca FILE"
