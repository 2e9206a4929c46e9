"""The commented starter hosts.yaml: also the reference of every setting, and a test of the reader."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import ValidationError

from lingctl.assets import render
from lingctl.errors import UsageError
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.inventory.forms import FormError
from lingctl.inventory.models.catalogue import find_model
from lingctl.inventory.schema import SCHEMA_NAME
from lingctl.inventory.sections import Node

_FLAGS = {"name": "--name", "mindie": "--mindie"}


def starter_hosts(
    *,
    name: str,
    model: str,
    mindie: str,
    nodes: Sequence[str],
    engine: EngineChoice | None = None,
    user: str = "",
    key: str = "",
) -> str:
    """A hosts.yaml ready to edit.

    Args:
        nodes: addresses; ``NAME=ADDRESS`` for a name, and the address that the engine uses.
        engine: what serves it, if not MindIE in the version ``mindie``.
        user, key: how to log in; empty: as ssh has it.

    Raises:
        ConfigurationError: the model is not in the catalogue.
        UsageError: the file would be refused: a name or an address cannot be.
    """
    if engine is not None and engine.name == "mindie":
        mindie, engine = engine.version or mindie, None
    _need_readable(name, find_model(model).name, mindie, nodes)
    return render(
        "hosts.yaml.j2",
        name=name,
        model=find_model(model).name,
        mindie=mindie,
        nodes=[_quoted_pair(node) for node in nodes],
        engine=engine,
        user=json.dumps(user) if user else "",
        key=json.dumps(key) if key else "",
        schema=SCHEMA_NAME,
    )


def _quoted_pair(node: str) -> tuple[str, str]:
    """A node's address, and the one that the engine uses, empty where it is the same."""
    address, _, service = node.partition("=")
    # YAML 1.1 takes some IPv6 addresses for numbers.
    quoted = [f'"{one}"' if ":" in one else one for one in (address, service)]
    return quoted[0], quoted[1]


def _need_readable(name: str, model: str, mindie: str, nodes: Sequence[str]) -> None:
    try:
        machines = tuple(need_machine(number, address) for number, address in enumerate(nodes))
    except UsageError as error:
        raise UsageError(f"--node: {error.what}", remedy=error.remedy, code=error.code) from error
    try:
        Cluster(name=name, model=model, mindie=mindie, nodes=machines)
    except ValidationError as error:
        first = error.errors()[0]
        flag = _FLAGS.get(str(first["loc"][0]) if first["loc"] else "", "--node")
        raise UsageError(
            f"{flag}: {first['msg'].removeprefix('Value error, ')}",
            remedy="lingctl init -h",
            code="init-value",
        ) from error


def need_machine(number: int, text: str) -> Node:
    """The node of ``ADDRESS`` or ``NAME=ADDRESS``. Raises UsageError: it is none.

    Args:
        number: which one it is, so that no two have one address.
    """
    address, mark, service = text.partition("=")
    try:
        # A host name wants a service_address, which ssh's configuration may tell: here any will do.
        return Node(address=address, service_address=service if mark else f"2001:db8::{number:x}")
    except ValidationError as error:
        inner = (error.errors()[0].get("ctx") or {}).get("error")
        raise UsageError(
            inner.what if isinstance(inner, FormError) else f"{text!r} is not a host name or an address",
            remedy=inner.remedy if isinstance(inner, FormError) else "write ADDRESS, or NAME=ADDRESS",
            code="init-value",
        ) from error
