"""hosts.yaml to Cluster: every mistake is named with file:line:col and what to write instead."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from lingctl.errors import ConfigurationError, as_one_error
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.mistakes.in_words import mistakes_in
from lingctl.inventory.ssh.aliases import with_service_addresses
from lingctl.inventory.yaml_text.source import YamlSource, read_yaml

# Settings that may also come from the environment; flags and these win over the file.
ENVIRONMENT = {
    "LINGCTL_SSH_USER": ("ssh", "user"),
    "LINGCTL_SSH_KEY": ("ssh", "key"),
    "LINGCTL_KNOWN_HOSTS": ("ssh", "known_hosts"),
    "LINGCTL_IMAGE": ("container", "image"),
}


def load_cluster(path: Path | str, environment: Mapping[str, str] | None = None) -> Cluster:
    """Read hosts.yaml.

    Args:
        environment: where ``LINGCTL_*`` overrides are looked up; this process's own by default.

    Raises:
        ConfigurationError: the first mistake with its place and remedy, and all others beside it.
    """
    path = Path(path)
    cluster = cluster_from(read_yaml(path), os.environ if environment is None else environment)
    return cluster.anchored(path.parent)


def cluster_from(source: YamlSource, environment: Mapping[str, str]) -> Cluster:
    """The Cluster that a YAML document describes.

    Raises:
        ConfigurationError: the first mistake with its place and remedy, and all others beside it.
    """
    if not isinstance(source.data, dict):
        raise source.mistake(
            (),
            "the file must be a mapping with name, model and nodes",
            "see a complete example with: lingctl init --show",
            "hosts-not-a-mapping",
        )
    data, followed = with_service_addresses(_with_environment(source.data, environment))
    try:
        cluster = Cluster.model_validate_json(json.dumps(data))
    except ValidationError as error:
        raise _explained(mistakes_in(source, error), error, environment) from error
    found = mistakes_in(source, None)
    if found:
        raise as_one_error(found)
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


def _explained(
    found: list[ConfigurationError], error: ValidationError, environment: Mapping[str, str]
) -> ConfigurationError:
    """All mistakes; one that the environment made is named as such."""
    places = {detail["loc"] for detail in error.errors()}
    given = [name for name, place in ENVIRONMENT.items() if place in places and environment.get(name)]
    if given and len(found) == 1:
        (only,) = found
        return ConfigurationError(
            only.what, where=f"the environment's {given[0]}", remedy=only.remedy, code=only.code
        )
    return as_one_error(found)
