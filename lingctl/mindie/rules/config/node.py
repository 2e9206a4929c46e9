"""Rules of a node: where it listens, and which of its cards it takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lingctl.findings import Verdict
from lingctl.mindie.rules.address import address_of
from lingctl.mindie.rules.rule import CODE, Breach, Parts, rule, several

_DEFAULT_INTER_NODE_PORT = 1120


@rule(
    "config-addresses",
    "ipAddress and managementIpAddress are IP addresses; all-zero only with allowAllZeroIpListening",
    source=f"{CODE}server_config.cpp",
    remedy="use the node's own IP address",
)
def _addresses(parts: Parts) -> Iterator[str]:
    server = parts["ServerConfig"]
    for name in ("ipAddress", "managementIpAddress"):
        value = server.get(name)
        if not isinstance(value, str):
            continue
        parsed = address_of(value)
        if parsed is None:
            yield f"{name} is {value!r}"
        elif parsed.is_unspecified and server.get("allowAllZeroIpListening") is not True:
            yield f"{name} is {value!r} without allowAllZeroIpListening"


@rule(
    "config-ipv4",
    "1.0.0 listens on IPv4 only",
    source="vendor documents of 1.0.0",
    remedy="give the node an IPv4 service_address",
    generations=(1,),
)
def _ipv4_only(parts: Parts) -> Iterator[str]:
    for name in ("ipAddress", "managementIpAddress"):
        if ":" in str(parts["ServerConfig"].get(name, "")):
            yield f"{name} is {parts['ServerConfig'][name]!r}"


@rule(
    "config-ports",
    "port differs from multiNodesInferPort (1120 where left out)",
    source=f"{CODE}config_manager_impl.cpp",
    remedy="change one of them",
)
def _ports(parts: Parts) -> Iterator[str]:
    port = parts["ServerConfig"].get("port")
    between = parts["BackendConfig"].get("multiNodesInferPort", _DEFAULT_INTER_NODE_PORT)
    if type(port) is int and port == between:
        yield f"both are {port}"


@rule(
    "config-device-lists",
    "npuDeviceIds is a list of lists of card numbers",
    source=f"{CODE}param_checker.cpp",
    remedy="write a list of cards in a list, such as [[0, 1]]",
)
def _id_shape(parts: Parts) -> Iterator[str | Breach]:
    value = parts["BackendConfig"].get("npuDeviceIds")
    listed = value if isinstance(value, list) else []
    flat = bool(listed) and all(type(one) is int and one >= 0 for one in listed)
    for subset in listed:
        if flat:
            yield Breach(f"npuDeviceIds holds {subset!r}", f"write it as [{value!r}]")
        elif not isinstance(subset, list) or any(type(one) is not int or one < 0 for one in subset):
            yield f"npuDeviceIds holds {subset!r}"


@rule(
    "config-instances",
    "npuDeviceIds has one list per model instance",
    source=f"{CODE}backend_config.cpp",
    remedy="make modelInstanceNumber the number of lists",
)
def _instances(parts: Parts) -> Iterator[str]:
    backend = parts["BackendConfig"]
    value, number = backend.get("npuDeviceIds"), backend.get("modelInstanceNumber")
    if isinstance(value, list) and type(number) is int and len(value) != number:
        yield f"npuDeviceIds has {len(value)} lists, modelInstanceNumber is {number}"


@rule(
    "config-world-size",
    "worldSize is the number of this node's cards, also with several nodes",
    source=f"{CODE}backend_config.cpp",
    remedy="set worldSize to the number of cards of one node",
    generations=(2, 3),
)
def _world_size(parts: Parts) -> Iterator[str]:
    yield from _other_than_listed(parts)


@rule(
    "config-world-size",
    "worldSize is the number of cards",
    source="the Ling repository's files for 1.0.0; vendor documents",
    remedy="set worldSize to the number of cards",
    generations=(1,),
)
def _world_size_1(parts: Parts) -> Iterator[str]:
    if not several(parts):
        yield from _other_than_listed(parts)


@rule(
    "config-world-size-all",
    "with several nodes worldSize counts the cards of all, as in the Ling files",
    source="the Ling repository's files for 1.0.0; the documents say that it is ignored then",
    remedy="set worldSize to the number of ranks",
    verdict=Verdict.WARNING,
    generations=(1,),
)
def _world_size_all(parts: Parts) -> Iterator[str]:
    # The file does not say how many nodes there are: any multiple of a node's cards may be right.
    for broken in _other_than_listed(parts) if several(parts) else ():
        size, count = parts["ModelConfig"]["worldSize"], len(_ids(parts)[0])
        if not count or size % count:
            yield broken


@rule(
    "config-unique-devices",
    "npuDeviceIds names no card twice (one node; with several the rank table's cards count)",
    source=f"{CODE}backend_config.cpp",
    remedy="name each card once",
)
def _unique_ids(parts: Parts) -> Iterator[str]:
    # With several nodes the rank table's cards take the place of these.
    for subset in () if several(parts) else _ids(parts):
        if len({str(one) for one in subset}) != len(subset):
            yield f"npuDeviceIds is {subset}"


def _ids(parts: Parts) -> list[list[Any]]:
    value = parts["BackendConfig"].get("npuDeviceIds")
    return [subset for subset in value if isinstance(subset, list)] if isinstance(value, list) else []


def _other_than_listed(parts: Parts) -> Iterator[str]:
    size = parts["ModelConfig"].get("worldSize")
    for subset in _ids(parts):
        if type(size) is int and len(subset) != size:
            yield f"worldSize is {size}, npuDeviceIds has {len(subset)} cards"
