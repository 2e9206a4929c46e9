"""The JSON schema of hosts.yaml, by which an editor completes and checks the file."""

from __future__ import annotations

import json

from lingctl.inventory.cluster import Cluster

SCHEMA_NAME = "hosts.schema.json"
TITLE = "hosts.yaml of lingctl"


def hosts_schema() -> str:
    """The schema, as text; it names no place of any machine."""
    schema = Cluster.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = TITLE
    return json.dumps(schema, indent=2) + "\n"
