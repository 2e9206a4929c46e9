"""Requests for text: from path and body to the wish and the form of its answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lingctl.sandbox.engine.api.dialects import chat, completions, infer, tgi, triton, triton_tensors, vllm
from lingctl.sandbox.engine.api.forms.chat import Chat
from lingctl.sandbox.engine.api.forms.completions import Completion
from lingctl.sandbox.engine.api.forms.form import Form
from lingctl.sandbox.engine.api.forms.infer import Infer
from lingctl.sandbox.engine.api.forms.tgi import Tgi, TgiList
from lingctl.sandbox.engine.api.forms.triton import Tensors, Triton
from lingctl.sandbox.engine.api.forms.vllm import Vllm
from lingctl.sandbox.engine.api.json_text import NotJson, parse
from lingctl.sandbox.engine.requests.errors import ApiError, Unreadable, invalid
from lingctl.sandbox.engine.requests.service import Service
from lingctl.sandbox.engine.requests.wish import Wish

MODEL_NAME = r"([\w\-.]+)"
_TRITON = re.compile(rf"/v2/models/{MODEL_NAME}/(generate|generate_stream|infer)", re.ASCII)
# The path of 1.0.0 may name a version as well (documents only).
_TRITON_VERSIONED = re.compile(
    rf"/v2/models/{MODEL_NAME}(?:/versions/[^/]+)?/(generate|generate_stream|infer)", re.ASCII
)
_PLAIN = ("/v1/chat/completions", "/v1/completions", "/infer", "/infer_token", "/generate_stream")
_NOT_JSON = "Failed to parse request context to json"
_NEITHER = (
    '{"Error": "`inputs` or `prompt` must be necessary and data type must be string. '
    'Additionally, the request body must be valid json", "error_type": "validation"}'
)


def takes(path: str, service: Service) -> bool:
    """Whether a POST to the path asks for text."""
    return path in (*_PLAIN, "/generate", "/") or _triton(path, service) is not None


def wanted(path: str, data: bytes, service: Service, wish: Wish) -> Form:
    """Check a request.

    Args:
        path: one that takes() knows.
        data: the body.
        service: what serves it.
        wish: is filled.

    Raises:
        ApiError: it is refused.
        FatalRequest: it ends the service.
    """
    match = _triton(path, service)
    if match is not None:
        check_model(match[1], service)
        return _wanted_triton(match[2], _body(data, service), service, wish)
    if path == "/generate":
        return _wanted_generate(data, service, wish)
    if path == "/":
        wish.stream = tgi.wants_stream(_parsed(data, service, "Failed to parse context to json body"))
    body = _body(data, service)
    if path == "/v1/chat/completions":
        chat.read(body, service, wish)
        return Chat(service, wish)
    if path == "/v1/completions":
        completions.read(body, service, wish)
        return Completion(service, wish)
    if path in ("/infer", "/infer_token"):
        infer.read(body, service, wish)
        return Infer(service, wish)
    wish.stream = wish.stream or path == "/generate_stream"
    tgi.read(body, service, wish)
    return TgiList(service, wish) if path == "/" else Tgi(service, wish)


def check_model(name: str, service: Service) -> None:
    """Refuse a model in a URL that is not the served one."""
    if name != service.name:
        raise ApiError(404, f"Model {name} not found.")


def body_object(data: bytes, service: Service, words: str) -> Mapping[str, Any]:
    """The body's object; anything else that is JSON counts as one without fields."""
    value = _parsed(data, service, words)
    return value if isinstance(value, dict) else {}


def _wanted_triton(verb: str, body: Mapping[str, Any], service: Service, wish: Wish) -> Form:
    if verb == "infer":
        triton_tensors.read(body, wish)
        return Tensors(service, wish)
    wish.stream = verb == "generate_stream"
    triton.read(body, service, wish)
    return Triton(service, wish)


def _wanted_generate(data: bytes, service: Service, wish: Wish) -> Form:
    body = body_object(data, service, _NEITHER)
    if body.get("prompt") is not None:
        _refuse_withdrawn(service)
        vllm.read(body, service, wish)
        return Vllm(service, wish)
    if body.get("inputs") is None:
        raise invalid(_NEITHER)
    _refuse_withdrawn(service)
    tgi.read(body, service, wish)
    return Tgi(service, wish)


def _body(data: bytes, service: Service) -> Mapping[str, Any]:
    body = body_object(data, service, _NOT_JSON)
    _refuse_withdrawn(service)
    return body


def _refuse_withdrawn(service: Service) -> None:
    """After /stopService (source only)."""
    if service.withdrawn.is_set():
        raise ApiError(503, "The service has been stopped")


def _parsed(data: bytes, service: Service, words: str) -> Any:
    try:
        return parse(data, int(service.raw.server.get("maxJsonDepth", 10)))
    except NotJson:
        raise Unreadable(words) from None


def _triton(path: str, service: Service) -> re.Match[str] | None:
    pattern = _TRITON if service.version != "1.0.0" else _TRITON_VERSIONED
    return pattern.fullmatch(path)
