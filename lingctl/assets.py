"""Finds what is shipped beside the code, in a checkout and in an installed wheel."""

from __future__ import annotations

import functools
import re
from pathlib import Path

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
