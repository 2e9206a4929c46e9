"""What ssh_config may ask of the machine that lingctl runs on."""

from __future__ import annotations

import os
import platform
import pwd
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


def _no(_what: str) -> bool:
    return False


@dataclass(frozen=True)
class Machine:
    """This machine, its user and its environment."""

    user: str  # login name here
    home: Path  # the user's folder
    host: str  # this machine's name
    environment: Mapping[str, str]  # for ``${NAME}`` and the agent's socket
    user_config: Path  # the user's configuration of ssh
    system_config: Path = Path("/etc/ssh/ssh_config")  # that of the machine
    # whether a shell command does (``Match exec``); where nothing may be run, none does
    succeeds: Callable[[str], bool] = field(default=_no)
    # whether a name has an address (``CanonicalizeHostname``)
    resolves: Callable[[str], bool] = field(default=_no)


def here(succeeds: Callable[[str], bool] = _no, resolves: Callable[[str], bool] = _no) -> Machine:
    """This machine as it is now."""
    home = Path("~").expanduser()
    config = home / ".ssh" / "config"
    return Machine(
        _user(home), home, platform.node(), os.environ, config, succeeds=succeeds, resolves=resolves
    )


def _user(home: Path) -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container whose user has no name
        return os.environ.get("USER") or home.name
