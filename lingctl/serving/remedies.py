"""What to do about a service's troubles. Source of the causes: MindIE-LLM v3.0.0 src/server/endpoint."""

from __future__ import annotations

from lingctl.serving.endpoint import API_KEY_VARIABLE
from lingctl.serving.trouble import Trouble

_LOGS = "read the primary's console: lingctl logs"

_BY_STATUS = {
    401: f"put the key into the environment: {API_KEY_VARIABLE}",
    403: f"put the key into the environment: {API_KEY_VARIABLE}",
    404: "the path or the model is unknown there: check the URL and the served name",
    413: "the request is larger than the service allows: shorten the prompt",
    422: "the service refuses a field: check the served name (serving.served_name) and the MindIE version",
    424: "the request does not fit: compare its length with serving.max_input_tokens and max_seq_len",
    502: "a proxy or gateway answers instead of the service: use the primary's own address",
    503: "the service is not ready or was stopped: lingctl status",
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


def remedy_for(trouble: Trouble) -> str:
    """What to do, in words."""
    if trouble.kind == "tls":
        return _tls_remedy(trouble.text.lower().replace("_", " "))
    if trouble.kind != "http":
        return _BY_KIND.get(trouble.kind, _LOGS)
    if "timeout" in trouble.text.lower():
        return "the engine gave up waiting for tokens: look at every node's console (lingctl logs)"
    if "odel not found" in trouble.text or "not found in server" in trouble.text:
        return "the name in the request is not the served one: set serving.served_name, or use --model"
    return _BY_STATUS.get(trouble.status, _LOGS)


def _tls_remedy(text: str) -> str:
    for part, remedy in _BY_TLS_TEXT:
        if part in text:
            return remedy
    return "name the authority that signed the service's certificate: --ca FILE"
