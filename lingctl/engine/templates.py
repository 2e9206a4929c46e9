"""Rendering: strict about missing values, and able to quote for the shell."""

from __future__ import annotations

import shlex
from functools import cache
from typing import TYPE_CHECKING

from lingctl.assets import asset

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: object) -> str:
    """The text of ``templates/<template>`` with values filled in; a missing value is a defect of ours."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(asset("templates")),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  (JSON and shell, not HTML; values go through tojson and quote)
    )
    environment.filters["quote"] = lambda value: shlex.quote(str(value))
    # Jinja's tojson escapes for HTML, which would change paths with an ampersand.
    environment.policies["json.dumps_function"] = _json
    return environment


def _json(value: object, **options: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)
