"""``chat_template_kwargs`` and ``chat_template`` of a chat.

Source: MindIE-LLM v3.0.0 single_req_infer_interface_base.cpp (ParseChatTemplate and
ParseChatTemplateRequest) and src/utils/safe_path.cpp; a path that is not there was seen on the real 3.0.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lingctl.sandbox.engine.json_library import type_name
from lingctl.sandbox.engine.requests.errors import invalid
from lingctl.sandbox.engine.requests.wish import Wish

_PATH = re.compile(r"/(?:[\w\-.]+/)*[\w\-.]*/?|(?:[\w\-.]+/)*[\w\-.]*/?", re.ASCII)


def read(body: Mapping[str, Any], wish: Wish) -> str | None:
    """The template that the client wants, None for the model's own."""
    _read_options(body, wish)
    template = body.get("chat_template")
    if template is None:
        return None
    if not isinstance(template, str):
        raise invalid("Parameter chat_template not string")
    if not template:
        raise invalid("Parameter chat_template is not valid")
    if _PATH.fullmatch(template) and ".." not in template:
        return _read_file(template)
    return template


def _read_options(body: Mapping[str, Any], wish: Wish) -> None:
    if "chat_template_kwargs" not in body:
        return
    options = body["chat_template_kwargs"]
    if not isinstance(options, dict):
        raise invalid("chat_template_kwargs must be a JSON object")
    if "enable_thinking" in options:
        thinking = options["enable_thinking"]
        if not isinstance(thinking, bool):
            raise invalid(f"enable_thinking must be boolean, got {type_name(thinking)}")
        wish.thinking = thinking


def _read_file(named: str) -> str:
    """A template is a path if it looks like one, from the daemon's working directory."""
    path = Path(named).expanduser().resolve()
    if not path.exists():
        raise invalid(f"[NONE_ARGUMENT] Path not found: {path}")
    if not path.is_file():
        raise invalid(f"[TYPE_MISMATCH] The path is not file: {path}")
    if path.suffix != ".jinja":
        raise invalid(f"[INVALID_ARGUMENT] {path} is not a .jinja file.")
    return path.read_text()
