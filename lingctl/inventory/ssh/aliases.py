"""Nodes whose address is a ``Host`` of ssh's configuration: the address that MindIE uses follows from it.

MindIE wants IP addresses. Where the alias stands for one (``HostName 10.0.0.1``), it is taken; a name of DNS
is not, for what it means here may not be what it means on the nodes.
"""

from __future__ import annotations

from pydantic import ValidationError

from lingctl.inventory.forms import is_address
from lingctl.inventory.sections import Ssh
from lingctl.inventory.ssh.machine import here
from lingctl.inventory.ssh.resolve import host_name


def with_service_addresses(data: dict[str, object]) -> tuple[dict[str, object], list[int]]:
    """A document of hosts.yaml with the addresses that follow from aliases, and the nodes that got one.

    Raises:
        ConfigurationError: ssh's configuration says something that cannot be.
    """
    nodes, followed = data.get("nodes"), list[int]()
    if not isinstance(nodes, list):
        return data, followed
    filled = list(nodes)
    for index, node in enumerate(nodes):
        if not isinstance(node, dict) or "service_address" in node:
            continue
        address = node.get("address")
        if isinstance(address, str) and not is_address(address):
            found = host_name(address, _config_of(data), here())
            if is_address(found):
                filled[index] = {**node, "service_address": found}
                followed.append(index)
    return ({**data, "nodes": filled} if followed else data), followed


def _config_of(data: dict[str, object]) -> Ssh:
    ssh = data.get("ssh")
    config = ssh.get("config") if isinstance(ssh, dict) else None
    try:
        return Ssh(config=config) if isinstance(config, str) and config else Ssh()
    except ValidationError:
        return Ssh()  # what is wrong with it is told when the whole document is read
