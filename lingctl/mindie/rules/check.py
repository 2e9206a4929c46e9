"""Whether MindIE accepts a config.json, before MindIE is asked.

The rules themselves are data: single fields in ``fields``, combinations in ``catalogue``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lingctl.errors import ConfigurationError
from lingctl.findings import Finding, Verdict
from lingctl.inventory.cluster import Cluster
from lingctl.mindie.capacity.estimate import uneven
from lingctl.mindie.json_text import read_json
from lingctl.mindie.profile import Profile
from lingctl.mindie.rules.catalogue import RULES
from lingctl.mindie.rules.config.parallel import ranks
from lingctl.mindie.rules.fields import FIELDS, LIMITS, PATHS, REMOVED_IN_3, ConfigSection, Field
from lingctl.mindie.rules.rule import Breach, Parts, broken_rule

_MAX_BYTES = 10 * 1024 * 1024
_OPTIONAL_SECTIONS: frozenset[ConfigSection] = frozenset({"", "LogConfig"})


def parse_document(text: str) -> dict[str, Any]:
    """A file as MindIE reads it: JSON of at most 10 MB.

    Raises:
        ConfigurationError: it is not that; says line and column.
    """
    try:
        if len(text.encode()) > _MAX_BYTES:
            raise ValueError("larger than 10 MB")
        document = read_json(text)
    except ValueError as error:
        raise ConfigurationError(
            f"not JSON that MindIE reads: {error}",
            remedy="JSON has no comments, no trailing commas and only plain double quotes",
            code="config-json",
        ) from error
    if not isinstance(document, dict):
        raise ConfigurationError(
            "the file must hold one JSON object",
            remedy="name a config.json, a rank table, or a model's config.json or generation_config.json",
            code="config-json",
        )
    return document


def check_config(document: dict[str, Any], profile: Profile, cluster: Cluster | None = None) -> list[Finding]:
    """Every rule of one MindIE version that a config.json breaks; a single pass if none.

    Args:
        document: the file, as data.
        cluster: if given, the document is also compared with the model's native window, the ranks that the
            model can be cut into, and the cards that the containers see.
    """
    parts: Parts = {section: _section(document, section) or {} for section in PATHS}
    missing = {section for section in PATHS if _section(document, section) is None}
    anew = "add the section: lingctl render config writes a complete file"
    found = [
        broken_rule(f"config-{section}", f"{path} is missing or not an object", "", anew)
        for section, path in PATHS.items()
        if section in missing - _OPTIONAL_SECTIONS
    ]
    found += _check_fields(document, parts, missing, profile.generation)
    found += _check_rules(parts, profile.generation)
    if profile.generation == 3:
        found += _removed(parts)
    if cluster is not None:
        found += _check_against_cluster(parts, cluster)
    if any(one.verdict >= Verdict.WARNING for one in found):
        return found
    return [Finding("config", Verdict.PASS, f"MindIE {profile.version} accepts it"), *found]


def _check_fields(
    document: dict[str, Any], parts: Parts, missing: set[ConfigSection], generation: int
) -> Iterator[Finding]:
    for field in FIELDS:
        if generation in field.generations and field.section not in missing:
            yield from _check_field(field, field.path, parts[field.section], generation)
    models = parts["ModelDeployConfig"].get("ModelConfig")
    for index, model in enumerate(models[1:] if isinstance(models, list) else [], start=1):
        for field in FIELDS:
            if field.section == "ModelConfig" and generation in field.generations:
                path = field.path.replace("[0]", f"[{index}]")
                yield from _check_field(field, path, model if isinstance(model, dict) else {}, generation)


def _check_rules(parts: Parts, generation: int) -> Iterator[Finding]:
    for rule in RULES:
        if generation in rule.generations:
            for broken in rule.broken(parts):
                text, remedy = broken if isinstance(broken, Breach) else (broken, rule.remedy)
                yield broken_rule(rule.check, f"{rule.says}: {text}", rule.source, remedy, rule.verdict)


def _section(document: dict[str, Any], section: ConfigSection) -> dict[str, Any] | None:
    part: Any = document
    for step in PATHS[section].removesuffix("[0]").split("."):
        if step:
            part = part.get(step) if isinstance(part, dict) else None
    if section == "ModelConfig":
        part = part[0] if isinstance(part, list) and part else None
    return part if isinstance(part, dict) else None


def _check_field(field: Field, path: str, part: dict[str, Any], generation: int) -> Iterator[Finding]:
    remedy = f"{field.name}: {field.allowed}"
    if field.name not in part:
        if field.required:
            # For 1.x and 2.x nobody outside has read the code that would insist on it.
            verdict = Verdict.FAILURE if generation == 3 else Verdict.WARNING
            yield broken_rule(field.check, f"{path} is missing", field.source, f"add {remedy}", verdict)
        return
    value = part[field.name]
    problem = _problem(field, value)
    if problem:
        message = f"{path} is {json.dumps(value)}: {problem}"
        yield broken_rule(field.check, message, field.source, f"set {remedy}")


def _problem(field: Field, value: object) -> str:
    if not _has_kind(field.kind, value):
        return f"must be {field.kind}"
    if field.choices and value not in field.choices:
        return f"must be {field.allowed}"
    if type(value) is int:
        low, high = LIMITS.get(field.kind, (value, value))
        low = low if field.low is None else field.low
        high = high if field.high is None else field.high
        if not low <= value <= high:
            return f"must be {low} to {high}"
    return ""


def _has_kind(kind: str, value: object) -> bool:
    kinds: dict[str, type] = {"string": str, "bool": bool, "array": list, "object": dict}
    return type(value) is kinds.get(kind, int)


def _removed(parts: Parts) -> Iterator[Finding]:
    for section, name in REMOVED_IN_3:
        if name in parts[section]:
            text = f"{PATHS[section]}.{name} is no longer read by 3.0.0"
            yield broken_rule(f"config-{name}", text, "", "it may go", Verdict.NOTE)


def _check_against_cluster(parts: Parts, cluster: Cluster) -> Iterator[Finding]:
    window, longest = cluster.catalogue_model.context, parts["ModelDeployConfig"].get("maxSeqLen")
    if type(longest) is int and longest > window:
        yield broken_rule(
            "config-context",
            f"max_seq_len {longest} is beyond the native window of {cluster.model}, {window} tokens; "
            "MindIE does not extend it (YaRN is not available there)",
            "the published model configs; MindIE-LLM v3.0.0 atb_llm",
            f"set serving.max_seq_len to at most {window}, or serve it with vLLM (engine: vllm), which can",
        )
    total = ranks(parts)
    if cluster.multi_node and total is not None and total != cluster.world_size:
        yield broken_rule(
            "config-parallel",
            f"dp x tp x cp is {total}, the cluster has {cluster.world_size} cards",
            "MindIE-LLM v3.0.0 atb_llm utils/mapping.py",
            f"set tp to {cluster.world_size}",
        )
    cannot = uneven(cluster.catalogue_model.shape, cluster.world_size)
    if cannot:
        yield broken_rule(
            "config-ranks",
            f"{cluster.model} cannot be cut into {cluster.world_size} ranks: {cannot}",
            "the overlay, which cuts nothing unevenly",
            "use another number of nodes or devices",
        )
    yield from _renumbered_cards(cluster)


def _renumbered_cards(cluster: Cluster) -> Iterator[Finding]:
    """Cards of several nodes that the containers would know by other numbers than the rank table.

    HCCL wants physical ids there, and the workers select ``npu:<device_id>`` by the same entry; a container
    that is given some cards numbers them from 0. A privileged one sees all, so that both agree.
    """
    if not cluster.multi_node or cluster.container.privileged:
        return
    for node in cluster.nodes:
        if node.devices != tuple(range(len(node.devices))):
            cards = ", ".join(map(str, node.devices))
            yield broken_rule(
                "config-device-subset",
                f"{node.name} is to use cards {cards}: the rank table names them so, and a container that is "
                f"given these alone knows them as 0 to {len(node.devices) - 1}",
                "MindIE-LLM v3.0.0 atb_llm utils/dist.py (the device is the rank table's device_id); "
                "HCCL's documents of the rank table (device_id is physical)",
                f"use cards 0 to {len(node.devices) - 1} on every node, or set container.privileged to true",
            )
