"""Which model of a service is asked, and as what, where nobody says so. Pure."""

from __future__ import annotations

from dataclasses import replace

from lingctl.serving.faults import fault_of
from lingctl.serving.http.api import AskedKind, ModelKind
from lingctl.serving.http.client import Client, ModelList
from lingctl.serving.trouble import ExchangeTrouble

# vLLM's, SGLang's and TGI's words.
_NO_TEMPLATE = ("chat template", "chat_template", "template not found")


def known(client: Client, listed: ModelList | ExchangeTrouble) -> tuple[Client, bool]:
    """The client with its model's name, the first listed where none was given; and whether it is MindIE."""
    mindie = bool(client.endpoint.management_url)
    if isinstance(listed, ExchangeTrouble):
        return client, mindie
    name = client.endpoint.served_name or listed.names[0]
    return replace(client, endpoint=client.endpoint.with_name(name)), mindie or listed.of_mindie


def kind_by_name(name: str, asked: AskedKind = "auto") -> ModelKind:
    """How a model is asked: where that is open, ``base`` in its name says what it is."""
    if asked != "auto":
        return asked
    return "base" if "base" in name.lower() else "chat"


def cannot_chat(trouble: ExchangeTrouble) -> bool:
    """Whether a chat was refused because the model cannot chat, or the service has no path for it."""
    text = trouble.text.lower()
    return (
        any(words in text for words in _NO_TEMPLATE)
        or (trouble.status == 404 and "model" not in text)
        or (trouble.status == 200 and fault_of(trouble) == "path")
    )
