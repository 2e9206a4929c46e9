"""What to tell about a hub's client that failed: for each code what it means, and what to type next."""

from __future__ import annotations

from typing import Dict, Mapping, Tuple

# Of this machine's settings, not of the hub: exit status 2.
OF_SETTINGS = frozenset({"hub-offline", "hub-ca-file"})
_ELSEWHERE = "or get the weights from another machine or a disk: --source node, --source DIR"
_LOGIN = (
    "give its login in the environment, %-encoded: export LINGCTL_PROXY=http://USER:PASSWORD@HOST:PORT\n"
    f"{_ELSEWHERE}"
)
_OFFLINE = {
    "huggingface": ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
    "modelscope": ("MODELSCOPE_OFFLINE", "MODELSCOPE_HUB_OFFLINE"),
}

WORDS: Dict[str, Tuple[str, str]] = {
    "hub-unreachable": (
        "the hub cannot be reached",
        "is there a way out? name a proxy (--proxy http://HOST:PORT) or a mirror (--endpoint URL),\n"
        f"{_ELSEWHERE}",
    ),
    "hub-certificate": (
        "the hub's certificate is not trusted here",
        "a proxy that opens TLS? name its authority's file in hosts.yaml (hub: {ca: FILE}),\n"
        "or where this runs: export SSL_CERT_FILE=FILE (REQUESTS_CA_BUNDLE=FILE is read as well)",
    ),
    "hub-certificate-time": (
        "the hub's certificate is not valid now",
        "is the clock of this machine right? date; else its owner has to renew the certificate",
    ),
    "hub-tls": (
        "TLS with the hub fails",
        "does the endpoint or the proxy speak plain HTTP? write http:// in --endpoint or --proxy",
    ),
    "hub-ca-file": (
        "a file of authorities cannot be read",
        "name a PEM file that is there, or unset the variable",
    ),
    "hub-portal": (
        "a web page was answered instead of data",
        "a login page or a filter stands between: log in there (open the address in a browser there),\n"
        f"name a proxy (--proxy) or a mirror (--endpoint), {_ELSEWHERE}",
    ),
    "hub-offline": ("this machine is told to ask no hub", f"unset it, {_ELSEWHERE}"),
    "proxy-login": ("the proxy wants another login (407)", _LOGIN),
    "proxy-unreachable": (
        "the proxy cannot be reached",
        "correct it (--proxy, LINGCTL_PROXY, or HTTPS_PROXY where this runs);\n"
        "hosts that need none are named in NO_PROXY",
    ),
    "hub-not-found": (
        "the hub has no such repository, revision or file",
        "check the name and --revision; a private one needs MODELSCOPE_API_TOKEN or HF_TOKEN",
    ),
    "hub-refused": (
        "the hub refuses access",
        "set MODELSCOPE_API_TOKEN (or HF_TOKEN) to a token that may read it;\n"
        "where the hub asks for it, accept the terms on the model's page first",
    ),
    "hub-busy": ("the hub asks for patience (429)", "run it again later: what is complete is kept"),
    "hub-server-error": ("the hub has an error of its own", "run it again later: what is complete is kept"),
    "hub-too-slow": (
        "the hub delivers too slowly",
        "run it again: what has arrived is kept; a mirror (--endpoint) or another --source may be quicker",
    ),
    "hub-no-json": (
        "what was answered is no list of files",
        "is it the address of a hub? check --endpoint (MODELSCOPE_ENDPOINT, HF_ENDPOINT) and --proxy",
    ),
    "hub-list-endless": (
        "the list of files does not end",
        "is it the address of a hub? check --endpoint (MODELSCOPE_ENDPOINT, HF_ENDPOINT) and --proxy",
    ),
    "hub-too-much": (
        "the hub sends more bytes than it lists",
        f"take another mirror (--endpoint), {_ELSEWHERE}",
    ),
    "wrong-bytes": (
        "it arrived as other bytes than the hub lists",
        "run it again; if it stays so, a proxy or the hub itself changes the bytes",
    ),
    "hash-of-nothing": (
        "nothing of it arrived: its SHA-256 is that of an empty file",
        "the hub delivers nothing for this file: try another one (--source), or later",
    ),
    "client-missing": (
        "this machine's Python lacks the hub's client",
        "pip install huggingface_hub there, or take --source modelscope, which needs nothing there",
    ),
    "disk-full": ("the disk is full", "free some space and run it again: what is complete is kept"),
    "hub-error": ("the hub's client failed", "run it again; what is complete is kept"),
}


def offline_setting(hub: str, environment: Mapping[str, str]) -> str:
    """The setting by which a machine is told to ask no hub, as ``NAME=value``; empty where there is none."""
    for name in _OFFLINE[hub]:
        value = environment.get(name, "").strip()
        if value.lower() in ("1", "on", "yes", "true"):
            return f"{name}={value}"
    return ""
