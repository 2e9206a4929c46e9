"""hosts.yaml to Cluster: every mistake is named with file:line:col and what to write instead."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lingctl.errors import ConfigurationError
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.forms import IN_WORDS, FormError
from lingctl.inventory.ssh.aliases import with_service_addresses
from lingctl.inventory.unknown_keys import model_at, what_instead
from lingctl.inventory.yaml_source import FieldPath, YamlSource, read_yaml

# Settings that may also come from the environment; flags and these win over the file.
ENVIRONMENT = {
    "LINGCTL_SSH_USER": ("ssh", "user"),
    "LINGCTL_SSH_KEY": ("ssh", "key"),
    "LINGCTL_KNOWN_HOSTS": ("ssh", "known_hosts"),
    "LINGCTL_IMAGE": ("container", "image"),
}


def load_cluster(path: Path, environment: Mapping[str, str] | None = None) -> Cluster:
    """Read hosts.yaml.

    Args:
        environment: where ``LINGCTL_*`` overrides are looked up; this process's own by default.

    Raises:
        ConfigurationError: the first mistake, with its place and remedy.
    """
    cluster = cluster_from(read_yaml(path), os.environ if environment is None else environment)
    return cluster.anchored(path.parent)


def cluster_from(source: YamlSource, environment: Mapping[str, str]) -> Cluster:
    """The Cluster that a YAML document describes.

    Raises:
        ConfigurationError: the first mistake, with its place and remedy.
    """
    if not isinstance(source.data, dict):
        raise ConfigurationError(
            "the file must be a mapping with name, model and nodes",
            where=source.where(()),
            remedy="see a complete example with: lingctl init --show",
            code="hosts-not-a-mapping",
        )
    data, followed = with_service_addresses(_with_environment(source.data, environment))
    try:
        cluster = Cluster.model_validate_json(json.dumps(data))
    except ValidationError as error:
        raise _explain(error, source, environment) from error
    for index in followed:
        # It follows from the address, and is told as what does.
        cluster.nodes[index].model_fields_set.discard("service_address")
    return cluster


def _with_environment(data: dict[str, object], environment: Mapping[str, str]) -> dict[str, object]:
    merged = dict(data)
    for variable, (section, key) in ENVIRONMENT.items():
        if environment.get(variable):
            existing = merged.get(section)
            merged[section] = {**(existing if isinstance(existing, dict) else {}), key: environment[variable]}
    return merged


def _explain(
    error: ValidationError, source: YamlSource, environment: Mapping[str, str]
) -> ConfigurationError:
    # Unknown keys first: a typo in a key often causes the "missing" error that follows it.
    details = sorted(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
    first, others = details[0], len(details) - 1
    path: FieldPath = first["loc"]
    what, remedy = _words(first, path)
    more = f"\n({others} more after this one)" if others else ""
    given = [name for name, place in ENVIRONMENT.items() if place == path and environment.get(name)]
    where = f"the environment's {given[0]}" if given else source.where(path)
    return ConfigurationError(
        what, where=where, remedy=remedy + more, code=f"hosts-{first['type'].replace('_', '-')}"
    )


def _words(detail: ErrorDetails, path: FieldPath) -> tuple[str, str]:
    name = ".".join(str(part) for part in path) or "hosts.yaml"
    kind, value = detail["type"], detail["input"]
    inner = (detail.get("ctx") or {}).get("error")
    if kind == "extra_forbidden":
        return f"unknown key {name!r}", what_instead(path)
    if kind == "missing":
        return f"{name!r} is missing", "add it; see a complete example with: lingctl init --show"
    if isinstance(inner, ValueError) and isinstance(inner.__cause__, ConfigurationError):
        return inner.__cause__.what, inner.__cause__.remedy
    if isinstance(inner, FormError):
        return f"{name}: {inner.what}", inner.remedy
    if kind == "value_error" and not path:
        return str(inner), "correct the value"
    if kind == "value_error":
        return f"{name}: {inner}", "correct the value"
    pattern = (detail.get("ctx") or {}).get("pattern")
    if pattern in IN_WORDS:
        return f"{name}: {value!r} is not valid", IN_WORDS[pattern]
    return f"{name}: {value!r} is not valid: {_lower(detail['msg'])}", _field_hint(path)


def _field_hint(path: FieldPath) -> str:
    named = [part for part in path if isinstance(part, str)]
    model = model_at(path[: path.index(named[-1])]) if named else None
    field = model.model_fields.get(named[-1]) if model and named else None
    return f"{named[-1]}: {field.description}" if field and field.description else "correct the value"


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
