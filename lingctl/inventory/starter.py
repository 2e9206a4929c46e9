"""The commented starter hosts.yaml: also the reference of every setting, and a test of the reader."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from lingctl.assets import asset
from lingctl.errors import UsageError
from lingctl.inventory.catalogue import find_model
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import EngineChoice, Node

_FLAGS = {"name": "--name", "mindie": "--mindie"}


def starter_hosts(
    *, name: str, model: str, mindie: str, nodes: Sequence[str], engine: EngineChoice | None = None
) -> str:
    """A hosts.yaml ready to edit.

    Args:
        engine: what serves it, if not MindIE in the version ``mindie``.

    Raises:
        ConfigurationError: the model is not in the catalogue.
        UsageError: the file would be refused: a name or an address cannot be.
    """
    if engine is not None and engine.name == "mindie":
        mindie, engine = engine.version or mindie, None
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    _need_readable(name, find_model(model).name, mindie, nodes)
    environment = Environment(
        loader=FileSystemLoader(asset("templates")),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  (YAML, not HTML)
    )
    template = environment.get_template("hosts.yaml.j2")
    # YAML 1.1 takes some IPv6 addresses for numbers.
    quoted = [f'"{address}"' if ":" in address else address for address in nodes]
    return template.render(
        name=name, model=find_model(model).name, mindie=mindie, nodes=quoted, engine=engine
    )


def _need_readable(name: str, model: str, mindie: str, nodes: Sequence[str]) -> None:
    machines = tuple(_machine(number, address) for number, address in enumerate(nodes))
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


def _machine(number: int, address: str) -> Node:
    # A host name wants a service_address, which its operator puts in later: here any will do.
    try:
        return Node(address=address, service_address=f"2001:db8::{number:x}")
    except ValidationError as error:
        raise UsageError(
            f"--node: {address!r} is not a host name or an address",
            remedy="lingctl init -h",
            code="init-value",
        ) from error
