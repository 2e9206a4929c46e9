"""IP addresses as the server reads them."""

from __future__ import annotations

import ipaddress


def address_of(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address as 3.0.0 reads it: by inet_pton, which knows no zone; IPv6 may stand in brackets.

    Source: MindIE-LLM v3.0.0 src/utils/common_util.cpp, CheckIPV6.
    """
    plain = value[1:-1] if ":" in value and value.startswith("[") and value.endswith("]") else value
    try:
        return None if "%" in plain else ipaddress.ip_address(plain)
    except ValueError:
        return None


def is_usable_address(value: object) -> bool:
    """Whether it is an IP address other than all zeros."""
    address = address_of(value) if isinstance(value, str) else None
    return address is not None and not address.is_unspecified
