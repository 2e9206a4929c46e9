"""The commented starter hosts.yaml: also the reference of every setting, and a test of the reader."""

from __future__ import annotations

from collections.abc import Sequence

from lingctl.assets import asset
from lingctl.inventory.catalogue import find_model


def starter_hosts(*, name: str, model: str, mindie: str, nodes: Sequence[str]) -> str:
    """A hosts.yaml ready to edit.

    Raises:
        ConfigurationError: the model is not in the catalogue.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(asset("templates")),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  (YAML, not HTML)
    )
    template = environment.get_template("hosts.yaml.j2")
    return template.render(name=name, model=find_model(model).name, mindie=mindie, nodes=list(nodes))
