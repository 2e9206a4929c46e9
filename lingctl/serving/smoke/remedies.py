"""What to do about a service's troubles; what they mean is told in ``faults``."""

from __future__ import annotations

from lingctl.serving.endpoint import API_KEY_VARIABLE
from lingctl.serving.faults import Fault, fault_of
from lingctl.serving.trouble import ExchangeTrouble

_LOGS = "read the primary's console: lingctl logs"

_BY_FAULT: dict[Fault, str] = {
    "model": "the name in the request is not the served one: set serving.served_name, or use --model",
    "length": "the request does not fit: compare its length with serving.max_input_tokens and max_seq_len",
    "key": f"put the key into the environment: {API_KEY_VARIABLE}",
    "path": "the path or the model is unknown there: check the URL and the served name",
    "request": "the service refuses a field: check the served name (serving.served_name) and the MindIE "
    "version",
    "tokenizers": "no tokenizer process is free, which health does not show: one may work on a very long "
    "prompt, so wait a minute and ask again; if it stays so, they hang: lingctl restart",
    "busy": "the service is busy: try again later, or with less load",
    "stopping": "the service is stopping, or a process of it has died: lingctl status; if nobody stopped it: "
    "lingctl logs, then lingctl restart",
    "timeout": "the engine gave up waiting for tokens: look at every node's console (lingctl logs)",
    "abnormal": "its own health check fails (normal in its first seconds only): lingctl status, lingctl logs",
    "lost-node": "see which daemon died: lingctl status",
    "engine": f"the engine failed: {_LOGS}",
    "proxy": "a proxy or gateway answers instead of the service: use the primary's own address",
    "service": _LOGS,
}

_BY_KIND = {
    "name": "check the host name in hosts.yaml or in --url",
    "refused": "nothing listens: the weights still load, the daemon died, or this is not the primary; "
    "see: lingctl status, lingctl logs",
    "unreachable": "check the address, the route and the firewall; lingctl reaches it over SSH with --nodes",
    "timeout": "the engine accepted the request and is silent: look at every node's console (lingctl logs) "
    "and at the links (lingctl check-network)",
    "closed": "the connection ended inside an answer: did the daemon die? lingctl status, lingctl logs",
    "malformed": "another service answers at this address, or a version that lingctl does not know",
}

_BY_TLS_TEXT = (
    (
        "ended right after the handshake",
        "the service wants a certificate of yours that its tlsCaFile has signed: --cert FILE --key FILE",
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


def remedy_for(trouble: ExchangeTrouble) -> str:
    """What to do, in words."""
    if trouble.kind == "tls":
        return _tls_remedy(trouble.text.lower().replace("_", " "))
    if trouble.kind == "http" or (trouble.kind == "timeout" and "callback" in trouble.text):
        return _BY_FAULT.get(fault_of(trouble), _LOGS)
    return _BY_KIND.get(trouble.kind, _LOGS)


def _tls_remedy(text: str) -> str:
    for part, remedy in _BY_TLS_TEXT:
        if part in text:
            return remedy
    return "name the authority that signed the service's certificate: --ca FILE"
