"""Finds what is shipped beside the code, in a checkout and in an installed wheel, and fills in templates."""

from __future__ import annotations

import functools
import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

_PACKAGE = Path(__file__).resolve().parent
_INCLUDE = re.compile(r"^\. \./(\w+)\.sh$", re.MULTILINE)


def asset(name: str) -> Path:
    """Folder of the shipped assets ``name`` (``templates`` or ``atb_patches``).

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    for candidate in (_PACKAGE / "_assets" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"{name}/ is neither in the installed package nor beside it: reinstall lingctl")


def shell(name: str) -> str:
    """A shell program, as text for a node: ``shell/<name>.sh``, with what it sources in its place.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    folder = name.rpartition("/")[0]
    text = (_PACKAGE / "shell" / f"{name}.sh").read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda line: shell(f"{folder}/{line[1]}"), text)


@functools.cache
def node_text(name: str) -> str:
    """The text of ``node/<name>.py``, for a node's Python to be given.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    return (_PACKAGE / "node" / f"{name}.py").read_text(encoding="utf-8")


def render(template: str, **values: object) -> str:
    """The text of ``templates/<template>`` with values filled in; a missing value is a defect of ours."""
    return _environment().get_template(template).render(**values)


@functools.cache
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
    return json.dumps(value, ensure_ascii=False)
