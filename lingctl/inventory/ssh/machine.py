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
    """This machine, its user and its environment.

    Attributes:
        user: login name here.
        home: the user's folder.
        host: this machine's name.
        environment: for ``${NAME}`` and the agent's socket.
        user_config: the user's configuration of ssh.
        system_config: that of the machine.
        succeeds: whether a shell command does (``Match exec``); where nothing may be run, none does.
        resolves: whether a name has an address (``CanonicalizeHostname``).
    """

    user: str
    home: Path
    host: str
    environment: Mapping[str, str]
    user_config: Path
    system_config: Path = Path("/etc/ssh/ssh_config")
    succeeds: Callable[[str], bool] = field(default=_no)
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
