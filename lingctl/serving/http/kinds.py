"""Whether a model is asked as a chat or as a base model, where nobody says so. Pure."""

from __future__ import annotations

from lingctl.serving.http.api import ModelKind
from lingctl.serving.trouble import ExchangeTrouble


def kind_by_name(name: str) -> ModelKind:
    """By its name: ``base`` in it says what it is."""
    return "base" if "base" in name.lower() else "chat"


def cannot_chat(trouble: ExchangeTrouble) -> bool:
    """Whether a chat was refused because the model cannot chat, or the service has no path for it."""
    text = trouble.text.lower()
    return (
        "chat template" in text or "chat_template" in text or (trouble.status == 404 and "model" not in text)
    )
