"""What the model side makes of its environment variables before it does anything else.

Source: MindIE-LLM 3.0.0 examples/atb_models/atb_llm/utils/env.py; 1.0.0 is taken to say the same (inference).
"""

from __future__ import annotations

import ipaddress
import os

_MOST_RANKS = 1048576


def environment_fault() -> str | None:
    """The exception's line, None where all is well."""
    return _numbers_fault() or _devices_fault() or _master_fault()


def _numbers_fault() -> str | None:
    reserved, fraction = _number("RESERVED_MEMORY_GB", 3.0), _number("NPU_MEMORY_FRACTION", 1.0)
    for name, value in (("RESERVED_MEMORY_GB", reserved), ("NPU_MEMORY_FRACTION", fraction)):
        if value is None:
            return f"ValueError: could not convert string to float: {os.environ[name]!r}"
    assert reserved is not None and fraction is not None
    if not 0 <= reserved < 64:
        return "ValueError: RESERVED_MEMORY_GB should be in the range of 0 to 64, 64 is not inclusive."
    if not 0 < fraction <= 1:
        return "ValueError: NPU_MEMORY_FRACTION should be in the range of 0 to 1.0, 0.0 is not inclusive."
    ranks = os.environ.get("WORLD_SIZE", "1")
    if not ranks.isdecimal():
        return f"ValueError: invalid literal for int() with base 10: {ranks!r}"
    if not 0 < int(ranks) <= _MOST_RANKS:
        text = f"WORLD_SIZE should not be a number in the range of 0 to {_MOST_RANKS}, 0 is not inclusive."
        return f"ValueError: {text}"
    return None


def _devices_fault() -> str | None:
    chosen = os.environ.get("ASCEND_RT_VISIBLE_DEVICES")
    if chosen is None or all(part.strip().isdecimal() for part in chosen.split(",")):
        return None
    form = "{device_id},{device_id},...,{device_id}"
    return f"ValueError: ASCEND_RT_VISIBLE_DEVICES should be in format {form}"


def _master_fault() -> str | None:
    address = os.environ.get("MASTER_IP")
    if address is None:
        return None
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return "ValueError: Master ip is invalid. Please check environment MASTER_IP."
    return None


def _number(name: str, default: float) -> float | None:
    try:
        return float(os.environ.get(name, default))
    except ValueError:
        return None
