"""Which addresses the server takes.

Source: MindIE-LLM v3.0.0 src/utils/common_util.cpp. 1.0.0 knows IPv4 alone (its documents); its words for the
other kind are not documented.
"""

from __future__ import annotations

import os
import socket

from lingctl.sandbox.engine.settings.sections import Section

# The vendor's constants, wide of any address.
_LONGEST = {socket.AF_INET: 32, socket.AF_INET6: 128}


def address_fault(name: str, address: str, version: str, *, zero: bool) -> str:
    """What is wrong with an address, empty if nothing; dots and colons tell which kind it is meant to be.

    Args:
        name: the field, for the sentence.
        address: its value.
        version: 1.0.0 or 3.0.0.
        zero: whether all zeros are allowed.
    """
    if not address:
        return f"Input {name} is empty"
    if ":" not in address and "." not in address:
        return f"Input {name} [{address}] format is invalid (neither IPv4 nor IPv6)"
    kind = socket.AF_INET6 if ":" in address else socket.AF_INET
    if len(address) > _LONGEST[kind]:
        return f"Input {name} format is invalid."
    in_brackets = kind is socket.AF_INET6 and address[0] == "[" and address[-1] == "]"
    plain = address[1:-1] if in_brackets else address
    invalid = f"Input {name} [{address}] is invalid"
    if kind is socket.AF_INET6 and version == "1.0.0":
        return invalid
    try:
        socket.inet_pton(kind, plain)
    except (OSError, ValueError):
        return invalid
    return invalid if plain in ("0.0.0.0", "::") and not zero else ""


def addresses(server: Section) -> dict[str, str]:
    """The addresses that ports are opened on, by their names in ServerConfig, over which variables win."""
    own = server["ipAddress"]
    management = server.get("managementIpAddress", own)
    return {
        "ipAddress": os.environ.get("MIES_CONTAINER_IP") or own,
        "managementIpAddress": os.environ.get("MIES_CONTAINER_MANAGEMENT_IP") or management,
    }


def listened_on(server: Section) -> dict[tuple[str, int], list[str]]:
    """What each address and port serves: those that are the same are one listener."""
    business, management = addresses(server).values()
    port = server["port"]
    roles: dict[tuple[str, int], list[str]] = {(business, port): ["business"]}
    roles.setdefault((management, server.get("managementPort", port)), []).append("management")
    roles.setdefault((management, server.get("metricsPort", port)), []).append("metrics")
    return roles
