"""Whether MindIE and HCCL accept a rank table.

Source: MindIE-LLM v3.0.0 src/config_manager/ranktable_config.cpp;
for the ranks, atb_llm utils/env.py and dist.py.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lingctl.findings import Finding, Verdict
from lingctl.mindie.profile import Profile
from lingctl.mindie.rules.address import is_usable_address
from lingctl.mindie.rules.rule import broken_rule

MAX_SERVERS, MAX_CARDS, MAX_CARD_ID, MAX_RANK = 60, 32, 63, 511


_CODE = "MindIE-LLM v3.0.0 src/config_manager/ranktable_config.cpp"
_ATB = "MindIE-LLM v3.0.0 atb_llm utils/env.py and dist.py"
_HCCL = "HCCL's documents of the rank table; MindIE does not look"


@dataclass(frozen=True, slots=True)
class TableRule:
    """One rule."""

    check: str
    says: str
    source: str
    verdict: Verdict = Verdict.FAILURE  # a warning where MindIE itself does not look


TABLE_RULES = (
    TableRule(
        "ranktable-version",
        'version is "1.0" (the form for Atlas 800I A2); "1.2", that for A3, is a note',
        _HCCL,
        Verdict.WARNING,
    ),
    TableRule("ranktable-status", 'status is "completed"', _HCCL, Verdict.WARNING),
    TableRule("ranktable-objects", "server_list and every device are lists of objects", _CODE),
    TableRule("ranktable-strings", "every number is written as a string", _CODE),
    TableRule(
        "ranktable-server-count",
        f"server_count is 2 to {MAX_SERVERS}, and the length of server_list; 1 is a note, since one machine "
        "needs no rank table",
        _CODE,
    ),
    TableRule(
        "ranktable-address",
        "server_id and, of several servers, container_ip are IP addresses, each server's its own",
        f"{_CODE}; {_ATB}",
    ),
    TableRule(
        "ranktable-cards", f"1 to {MAX_CARDS} cards on every server, the same number everywhere", _CODE
    ),
    TableRule("ranktable-device-id", f"device_id is 0 to {MAX_CARD_ID}, once per server", _CODE),
    TableRule(
        "ranktable-device-ip",
        "device_ip is an address other than 0.0.0.0; of one server alone it may be missing",
        _CODE,
    ),
    TableRule("ranktable-device-ip-once", "device_ip stands once in the table", _HCCL, Verdict.WARNING),
    TableRule(
        "ranktable-rank",
        f"rank_id runs from 0 to the number of cards less one, each once, at most {MAX_RANK}",
        f"{_CODE}; {_ATB}",
    ),
    TableRule(
        "ranktable-master",
        "rank 0 is on the first server of the list, which lingctl takes for the one that answers",
        f"the Ling README; {_CODE} takes the server of rank 0",
        Verdict.WARNING,
    ),
)
_BY_CHECK = {rule.check: rule for rule in TABLE_RULES}


def check_rank_table(document: dict[str, Any], profile: Profile) -> list[Finding]:
    """Every rule that a rank table breaks; a pass if none but notes."""
    found = broken_rules(document)
    if any(one.verdict >= Verdict.WARNING for one in found):
        return found
    count = sum(len(server["device"]) for server in document["server_list"])
    return [Finding("ranktable", Verdict.PASS, f"MindIE {profile.version} accepts it: {count} ranks"), *found]


def broken_rules(document: dict[str, Any]) -> list[Finding]:
    """Every rule that a rank table breaks, whichever MindIE is to read it."""
    alone = _number(document.get("server_count")) == 1 == len(_objects(document.get("server_list")))
    return [*_head(document, alone=alone), *_servers(document, alone=alone)]


def _broken(check: str, message: str, verdict: Verdict | None = None) -> Finding:
    rule = _BY_CHECK[check]
    verdict = rule.verdict if verdict is None else verdict
    remedy = "lingctl render ranktable writes it from the live cards" if verdict > Verdict.NOTE else ""
    return broken_rule(check, message, rule.source, remedy, verdict)


def _head(document: dict[str, Any], *, alone: bool) -> Iterator[Finding]:
    if document.get("version") == "1.2":
        said = 'version is "1.2", the form for A3; MindIE does not look at it'
        yield _broken("ranktable-version", said, Verdict.NOTE)
    elif document.get("version") != "1.0":
        yield _broken("ranktable-version", f"version is {_said(document.get('version'))}")
    if document.get("status") != "completed":
        yield _broken("ranktable-status", f"status is {_said(document.get('status'))}")
    servers, count = document.get("server_list"), document.get("server_count")
    if not isinstance(count, str):
        yield _broken("ranktable-strings", f"server_count is {_said(count)}, not a string")
    if alone:
        said = "one machine needs no rank table: MindIE reads none there (its model library may, if told to)"
        yield _broken("ranktable-server-count", said, Verdict.NOTE)
        return
    number = _number(count)
    if number is None or not 2 <= number <= MAX_SERVERS:
        yield _broken("ranktable-server-count", f"server_count is {count!r}; it must be 2 to {MAX_SERVERS}")
    if not isinstance(servers, list) or (number is not None and number != len(servers)):
        listed = len(servers) if isinstance(servers, list) else "no"
        yield _broken(
            "ranktable-server-count", f"server_count is {count!r}, server_list has {listed} servers"
        )


def _servers(document: dict[str, Any], *, alone: bool) -> Iterator[Finding]:
    servers = _objects(document.get("server_list"))
    yield from _no_objects("server_list", document.get("server_list"))
    for server in servers:
        yield from _no_objects(f"device of {server.get('server_id')}", server.get("device"))
    for name in ("server_id", "container_ip"):
        if not alone or name == "server_id" or name in servers[0]:
            yield from _own_addresses(name, [server.get(name) for server in servers])
    devices = [_objects(server.get("device")) for server in servers]
    lengths = {len(one) for one in devices}
    if len(lengths) > 1 or any(not 1 <= length <= MAX_CARDS for length in lengths):
        yield _broken(
            "ranktable-cards", f"the servers have {', '.join(str(len(one)) for one in devices)} cards"
        )
    for server, own in zip(servers, devices, strict=True):
        yield from _device_ids(str(server.get("server_id")), own)
    everything = [device for own in devices for device in own]
    yield from _device_ips([device for device in everything if not alone or "device_ip" in device])
    yield from _ranks(everything)
    if devices and not any(device.get("rank_id") == "0" for device in devices[0]):
        yield _broken("ranktable-master", 'the first server has no rank "0"')


def _objects(listed: object) -> list[dict[str, Any]]:
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _said(value: object) -> str:
    return "missing" if value is None else repr(value)[:80]


def _no_objects(name: str, listed: object) -> Iterator[Finding]:
    if not isinstance(listed, list):
        yield _broken("ranktable-objects", f"{name} is {_said(listed)}, not a list")
        return
    for one in listed:
        if not isinstance(one, dict):
            yield _broken("ranktable-objects", f"{name} holds {json.dumps(one)}, which is no object")


def _own_addresses(name: str, values: list[object]) -> Iterator[Finding]:
    for value in values:
        if not is_usable_address(value):
            yield _broken("ranktable-address", f"{name} is {_said(value)}")
    for value, times in Counter(map(str, values)).items():
        if times > 1:
            yield _broken("ranktable-address", f"{name} {value} stands at {times} servers")


def _device_ids(server: str, devices: list[dict[str, Any]]) -> Iterator[Finding]:
    for device in devices:
        number = _number(device.get("device_id"))
        if not isinstance(device.get("device_id"), str):
            yield _broken("ranktable-strings", f"device_id of {server} is {device.get('device_id')!r}")
        elif number is None or not 0 <= number <= MAX_CARD_ID:
            yield _broken("ranktable-device-id", f"device_id of {server} is {device['device_id']!r}")
    numbers = (_number(device.get("device_id")) for device in devices)
    for value, times in Counter(number for number in numbers if number is not None).items():
        if times > 1:
            yield _broken("ranktable-device-id", f"{server} has device_id {value} {times} times")


def _device_ips(devices: list[dict[str, Any]]) -> Iterator[Finding]:
    values = [device.get("device_ip") for device in devices]
    for value in values:
        if not is_usable_address(value):
            yield _broken("ranktable-device-ip", f"device_ip is {_said(value)}")
    for value, times in Counter(map(str, values)).items():
        if times > 1:
            yield _broken("ranktable-device-ip-once", f"device_ip {value} stands there {times} times")


def _ranks(devices: list[dict[str, Any]]) -> Iterator[Finding]:
    values = [device.get("rank_id") for device in devices]
    for value in values:
        if not isinstance(value, str):
            yield _broken("ranktable-strings", f"rank_id is {_said(value)}, not a string")
    seen = Counter(map(str, values))
    wanted = [str(rank) for rank in range(len(values))]
    odd = [f"{rank} is missing" for rank in wanted if rank not in seen]
    odd += [f"{rank} is there {times} times" for rank, times in seen.items() if times > 1]
    odd += [f"{rank} is too many" for rank in sorted(seen.keys() - set(wanted))]
    if len(values) > MAX_RANK + 1:
        odd = [f"{len(values)} are more than MindIE takes"]
    if odd:
        said = f"rank_id must run from 0 to {min(len(values) - 1, MAX_RANK)}: {', '.join(odd[:4])}"
        yield _broken("ranktable-rank", said)


def _number(value: object) -> int | None:
    """A number, written as one or as a text; None for anything else, and for one of 20 digits and more."""
    text = str(value) if isinstance(value, str | int) else ""
    return int(text) if len(text) < 20 and text.isascii() and text.isdecimal() else None
