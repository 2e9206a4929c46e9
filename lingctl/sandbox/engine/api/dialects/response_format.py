"""``response_format``: checked, and then without effect here.

Source: MindIE-LLM v3.0.0 src/server/endpoint/utils/infer_param.cpp, AssignResponseFormat; some
words seen on the real 3.0.0.
"""

from __future__ import annotations

from typing import Any

from lingctl.sandbox.engine.api.fields import Rules, required
from lingctl.sandbox.engine.requests.errors import invalid

_HEAD = "Parameter response_format"
_TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")


def check(rules: Rules) -> None:
    """Refuse what is no response format."""
    value = rules.get("response_format")
    if value is None:
        return
    if not isinstance(value, dict):
        raise invalid(f"{_HEAD} must be an object")
    absent = f"{_HEAD} must contain 'type' field"
    form = required(value, "type", str, absent, f"{_HEAD}.type must be a string")
    if form not in ("json_object", "json_schema", "text"):
        raise invalid(f"{_HEAD}.type must be 'json_object', 'json_schema' or 'text', got '{form}'")
    if form == "json_schema":
        _check_schema(value)


def _check_schema(form: Rules) -> None:
    head, absent = f"{_HEAD}.json_schema", "is required when type is 'json_schema'"
    value = required(form, "json_schema", dict, f"{head} {absent}", f"{head} must be an object")
    name = required(value, "name", str, f"{head}.name is required", f"{head}.name must be a string")
    if not 1 <= len(name.encode()) <= 64:
        raise invalid(f"{head}.name must be 1-64 characters")
    other = f"{head}.schema must be an object"
    _check_types(required(value, "schema", dict, f"{head}.schema {absent}", other), "schema")


def _check_types(schema: dict[str, Any], path: str) -> None:
    if "type" in schema:
        if not isinstance(schema["type"], str):
            raise invalid(f"Invalid json_schema: 'type' at '{path}' must be a string")
        if schema["type"] not in _TYPES:
            raise invalid(f"Invalid json_schema: unsupported type '{schema['type']}' at '{path}'")
    if "properties" in schema:
        if not isinstance(schema["properties"], dict):
            raise invalid(f"Invalid json_schema: 'properties' at '{path}' must be an object")
        for name, item in schema["properties"].items():
            if not isinstance(item, dict):
                raise invalid(f"Invalid json_schema: property '{name}' at '{path} must be an object")
            _check_types(item, f"{path}.properties.{name}")
    if "items" in schema:
        if not isinstance(schema["items"], dict):
            raise invalid(f"Invalid json_schema: 'items' at '{path}' must be an object")
        _check_types(schema["items"], f"{path}.items")
    if "required" in schema:
        if not isinstance(schema["required"], list):
            raise invalid(f"Invalid json_schema: 'required' at '{path}' must be an array")
        if not all(isinstance(item, str) for item in schema["required"]):
            raise invalid(f"Invalid json_schema: elements of 'required' at '{path}' must be strings")
