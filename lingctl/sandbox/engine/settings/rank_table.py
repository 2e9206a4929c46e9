"""The server's own reading of the rank table. Texts of 3.0.0's ranktable_config.cpp, printed on stdout."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.json_library import JsonError, elements, read
from lingctl.sandbox.engine.settings.address_rules import address_fault
from lingctl.sandbox.engine.settings.file_rules import private_file_fault
from lingctl.sandbox.engine.settings.sections import Refused

_NO_NUMBER = -1
VARIABLE = {"1.0.0": "RANKTABLEFILE", "3.0.0": "RANK_TABLE_FILE"}


@dataclass(frozen=True, slots=True)
class Device:
    """A card in the table."""

    device_id: int  # -1 for what is no number, noticed with the other values
    address: str
    rank: int  # the same
    written: str = ""  # device_id as it stands in the file


@dataclass(frozen=True, slots=True)
class Server:
    """A node in the table."""

    server_id: str
    container_ip: str
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class RankTable:
    """A parsed table."""

    servers: tuple[Server, ...]  # in the order of the file
    local: Server | None  # this node's entry; None when neither MIES_CONTAINER_IP nor HOST_IP matched
    digest: str  # of what all nodes must agree on
    stated: int  # server_count

    @property
    def master(self) -> Server | None:
        """The node with rank 0."""
        return next((s for s in self.servers if any(d.rank == 0 for d in s.devices)), None)

    @property
    def ranks(self) -> list[int]:
        """Every rank as the table lists it."""
        return [device.rank for server in self.servers for device in server.devices]


class _Wrong(Exception):
    """Lines to print."""


class _Threw(Exception):
    """An exception of the code that nobody catches before the configuration as a whole is refused."""


def read_rank_table(version: str, console: Console) -> RankTable:
    """Read the table that the version's variable names.

    Raises:
        Refused: no table, or one the server cannot take; the words have been said.
    """
    variable = VARIABLE[version]
    path = os.environ.get(variable, "")
    if path and Path(path).exists():
        fault = private_file_fault(Path(path), version)
    else:
        text = f"please set a valid ranktable file path with {variable} environment."
        fault = f"Ranktable file is not exist, {text}"
    if fault:
        console.out(fault)
    console.out("Start to parse ranktable file")
    try:
        if fault:
            raise _Wrong("Ranktable file path is invalid.")
        table = _read(Path(path))
    except _Wrong as wrong:
        for line in wrong.args:
            console.out(line)
        if version != "1.0.0":
            console.out("ConfigManager init exception: init rank table config error.")
    except _Threw as threw:
        console.out(f"ConfigManager init exception: {threw}")
    else:
        if "MIES_CONTAINER_IP" not in os.environ:
            console.out("The env variable MIES_CONTAINER_IP isn't exist.")
        console.out("Finished parsing ranktable file.")
        for device in table.local.devices if table.local else ():
            if device.device_id == _NO_NUMBER:
                console.out(f"Invalid device_id {device.written} in ranktable file")
                return table
        text = "Update worldSize and npuDeviceIds of backend config successfully for Multi Nodes Inference."
        console.out(text)
        return table
    raise Refused("rank table")


def _read(path: Path) -> RankTable:
    try:
        return _parse(read(path.read_bytes().decode(), whole=False))
    except (JsonError, ValueError, AttributeError, TypeError, KeyError):
        raise _Wrong(
            "Ranktable file is invalid. Please check json format! ",
            "Failed to parse the json data of ranktable file data.",
        ) from None


def stated_servers(path: str) -> int:
    """server_count as atb_llm takes it from the file that RANK_TABLE_FILE names; 1 where there is none."""
    try:
        return max(1, int(json.loads(Path(path).read_bytes())["server_count"]))
    except (OSError, ValueError, TypeError, KeyError):
        return 1


def check_values(table: RankTable, console: Console) -> bool:
    """The value checks, which run after the 'successfully' line; False once a line has been said."""
    wrong: list[str] = []
    if not 2 <= table.stated <= 60:
        wrong.append(f"Parameter server_count must be in range [2, 60], but got {table.stated}")
    count = len(table.servers)
    if table.stated != count:
        text = f"which is not equal to server_list length in ranktable file, which is {count}"
        wrong.append(f"Parameter server_count is {table.stated}, {text}")
    first = len(table.servers[0].devices) if table.servers else 0
    if not 1 <= first <= 32:
        wrong.append(f"The number of devices on single node must be in [1, 32], but got {first}")
    for server in table.servers:
        cards = len(server.devices)
        if cards != first:
            text = f"is {cards} which not equal in ranktable file, which is {first}"
            wrong.append(f"The number of devices in every server node {text}")
            break
        if not server.container_ip:
            wrong.append("The containerIp in the server node is empty in ranktable file.")
            break
        # Of each node the first card with a fault, and of that its first fault.
        wrong += next(filter(None, map(_device_faults, server.devices)), [])
    for line in wrong:
        console.out(line)
    return not wrong


def _device_faults(device: Device) -> list[str]:
    if device.device_id == _NO_NUMBER:
        return ["Parameter device_id is invalid in ranktable file."]
    if device.device_id > 63:
        range_text = f"Parameter device_id is {device.device_id}, which is out of allow range [0, 63]."
        return [f"device_id [{device.device_id}] is out of bound [63]", range_text]
    fault = address_fault("device_ip", device.address, "3.0.0", zero=False)
    if fault:
        return [fault, "Parameter device_ip is invalid in ranktable file."]
    if device.rank == _NO_NUMBER:
        return ["Parameter rankId is invalid in ranktable file."]
    if device.rank > 511:
        range_text = f"Parameter rankId in ranktable is {device.rank}, which is out of allow range [0, 511]."
        return [f"rankId [{device.rank}] is out of bound [511]", range_text]
    return []


def _parse(document: Mapping[str, Any]) -> RankTable:
    count_text = _text(document["server_count"])
    if _number(count_text) == _NO_NUMBER:
        raise _Wrong("Invalid server_count in ranktable file")
    if not isinstance(document.get("server_list"), list):
        error = "[json.exception.out_of_range.403] key 'server_list' not found"
        raise _Wrong(f"Parameter server_list is invalid in ranktable file{error}")
    servers = tuple(_server(entry) for entry in document["server_list"])
    # The order of the list is nobody's business: nodes that list each other otherwise serve (seen on 3.0.0).
    agreed = sorted([s.container_ip, [[d.device_id, d.address, d.rank] for d in s.devices]] for s in servers)
    digest = hashlib.sha256(json.dumps(agreed).encode()).hexdigest()
    return RankTable(servers, _local(servers), digest, int(count_text))


def _server(entry: Mapping[str, Any]) -> Server:
    server_id = _parameter(entry, "server_id")
    container_ip = _parameter(entry, "container_ip") if "container_ip" in entry else ""
    return Server(server_id, container_ip, tuple(map(_device, elements(entry.get("device")))))


def _device(entry: Mapping[str, Any]) -> Device:
    written, address, rank = (_parameter(entry, name) for name in ("device_id", "device_ip", "rank_id"))
    return Device(_number(written), address, _number(rank), written)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 11 else _NO_NUMBER


def _parameter(entry: object, name: str) -> str:
    """A text of at most 256 bytes."""
    if not isinstance(entry, Mapping) or name not in entry:
        raise _Threw(f"Config parameter '{name}' not found")
    if not isinstance(entry[name], str):
        raise _Threw(f"Config parameter '{name}' is not a string")
    if len(entry[name].encode()) > 256:
        raise _Threw(f"The length of config parameter '{name}' exceeds the maximum limit: 256")
    return str(entry[name])


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("scalars of a rank table are strings")
    return value


def _local(servers: tuple[Server, ...]) -> Server | None:
    own = os.environ.get("MIES_CONTAINER_IP") or _hostname_address()
    host = os.environ.get("HOST_IP")
    found = None
    for server in servers:
        if (server.container_ip and server.container_ip == own) or (host and server.server_id == host):
            found = server
    return found


def _hostname_address() -> str:
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return ""
