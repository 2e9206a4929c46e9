"""Which path of which listener answers what, apart from requests for text.

Source: MindIE-LLM v3.0.0 src/server/endpoint/http_wrapper/http_handler.cpp; seen on the real 3.0.0 but for
/stopService, /v1/status and what only several nodes or roles have. Adapters, roles and fault handling are not
emulated.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lingctl.sandbox.engine.api import metadata
from lingctl.sandbox.engine.api.dialects import triton
from lingctl.sandbox.engine.api.generation import MODEL_NAME, body_object, check_model
from lingctl.sandbox.engine.api.prompts import encoded
from lingctl.sandbox.engine.api.wire import Reply
from lingctl.sandbox.engine.json_library import dump
from lingctl.sandbox.engine.model.text import utf16_length
from lingctl.sandbox.engine.requests.errors import ApiError, invalid
from lingctl.sandbox.engine.requests.rounds import EngineTimeout
from lingctl.sandbox.engine.requests.service import Service
from lingctl.sandbox.engine.requests.wish import Wish

_TIMED = re.compile(r"/health/timed((?:-[0-9]+)?)", re.ASCII)
_MODEL = re.compile(rf"/v2/models/{MODEL_NAME}(?:/(\w+))?", re.ASCII)
_ONE_MODEL = re.compile(rf"/v1/models/{MODEL_NAME}", re.ASCII)
_STOP = re.compile(rf"/v2/models/{MODEL_NAME}/stopInfer", re.ASCII)
_LONGEST_WAIT = 600


def get(path: str, roles: frozenset[str], service: Service, address: str) -> Reply | None:
    """Answer a GET; None where there is no such path.

    Args:
        path: of the URL.
        roles: of the listener.
        service: what serves it.
        address: of the listener, as host:port.

    Raises:
        ApiError: it is refused.
    """
    if "business" in roles:
        reply = _business(path, service)
        if reply is not None:
            return reply
    if "management" in roles:
        reply = _management(path, service, address)
        if reply is not None:
            return reply
    if "metrics" in roles and path == "/metrics":
        text = metadata.metrics(service).encode()
        return Reply(200, text, "text/plain; charset=utf-8", 1)
    return None


def post(path: str, data: bytes, roles: frozenset[str], service: Service) -> Reply | None:
    """Answer a POST that asks for no text; the arguments are those of ``get``."""
    if "business" not in roles:
        return None
    if path == "/v1/tokenizer":
        return _tokenizer(data, service)
    match = _STOP.fullmatch(path)
    if match is None:
        return None
    check_model(match[1], service)
    body = body_object(data, service, "Failed to parse context to json body.")
    name = triton.stopped_id(body)
    if not service.stop_request(name):
        raise ApiError(500, "Stop request failed, internal failed.")
    return _json(body)


def error_reply(error: ApiError) -> Reply:
    """An error's answer."""
    document = {"error": error.text, "error_type": error.kind}
    body = dump(document).encode("utf-8", "replace")
    return Reply(error.status, body, "application/json", 1)


def _json(document: Any, status: int = 200) -> Reply:
    return Reply(status, dump(document).encode(), "application/json", 1)


def _empty(status: int = 200) -> Reply:
    return Reply(status, b"", "", 1)


def _business(path: str, service: Service) -> Reply | None:
    if path == "/v1/models":
        # The real handler answers twice, and says so.
        return Reply(200, metadata.models(service).encode(), "application/json", 2)
    match = _ONE_MODEL.fullmatch(path)
    if match:
        check_model(match[1], service)
        return _json(metadata.one_model(service))
    if path == "/v2":
        return _json(metadata.triton_server(service))
    if path == "/dresult":
        raise ApiError(400, "Non DMI does not support dresult request")
    match = _MODEL.fullmatch(path)
    if match and match[2] in (None, "config"):
        check_model(match[1], service)
        writer = metadata.triton_config if match[2] else metadata.triton_model
        return _json(writer(service))
    return None


def _management(path: str, service: Service, address: str) -> Reply | None:
    if path in ("/v2/health/live", "/v2/health/ready"):
        return _health(path, service)
    match = _TIMED.fullmatch(path)
    if match:
        return _timed(match[1], service)
    if path == "/stopService":
        return _stop_service(service)
    if path == "/v1/config":
        return _json(metadata.config(service))
    if path == "/v1/engine-server/running-status":
        return _json(metadata.running_status(service))
    writers: dict[str, Callable[[], Any]] = {
        "/info": lambda: metadata.info(service),
        "/metrics-json": lambda: metadata.averages(service, address),
        "/v1/status": lambda: metadata.status(service, detailed=False),
        "/v2/status": lambda: metadata.status(service, detailed=True),
    }
    model = _MODEL.fullmatch(path)
    plain = path == "/health" or path in writers
    if not plain and not (model and model[2] in ("ready", "getSlotCount")):
        return None
    if service.withdrawn.is_set():
        raise ApiError(503, "The service has been stopped.")
    if service.stopping.is_set():
        return _empty(503)
    if path in writers:
        return _json(writers[path]())
    if path == "/health":
        # Unlike the two of /v2/health it does not ask the health checker (source only).
        return _health(path, service) if service.lost_nodes else _empty()
    assert model is not None
    check_model(model[1], service)
    return _json(metadata.slots(service)) if model[2] == "getSlotCount" else _empty()


def _health(path: str, service: Service) -> Reply:
    if service.withdrawn.is_set():
        raise ApiError(503, "The service has been stopped.")
    status, body = metadata.health(service, ready="ready" in path)
    return _empty(status) if body is None else _json(body, status)


def _timed(wait: str, service: Service) -> Reply:
    """Health by a request of the server's own."""
    if service.withdrawn.is_set():
        return _json({"status": "healthy"})
    if service.stopping.is_set():
        return _empty(503)
    digits = wait[1:]
    if len(digits) > 3:
        raise ApiError(404, f"Max wait time is {_LONGEST_WAIT}, input is invalid or too long")
    if digits and not 1 <= int(digits) <= _LONGEST_WAIT:
        words = f"Wait time should be in range of [1, {_LONGEST_WAIT}], input is not valid"
        raise ApiError(404, words)
    wish = Wish(service.next_id(), tokens=[1], limit=1)
    try:
        for _ in service.generate(wish):
            pass
    except EngineTimeout as error:
        raise ApiError(500, str(error)) from None
    return _json({"status": "healthy"})


def _stop_service(service: Service) -> Reply:
    """From now on nothing is taken; the daemon ends once what runs is done (source only)."""
    if service.withdrawn.is_set():
        return _empty(500)
    service.withdrawn.set()
    service.wait_idle()
    return _empty()


def _tokenizer(data: bytes, service: Service) -> Reply:
    body = body_object(data, service, "Req body converts to json fail.")
    inputs = body.get("inputs")
    if not isinstance(inputs, str):
        raise invalid("Inputs in request body is invalid.")
    length, limit = utf16_length(inputs), service.request_limit
    if not 0 < length <= limit:
        raise invalid(f"Inputs data length in [0, {limit}], but the length of inputs is {length}")
    try:
        ids = encoded(inputs, service)
    except ApiError:
        raise invalid("TikToken process fail.") from None
    decoded = body.get("do_decode") is not False
    tokens = service.text.counted_pieces(ids) if decoded else []
    return _json({"token_number": len(ids), "tokens": tokens})
