"""The tools of a chat.

Source: MindIE-LLM v3.0.0 single_req_vllm_openai_infer_interface.cpp, ParseOpenAiTools; some
words seen on the real 3.0.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lingctl.sandbox.engine.api.dialects.messages import check_name
from lingctl.sandbox.engine.requests.errors import invalid


def read(body: Mapping[str, Any]) -> list[Any] | None:
    """The tools that the model may call: None where the request names none, empty where it forbids all."""
    choice = body.get("tool_choice")
    if choice is not None:
        _check_choice(choice)
    tools = body.get("tools")
    if tools is None or (isinstance(tools, (list, dict)) and not tools):
        return None
    if not isinstance(tools, list):
        raise invalid("Tools not array")
    for tool in tools:
        _check_tool(tool)
    if choice == "none":
        return []
    if isinstance(choice, dict):
        name = choice["function"]["name"]
        return [tool for tool in tools if tool["function"]["name"] == name][:1]
    return tools


def _check_choice(choice: Any) -> None:
    if isinstance(choice, str):
        if choice not in ("none", "auto", "required"):
            raise invalid("Parameter tool_choice string not in [none, auto, required]")
    elif isinstance(choice, dict):
        _check_tool(choice)
    else:
        raise invalid("Parameter tool_choice not string or object")


def _check_tool(tool: Any) -> None:
    if not isinstance(tool, dict):
        tool = {}
    if "type" not in tool:
        raise invalid("Tool param invalid, tool type not exist")
    if tool["type"] is None:
        raise invalid("Tool param invalid tool type")
    if not isinstance(tool["type"], str):
        raise invalid("Tool param invalid tool string type")
    if tool["type"] != "function":
        raise invalid("Tool param not function type")
    if "function" not in tool:
        raise invalid("Tool param invalid, tool function not exist")
    function = tool["function"]
    if not isinstance(function, dict):
        raise invalid("Tool param invalid function object")
    if "name" not in function:
        raise invalid("Function object invalid, function name not exist")
    if not isinstance(function["name"], str):
        raise invalid("Function object invalid name type")
    check_name(function["name"])
