"""Tokens in ssh_config: ``%h`` and the like, ``${NAME}`` of the environment, and ``~``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lingctl.errors import ConfigurationError

if TYPE_CHECKING:
    from lingctl.inventory.ssh.machine import Machine

_TOKEN = re.compile(r"%(.?)", re.DOTALL)
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


def expand(text: str, tokens: Mapping[str, str], place: str) -> str:
    """Put values in the place of tokens; ``%%`` is a percent sign.

    Raises:
        ConfigurationError: there is no such token.
    """

    def value(found: re.Match[str]) -> str:
        letter = found[1]
        if letter == "%":
            return "%"
        if letter not in tokens:
            raise _error(f"{found[0]} stands for nothing here", text, place)
        return tokens[letter]

    return _TOKEN.sub(value, text)


def expand_path(text: str, tokens: Mapping[str, str], around: Machine, place: str) -> str:
    """A file's name with ``~``, ``${NAME}`` and tokens replaced.

    Raises:
        ConfigurationError: there is no such token or variable.
    """

    def value(found: re.Match[str]) -> str:
        if found[1] not in around.environment:
            raise _error(f"{found[0]} is not set in the environment", text, place)
        return around.environment[found[1]]

    return at_home(_VARIABLE.sub(value, expand(text, tokens, place)), around)


def at_home(path: str, around: Machine) -> str:
    """A path with the user's folder in the place of ``~``."""
    return f"{around.home}{path[1:]}" if path == "~" or path.startswith("~/") else path


def _error(what: str, text: str, place: str) -> ConfigurationError:
    return ConfigurationError(
        what,
        where=place,
        evidence=text,
        remedy="see TOKENS in: man ssh_config; or ssh: {config: none} in hosts.yaml",
        code="ssh-config",
    )
